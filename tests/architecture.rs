//! The layers as data, compared with the sources; and the promises of ARCHITECTURE.md, compared with the tests.
//!
//! The tables say who may name whom. A change of design changes a table here in the same commit, and that is the point:
//! a second user of a database driver is a decision, not an import. Nothing here judges length; it prints the longest
//! files for whoever looks.
#![expect(clippy::panic, reason = "a test ends by panicking; helpers stand outside #[test] functions")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a foreign crate may be named: below one of these paths. What is not listed may be named nowhere.
const FOREIGN: &[(&str, &[&str])] = &[
    // the actor kit and its map: the shells of the core alone
    ("ractor", &["actors/src/"]),
    ("dashmap", &["actors/src/"]),
    // sockets and HTTP: the edge, and the command that asks a running node; a translator may use the types of `http`
    ("hyper", &["src/edge/", "src/cli/export.rs", "src/cli/account.rs", "src/cli/node.rs"]),
    ("hyper_util", &["src/edge/", "src/cli/node.rs"]),
    ("http_body_util", &["src/edge/", "src/cli/export.rs", "src/cli/account.rs", "src/cli/node.rs"]),
    ("axum", &["src/edge/"]),
    ("tokio_tungstenite", &["src/edge/", "bench/"]),
    ("futures_util", &["src/edge/", "src/media/", "src/cli/", "bench/"]),
    ("http", &["src/edge/", "src/protocol/", "src/cli/"]),
    ("multer", &["src/edge/media.rs"]),
    // the bytes of files, and images
    ("object_store", &["src/media/depot.rs"]),
    ("image", &["src/media/darkroom.rs"]),
    // one store, one place
    ("fjall", &["src/store/embedded/"]),
    ("crc32fast", &["src/store/"]),
    ("xxhash_rust", &["src/store/"]),
    // passwords, tokens, and the one provider of cryptography
    ("argon2", &["src/auth/"]),
    ("jsonwebtoken", &["src/auth/"]),
    ("aws_lc_rs", &["src/auth/", "src/app.rs", "src/archive/"]),
    // formats: where foreign bytes become values
    ("serde", &["src/protocol/", "src/archive/", "src/store/", "src/auth/", "src/config.rs", "src/cli/", "bench/"]),
    ("serde_json", &["src/protocol/", "src/archive/", "src/auth/", "src/cli/", "bench/"]),
    ("serde_bytes", &["src/protocol/", "src/store/"]),
    ("rmp_serde", &["src/protocol/", "src/store/", "bench/"]),
    ("utoipa", &["src/protocol/"]), // schemas from the wire types
    ("base64", &["src/protocol/", "src/archive/", "src/auth/"]),
    // settings, arguments, metrics, logs
    ("figment", &["src/config.rs"]),
    ("clap", &["src/main.rs", "src/cli/", "bench/"]),
    ("indicatif", &["src/cli/progress.rs"]),
    ("metrics", &["src/metrics.rs", "src/edge/"]), // the edge holds handles; names stand in metrics.rs alone
    ("metrics_exporter_prometheus", &["src/metrics.rs"]),
    ("tracing_subscriber", &["src/app.rs", "src/main.rs", "src/cli/"]),
    ("tikv_jemallocator", &["src/main.rs", "bench/"]),
    ("tikv_jemalloc_ctl", &["src/metrics.rs"]),
    // the load of the benches; folders of tests, beside the code or in the benches
    ("mio", &["bench/"]),
    ("socket2", &["bench/"]),
    ("tempfile", &["src/", "bench/"]),
    ("anyhow", &["src/main.rs", "src/app.rs", "src/cli/", "bench/"]),
    // of use to many; the layers below narrow them
    ("tokio", &["src/", "actors/src/", "bench/"]),
    ("tracing", &["src/", "actors/src/"]),
    ("bytes", &["src/", "actors/src/", "bench/"]),
    ("thiserror", &["src/", "actors/src/"]),
    ("uuid", &["src/", "actors/src/"]),
    ("actors", &["src/", "bench/"]),
    ("parlance", &["src/main.rs", "src/cli/", "bench/"]),
];

/// A part of the server's package: which of its siblings, and which foreign crates beyond the general ones, it may not name.
struct Part {
    /// The path that it lives under.
    under: &'static str,
    /// What it may name of `crate::` besides itself, `config` and `metrics`; `None` stands for everything.
    siblings: Option<&'static [&'static str]>,
    /// Foreign crates of the table above that it must do without all the same.
    without: &'static [&'static str],
    /// Whether it may name the core's shells (`actors::node`), or only its words and ports.
    shells: bool,
}

/// From the words of the package up to the composition root.
const PARTS: &[Part] = &[
    Part { under: "src/config.rs", siblings: Some(&[]), without: &["tokio", "tracing"], shells: false },
    Part { under: "src/metrics.rs", siblings: Some(&[]), without: &["tokio"], shells: false },
    Part { under: "src/protocol/", siblings: Some(&[]), without: &["tokio", "tracing"], shells: false },
    Part { under: "src/archive/", siblings: Some(&[]), without: &["tokio", "tracing"], shells: false },
    Part { under: "src/store/", siblings: Some(&[]), without: &[], shells: false },
    Part { under: "src/media/", siblings: Some(&[]), without: &[], shells: false },
    Part { under: "src/auth/", siblings: Some(&[]), without: &[], shells: false },
    Part { under: "src/edge/", siblings: Some(&["protocol", "archive"]), without: &[], shells: true },
    Part { under: "src/app.rs", siblings: None, without: &[], shells: true },
    Part { under: "src/cli/", siblings: None, without: &[], shells: true },
    Part { under: "src/main.rs", siblings: None, without: &[], shells: true },
    Part { under: "src/lib.rs", siblings: None, without: &[], shells: true },
];

/// The core's words and ports: what an adapter may name of it.
const WORDS: &[&str] = &[
    "account",
    "archive",
    "bits",
    "command",
    "content",
    "credential",
    "entry",
    "event",
    "id",
    "kind",
    "limits",
    "media",
    "outbound",
    "rejected",
    "relation",
    "search",
    "session",
    "store",
    "telemetry",
    "time",
    "view",
];
/// Words that hold a queue or the way back of an answer, and so a primitive of `tokio::sync`.
const WORDS_WITH_QUEUES: &[&str] = &["actors/src/outbound.rs", "actors/src/session.rs"];
/// The core's shells: where `ractor`, `tokio`, `tracing` and `dashmap` may be named. Everything else of the core is a pure rule.
const SHELLS: &[&str] = &[
    "/actor.rs",
    "/mail.rs",
    "/answer/",
    "/testkit/",
    "actors/src/node.rs",
    "actors/src/directory.rs",
    "actors/src/supervisor.rs",
    "actors/src/task.rs",
    "actors/src/log/scribe.rs",
    "actors/src/numbers.rs",
    "actors/src/rates.rs",
    "actors/src/files.rs",
    "actors/src/accounts/",
    "actors/src/home/notes.rs",
    "actors/src/home/wishes.rs",
    "actors/src/cards.rs",
    "actors/src/totals.rs",
    "actors/src/conversation/crowd.rs",
    "actors/src/conversation/errand.rs",
    "actors/src/conversation/relate.rs",
    "actors/src/conversation/requests.rs",
    "actors/src/conversation/load.rs",
    "actors/src/conversation/signals.rs",
    "actors/src/conversation/commit.rs",
];
/// What a pure rule does without.
const IMPURE: &[&str] = &["ractor", "tokio", "tracing", "dashmap"];

/// Crates that `actors` must not reach, however indirectly.
const UNREACHABLE: &[&str] =
    &["hyper", "axum", "mio", "socket2", "tungstenite", "tokio-tungstenite", "fjall", "tonic", "scylla", "ractor_cluster", "openssl"];

struct Source {
    path: String,
    text: String,
    /// The text without comments, literals and its unit tests.
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in ["src", "actors/src", "actors/tests", "bench", "tests"] {
        collect(&root().join(folder), &mut found);
    }
    found.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let relative = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        let code = if relative.ends_with("/tests.rs") { String::new() } else { without_tests(&bare(&text)) };
        Source { path: relative, text, code }
    };
    found.into_iter().map(read).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The text with comments and literals blanked out.
fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped(rest);
        if skipped > 0 {
            out.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
            out.push(' ');
            rest = &rest[skipped..];
            continue;
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

/// How many bytes of a comment or literal stand here; 0 if there is none.
fn skipped(rest: &str) -> usize {
    let until = |open: usize, end: &str| rest[open..].find(end).map_or(rest.len(), |at| open + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until(2, "*/");
    }
    if let Some(raw) = rest.strip_prefix("r\"").or_else(|| rest.strip_prefix("br\"")) {
        return rest.len() - raw.len() + raw.find('"').map_or(raw.len(), |at| at + 1);
    }
    if rest.starts_with("r#\"") || rest.starts_with("br#\"") {
        return until(4, "\"#");
    }
    if let Some(inner) = rest.strip_prefix('"') {
        return 1 + quoted(inner);
    }
    // A character, not a lifetime.
    let mut chars = rest.char_indices();
    if chars.next().is_some_and(|(_, c)| c == '\'') {
        let Some((_, inner)) = chars.next() else { return 0 };
        if inner == '\\' {
            return 3 + rest.get(3..).and_then(|rest| rest.find('\'')).map_or(0, |at| at + 1);
        }
        return chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1);
    }
    0
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The code above its unit tests, which stand last in a file (style: tests at the end).
fn without_tests(code: &str) -> String {
    let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    code[..end].to_owned()
}

/// The paths that code names, by their first two segments.
fn paths(code: &str) -> BTreeSet<(String, String)> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = BTreeSet::new();
    let mut plain = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        plain.push_str(&rest[..at]);
        if plain.ends_with(word) {
            plain.push_str("use ");
            rest = &rest[at + 4..];
            continue;
        }
        let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
        opened("", &rest[at + 4..end], &mut found);
        rest = &rest[end..];
    }
    plain.push_str(rest);
    for (at, _) in plain.match_indices("::") {
        let before = &plain[..at];
        let first = &before[before.rfind(|c| !word(c)).map_or(0, |end| end + 1)..];
        if !first.is_empty() && !before[..before.len() - first.len()].ends_with("::") {
            found.insert((first.to_owned(), plain[at + 2..].chars().take_while(|c| word(*c)).collect()));
        }
    }
    found
}

/// A tree of imports, its groups opened.
fn opened(prefix: &str, tree: &str, found: &mut BTreeSet<(String, String)>) {
    let (mut depth, mut start) = (0_u32, 0);
    let Some(brace) = tree.find('{') else {
        let path = format!("{prefix}{}", tree.trim());
        let mut segments = path.split("::").map(|segment| segment.split_whitespace().next().unwrap_or_default().to_owned());
        found.insert((segments.next().unwrap_or_default(), segments.next().unwrap_or_default()));
        return;
    };
    let head = format!("{prefix}{}", tree[..brace].trim());
    let group = &tree[brace + 1..tree.rfind('}').unwrap_or(tree.len())];
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[start..at].trim().is_empty() {
                    opened(&head, &group[start..at], found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The crates that the manifests name, as code spells them.
fn dependencies() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for manifest in ["Cargo.toml", "actors/Cargo.toml", "bench/Cargo.toml"] {
        let text = fs::read_to_string(root().join(manifest)).expect("a manifest");
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with('[') {
                inside = line == "[dependencies]";
            } else if let (true, Some((name, _))) = (inside, line.split_once([' ', '.', '='])) {
                names.insert(name.replace('-', "_"));
            }
        }
    }
    names.remove("");
    names.remove("#");
    names
}

fn judge(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn foreign_crates_are_named_only_where_the_table_allows() {
    let mut faults = Vec::new();
    for name in dependencies() {
        if !FOREIGN.iter().any(|(known, _)| *known == name) {
            faults.push(format!("{name} is a dependency and stands in no row of the table: say where it may be named"));
        }
    }
    for source in sources().iter().filter(|source| !source.path.contains("tests/")) {
        let named = paths(&source.code);
        let own = |name: &str| named.contains(&("crate".to_owned(), name.to_owned())) || source.code.contains(&format!("mod {name};"));
        for (name, places) in FOREIGN {
            let uses = named.iter().any(|(first, _)| first == name) && !own(name);
            if uses && !places.iter().any(|place| source.path.starts_with(place)) {
                faults.push(format!("{} names {name}, which may be named in {places:?} alone", source.path));
            }
        }
    }
    judge(&faults);
}

#[test]
fn arrows_point_inward_in_the_server() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("src/") && !source.path.contains("/tests/")) {
        let Some(part) = PARTS.iter().find(|part| source.path.starts_with(part.under)) else {
            faults.push(format!("{} belongs to no part of the table", source.path));
            continue;
        };
        let own = part.under.trim_start_matches("src/").trim_end_matches('/').trim_end_matches(".rs");
        for (first, second) in paths(&source.code) {
            let allowed = |siblings: &[&str]| {
                second == own || ["config", "metrics"].contains(&second.as_str()) || siblings.contains(&second.as_str())
            };
            if first == "crate" && part.siblings.is_some_and(|siblings| !allowed(siblings)) {
                faults.push(format!("{} names its sibling {second}", source.path));
            }
            if first == "crate" && own == second && ["config", "metrics"].contains(&own) {
                continue;
            }
            if first == "actors" && !part.shells && !WORDS.contains(&second.as_str()) {
                faults.push(format!("{} names actors::{second}, which is no word and no port of the core", source.path));
            }
            if part.without.contains(&first.as_str()) {
                faults.push(format!("{} names {first}: this part does without", source.path));
            }
        }
    }
    judge(&faults);
}

#[test]
fn the_cores_rules_are_pure() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("actors/src/")) {
        let shell = SHELLS.iter().any(|mark| source.path.contains(mark));
        let queue = WORDS_WITH_QUEUES.contains(&source.path.as_str());
        for (first, second) in paths(&source.code) {
            let pure = !IMPURE.contains(&first.as_str()) || shell || (queue && first == "tokio" && second == "sync");
            if !pure {
                faults.push(format!("{} names {first}::{second}: only a shell may", source.path));
            }
            let outside = ["fs", "net", "env", "process"].contains(&second.as_str());
            if first == "std" && outside {
                faults.push(format!("{} names std::{second}: the core does no I/O", source.path));
            }
            let word = source.path.trim_start_matches("actors/src/").trim_end_matches(".rs");
            if WORDS.contains(&word) && first == "crate" && !WORDS.contains(&second.as_str()) {
                faults.push(format!("{} is a word and names {second}, which is none", source.path));
            }
        }
    }
    judge(&faults);
}

#[test]
fn the_core_reaches_no_socket_disk_or_cluster() {
    let tree = |edges: &str| {
        let arguments = ["tree", "--package", "actors", "--edges", edges, "--prefix", "none", "--locked", "--offline"];
        let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let reached = tree("normal");
    assert!(reached.contains("ractor v"), "the tree was read: {reached}");
    let names: BTreeSet<&str> = reached.lines().filter_map(|line| line.split(' ').next()).collect();
    let forbidden: Vec<_> = UNREACHABLE.iter().filter(|name| names.contains(*name)).collect();
    assert!(forbidden.is_empty(), "actors reaches {forbidden:?}");
    let features = tree("normal,features");
    for (name, feature) in [("tokio", "net"), ("tokio", "fs"), ("tokio", "process"), ("tokio", "full"), ("ractor", "cluster")] {
        let line = format!("{name} feature \"{feature}\"");
        assert!(!features.lines().any(|found| found.starts_with(&line)), "actors is built with {line}");
    }
}

/// The licences, sources and bans of `.deny.toml`, judged with what Cargo itself knows: building cargo-deny takes longer
/// than everything else in the pipeline together. Whoever has it may run `cargo deny check bans licenses sources`.
#[test]
fn what_is_in_the_tree_may_be_there() {
    let rules = fs::read_to_string(root().join(".deny.toml")).expect(".deny.toml");
    let licences: BTreeSet<&str> =
        rules.lines().find_map(|line| line.strip_prefix("allow = [")).expect("a list").split('"').skip(1).step_by(2).collect();
    let banned: BTreeSet<&str> = rules
        .lines()
        .filter(|line| !line.contains("wrappers"))
        .filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next())
        .collect();
    assert!(banned.contains("openssl") && licences.contains("MIT"), "the rules were read");

    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", "x86_64-unknown-linux-gnu"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree: serde_json::Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let used: BTreeSet<&str> = tree["resolve"]["nodes"].as_array().expect("nodes").iter().filter_map(|node| node["id"].as_str()).collect();
    // Metadata names what a feature of a feature might bring in as well; `cargo tree` what is really built.
    let arguments = ["tree", "--workspace", "--edges", "all", "--prefix", "none", "--locked", "--offline"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let built = String::from_utf8_lossy(&output.stdout).into_owned();
    let built: BTreeSet<&str> = built.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(built.contains("aws-lc-rs"), "the tree was read");
    let mut faults: Vec<_> = built.intersection(&banned).map(|name| format!("{name} is banned")).collect();
    for package in
        tree["packages"].as_array().expect("packages").iter().filter(|package| package["id"].as_str().is_some_and(|id| used.contains(id)))
    {
        let name = package["name"].as_str().unwrap_or_default();
        if package["source"].as_str().is_some_and(|source| !source.starts_with("registry+https://github.com/rust-lang/crates.io-index")) {
            faults.push(format!("{name} comes from {}", package["source"]));
        }
        let licence = package["license"].as_str().unwrap_or_default().replace('/', " OR ").replace(['(', ')'], "");
        let allowed = licence.split(" OR ").any(|choice| choice.split(" AND ").all(|part| licences.contains(part.trim())));
        if !allowed {
            faults.push(format!("{name} is licensed as {licence:?}"));
        }
    }
    judge(&faults);
}

#[test]
fn every_file_says_what_it_is_and_leaves_nothing_open() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[", "ignore"), concat!("unbounded_", "channel"), concat!("XX", "X")];
    let mut faults = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            faults.push(format!("{} does not open with //!", source.path));
        }
        for mark in marks {
            if source.text.contains(mark) {
                faults.push(format!("{} contains {mark}", source.path));
            }
        }
        let reads = paths(&source.code).iter().any(|(first, second)| first == "env" && second.starts_with("var"))
            || source.code.contains("std::env::var");
        if reads && source.path != "src/config.rs" && !source.path.contains("tests/") && !source.path.starts_with("bench/") {
            faults.push(format!("{} reads the environment, which config.rs alone does", source.path));
        }
    }
    judge(&faults);
}

#[test]
fn the_longest_files_are_printed() {
    let mut lengths: Vec<_> = sources().iter().map(|source| (source.code.lines().count(), source.path.clone())).collect();
    lengths.sort_unstable_by(|one, other| other.cmp(one));
    assert!(lengths.len() > 10);
    let printed: Vec<_> = lengths.iter().take(10).map(|(lines, path)| format!("{lines:>5} {path}")).collect();
    #[expect(clippy::print_stdout, reason = "that is what it is for")]
    {
        println!("the ten longest files, unit tests not counted; guidance is 400, and past 500 a second noun:\n{}", printed.join("\n"));
    }
}

#[test]
fn every_promise_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let all: String = sources().into_iter().map(|source| source.text).collect();
    let mut faults = Vec::new();
    for number in 1..=10 {
        let head = format!("| G{number} |");
        let Some(row) = text.lines().find(|line| line.starts_with(&head)) else {
            faults.push(format!("G{number} has no row"));
            continue;
        };
        let proof = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let named: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        if named.is_empty() && !proof.contains("not yet promised") {
            faults.push(format!("G{number} neither names a test nor says \"not yet promised\": {proof}"));
        }
        for name in named.iter().filter(|name| !all.contains(&format!("fn {name}("))) {
            faults.push(format!("G{number} names {name}, and there is no such function"));
        }
    }
    judge(&faults);
}

#[test]
fn the_readmes_test_command_is_what_the_pipeline_runs() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let pipeline = fs::read_to_string(root().join(".ci/run")).expect(".ci/run");
    let command = "cargo test --workspace";
    assert!(readme.lines().any(|line| line.trim() == command), "the README's test command is `{command}`");
    assert!(pipeline.contains(command), "the pipeline runs it");
}

#[test]
fn the_readers_of_code_read_code() {
    let code = "pub(crate) use crate::{a::B, c, d::{e, f as g},};\nuse bytes;\nlet x = std::fs::read(\"hyper::y\"); // axum::z\nfoo::<Vec<u8>>(); 'q: loop { break 'q }; let c = '\"'; super::g::h()";
    let found = paths(&without_tests(&bare(code)));
    let named: Vec<_> = found.iter().map(|(first, second)| format!("{first} {second}")).collect();
    assert_eq!(named, ["bytes ", "crate a", "crate c", "crate d", "foo ", "std fs", "super g"]);
}
