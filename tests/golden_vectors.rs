//! The golden vectors of the native protocol (P51), and the documents that are checked against them and the registry.
//!
//! `tests/vectors/native.json` can be used by a client in any language: what has the kind `request` the server takes,
//! `refused` it refuses in the way stated, and everything else it says byte for byte. When the protocol is changed on
//! purpose, the failing test leaves the new file in Cargo's temporary folder and says where.

mod native;
#[path = "native/cases.rs"]
mod cases;
#[path = "native/wider.rs"]
mod wider;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use actors::limits::Limits;
use cases::{Case, Proof, rejections};
use native::tree::Tree;
use parlance::protocol::codec::Encoding;
use parlance::protocol::error::{Code, WireError};
use parlance::protocol::registry::{Origin, REGISTRY, document};
use parlance::protocol::request::{Incoming, OPS, decode};
use parlance::protocol::rest;
use parlance::protocol::wire::PUSHES;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_default()
}

/// Compares a generated file with the one in the repository.
fn fresh(path: &str, generated: &str) {
    if read(path) != generated {
        let left = Path::new(env!("CARGO_TARGET_TMPDIR")).join(Path::new(path).file_name().expect("a file"));
        fs::write(&left, generated).expect("the temporary folder takes a file");
        assert!(path.is_empty(), "{path} is not what the code makes of it; look at the difference, then copy {} over it", left.display());
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("JSON is UTF-8")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

fn vector(case: &Case) -> String {
    let mut line = format!("{{\"name\":{},\"kind\":\"{}\",\"json\":{}", quoted(&case.name), case.kind, quoted(text(&case.json)));
    if let Some(msgpack) = &case.msgpack {
        write!(line, ",\"msgpack\":\"{}\"", hex(msgpack)).expect("a String takes everything");
    }
    if let Proof::Refuses(id, code, field) = case.proof {
        let id = id.map_or("null".to_owned(), |id| id.to_string());
        let field = field.map_or("null".to_owned(), quoted);
        write!(line, ",\"refused\":{{\"id\":{id},\"name\":\"{}\",\"field\":{field}}}", code.name()).expect("a String takes everything");
    }
    line + "}"
}

#[test]
fn the_vectors_are_what_the_server_takes_and_says() {
    let lines: Vec<_> = cases::all().iter().map(vector).collect();
    fresh("tests/vectors/native.json", &format!("[\n{}\n]\n", lines.join(",\n")));
}

/// A vector as a client in another language reads it: nothing but the file.
struct Read {
    name: String,
    kind: String,
    json: Vec<u8>,
    msgpack: Option<Vec<u8>>,
    refused: Option<Tree>,
}

fn from_file() -> Vec<Read> {
    let one = |vector: &Tree| {
        let word = |name: &str| match vector.get(name) {
            Some(Tree::Text(text)) => Some(text.clone()),
            _ => None,
        };
        Read {
            name: word("name").expect("a name"),
            kind: word("kind").expect("a kind"),
            json: word("json").expect("JSON").into_bytes(),
            msgpack: word("msgpack").map(|text| unhex(&text)),
            refused: vector.get("refused").cloned(),
        }
    };
    match Tree::of_json(read("tests/vectors/native.json").as_bytes()) {
        Tree::List(vectors) => vectors.iter().map(one).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn both_encodings_of_a_vector_say_the_same() {
    for Read { name, kind, json, msgpack, .. } in from_file() {
        if let (Some(msgpack), true) = (msgpack, kind != "refused") {
            let tree = Tree::of_json(&json);
            assert!(tree.is_safe(), "{name}");
            assert_eq!(tree, Tree::of_msgpack(&msgpack), "{name}");
        }
    }
}

#[test]
fn a_request_of_the_file_is_taken_and_a_refused_one_is_refused_as_stated() {
    let (cases, mut seen) = (cases::all(), 0);
    for vector in from_file() {
        let Some(msgpack) = &vector.msgpack else { continue };
        for (encoding, payload) in [(Encoding::Json, &vector.json), (Encoding::MessagePack, msgpack)] {
            let decoded = decode(encoding, payload, &Limits::default(), None);
            match cases.iter().find(|case| case.name == vector.name).map(|case| &case.proof) {
                Some(Proof::Takes(request)) => assert_eq!(decoded, [Incoming::Request((**request).clone())], "{}", vector.name),
                Some(Proof::Refuses(..)) => assert_eq!(outcome(&decoded), vector.refused, "{}: {decoded:?}", vector.name),
                Some(Proof::Says) => continue,
                None => panic!("{} is made by nothing", vector.name),
            }
            seen += 1;
        }
    }
    assert!(seen > 80, "the file has few vectors: {seen}");
}

/// What is stated of a refusal, in the words of the file; `None` if it is not one refusal.
fn outcome(decoded: &[Incoming]) -> Option<Tree> {
    let [Incoming::Refused { id, error }] = decoded else { return None };
    Some(native::tree::map([
        ("id", id.map_or(Tree::Null, |id| Tree::Int(i64::from(id)))),
        ("name", native::tree::text(error.code.name())),
        ("field", error.field.as_ref().map_or(Tree::Null, native::tree::text)),
    ]))
}

#[test]
fn every_op_push_and_code_has_a_vector() {
    let cases = cases::all();
    let words = |kind: &str, word: &str| -> BTreeSet<String> {
        let of_kind = cases.iter().filter(|case| case.kind == kind);
        of_kind.filter_map(|case| Tree::of_json(&case.json).get(word).map(|word| format!("{word:?}"))).collect()
    };
    let said = |word: &str| format!("{:?}", Tree::Text(word.to_owned()));
    assert_eq!(words("request", "op"), OPS.into_iter().map(said).collect());
    assert_eq!(words("push", "ev"), PUSHES.into_iter().map(said).collect());
    for row in REGISTRY {
        assert!(cases.iter().any(|case| case.name == format!("err: {}", row.name)), "{} has no vector", row.name);
    }
    assert_eq!(cases.iter().map(|case| &case.name).collect::<BTreeSet<_>>().len(), cases.len(), "a name stands twice");
}

#[test]
fn every_code_is_used_by_whoever_decides_it() {
    let core: Vec<Code> = rejections().iter().map(|rejected| WireError::from(rejected).code).collect();
    let read: Vec<Code> = cases::all()
        .into_iter()
        .filter_map(|case| match case.proof {
            Proof::Refuses(_, code, _) => Some(code),
            Proof::Takes(_) | Proof::Says => None,
        })
        .collect();
    let edge = sources(&root("src/edge"));
    for row in REGISTRY {
        let used = match row.origin {
            Origin::Core => core.contains(&row.code),
            Origin::Reading => read.contains(&row.code),
            Origin::Edge => edge.is_empty() || edge.contains(&format!("Code::{:?}", row.code)),
        };
        assert!(used, "nothing gives {} ({:?})", row.name, row.origin);
    }
    for code in core {
        assert!(matches!(code.row().origin, Origin::Core) || code == Code::Validation, "{}", code.name());
    }
}

/// All Rust text below a folder; empty if there is none.
fn sources(folder: &Path) -> String {
    let Ok(entries) = fs::read_dir(folder) else { return String::new() };
    let mut text = String::new();
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text += &fs::read_to_string(path).expect("a readable file");
        }
    }
    text
}

#[test]
fn the_list_of_errors_is_fresh() {
    fresh("docs/errors.md", &document());
}

/// The lines of the document's JSON examples.
fn examples(document: &str) -> Vec<&str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in document.lines() {
        match line {
            "```json" => inside = true,
            "```" => inside = false,
            _ if inside => lines.push(line),
            _ => {}
        }
    }
    lines
}

#[test]
fn the_documents_examples_are_vectors_and_every_frame_has_one() {
    let document = read("docs/protocol.md");
    let (examples, cases) = (examples(&document), cases::all());
    for example in &examples {
        assert!(cases.iter().any(|case| text(&case.json) == *example), "docs/protocol.md: not among the vectors: {example}");
    }
    for case in cases.iter().filter(|case| matches!(case.kind, "request" | "reply" | "push" | "http")) {
        let shown = examples.contains(&text(&case.json));
        assert!(shown || case.name.starts_with("push bye"), "docs/protocol.md has no example of {:?}:\n{}", case.name, text(&case.json));
    }
    for route in parlance::protocol::routes::routes() {
        let named = document.contains(&format!("`{} {}`", route.method, route.path)) || route.path == "/v1/ws";
        assert!(named && document.contains(route.path), "docs/protocol.md does not list {} {}", route.method, route.path);
    }
    for reason in cases::close_reasons() {
        let (code, reason) = parlance::protocol::close::close_code(&reason);
        assert!(document.contains(&format!("| {code} | {reason} |")), "docs/protocol.md does not list {code} {reason}");
    }
}

#[test]
fn the_links_of_the_documents_lead_somewhere() {
    let (protocol, errors) = (read("docs/protocol.md"), read("docs/errors.md"));
    let anchor = |heading: &str| -> String {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    let headings: Vec<String> =
        protocol.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#').trim())).collect();
    let targets = |document: &str| -> Vec<String> {
        document.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
    };
    for target in targets(&protocol).iter().chain(&targets(&errors)) {
        let found = match target.rsplit_once('#') {
            None => root("docs").join(target).exists(),
            Some(("errors.md", name)) => errors.contains(&format!("<a id=\"{name}\"></a>")),
            Some(("protocol.md", name)) => headings.iter().any(|heading| heading == name),
            Some(("", name)) => headings.iter().any(|heading| heading == name) || errors.contains(&format!("<a id=\"{name}\"></a>")),
            Some(_) => false,
        };
        assert!(found, "a link leads nowhere: {target}");
    }
}

#[test]
fn the_bodies_of_http_requests_are_read_strictly() {
    let sign_up = rest::decode_sign_up(br#"{"username":"ann","email":"ann@example.org","password":"correct horse"}"#).expect("valid");
    assert_eq!((sign_up.username.as_str(), sign_up.name.as_str()), ("ann", "ann"));
    let log_in = br#"{"email":"ann@example.org","password":"x"}"#;
    assert!(rest::decode_log_in(log_in).is_ok(), "a password that is compared may be short");
    assert_eq!(rest::decode_refresh(br#"{"refresh_token":"r1.x"}"#).map(|token| token.0), Ok("r1.x".to_owned()));
    let refused = |error: WireError| (error.code, error.field.map(String::from));
    let field = |name: &str| Some(name.to_owned());
    for (body, expected) in [
        (&br#"{"username":"ann","email":"ann@example.org","password":"short"}"#[..], (Code::Validation, field("password"))),
        (br#"{"username":"a b","email":"ann@example.org","password":"correct horse"}"#, (Code::Validation, field("username"))),
        (br#"{"username":"ann","email":"ann","password":"correct horse"}"#, (Code::Validation, field("email"))),
        (br#"{"email":"ann@example.org","password":"correct horse"}"#, (Code::Validation, field("username"))),
        (br#"{"username":"ann","email":"ann@example.org","password":"correct horse","admin":true}"#, (Code::Validation, field("admin"))),
        (br#"{"username":"ann","username":"ben","email":"a@b.c","password":"correct horse"}"#, (Code::Malformed, field("username"))),
        (b"[]", (Code::Malformed, None)),
        (b"", (Code::Malformed, None)),
        (b"\xff", (Code::Malformed, None)),
    ] {
        assert_eq!(rest::decode_sign_up(body).map(|_| ()).map_err(refused), Err(expected), "{}", String::from_utf8_lossy(body));
    }
    let both = br#"{"username":"ann","email":"ann@example.org","password":"x"}"#;
    assert_eq!(rest::decode_log_in(both).map(|_| ()).map_err(refused), Err((Code::Validation, field("email"))));
    let (status, problem) = rest::problem(WireError::new(Code::RateLimited).after(std::time::Duration::from_millis(1_500)), "r");
    assert_eq!(status.as_u16(), 429);
    assert_eq!(Tree::of_json(&problem).get("after_ms"), Some(&Tree::Int(1_500)));
}
