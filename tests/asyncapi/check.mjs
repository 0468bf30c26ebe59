// Judges an AsyncAPI document by the specification's own parser: exits with 1 if it finds an error or a warning.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
for (const { severity, path, message } of diagnostics) {
  console.log(`${severity} ${path.join("/")}: ${message}`);
}
const faults = diagnostics.filter(({ severity }) => severity < 2);
if (!document || faults.length > 0) {
  process.exit(1);
}
console.log(`${document.operations().length} operations, ${document.messages().length} messages`);
