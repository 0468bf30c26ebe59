//! The table of ops against the decoder and the router, and the documents that are made from it against the repository
//! and against other people's readers of such documents.
#![expect(clippy::panic, reason = "a test ends by panicking; helpers stand outside #[test] functions")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use actors::id::UserId;
use actors::limits::Limits;
use parlance::protocol::asyncapi::{self, PUSHED};
use parlance::protocol::error::Code;
use parlance::protocol::openapi;
use parlance::protocol::request::{OPS, decode_op};
use parlance::protocol::routes::routes;
use parlance::protocol::twin::shape::{Field, Kind, Rest, Row, Rule};
use parlance::protocol::twin::table::TABLE;
use parlance::protocol::value::Value;
use parlance::protocol::wire::PUSHES;
use serde_json::json;

/// Ops that are of the connection, and so of the socket alone.
const SOCKET_ONLY: [&str; 4] = ["auth", "auth.refresh", "hb", "presence.watch"];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares a generated file with the one in the repository.
fn fresh(path: &str, generated: &str) {
    if fs::read_to_string(root(path)).unwrap_or_default() != generated {
        let left = Path::new(env!("CARGO_TARGET_TMPDIR")).join(Path::new(path).file_name().expect("a file"));
        fs::write(&left, generated).expect("the temporary folder takes a file");
        assert!(path.is_empty(), "{path} is not what the code makes of it; look at the difference, then copy {} over it", left.display());
    }
}

#[test]
fn every_op_has_its_row_and_every_row_an_op() {
    let mut ops: Vec<&str> = TABLE.iter().map(|row| row.op).collect();
    ops.dedup();
    assert_eq!(ops, OPS, "the table has the ops in their order");
    for row in TABLE {
        match row.rest {
            Rest::Route(route) => {
                assert!(!SOCKET_ONLY.contains(&row.op), "{}", row.op);
                assert!([200, 201, 202, 204].contains(&route.status) && route.path.starts_with("/v1/"), "{}", row.op);
                for name in route.in_path() {
                    assert!(row.fields.iter().any(|field| field.name == name && field.needed), "{}: {{{name}}} is no field", row.op);
                }
                let in_query = row.beyond_path().filter(|_| !route.verb.has_body());
                for field in in_query {
                    assert!(!matches!(field.kind, Kind::Object(_) | Kind::Any), "{}: {} does not fit a query", row.op, field.name);
                }
            }
            Rest::None(why) => assert!(SOCKET_ONLY.contains(&row.op) && why.len() > 10, "{} has no twin: {why}", row.op),
        }
        assert!(row.summary.ends_with('.'), "{}", row.op);
    }
}

#[test]
fn no_two_rows_share_a_route_or_a_name() {
    let of_ops = TABLE.iter().filter_map(|row| row.route()).map(|route| (route.verb.as_str().to_owned(), template(route.path)));
    let plain = routes().into_iter().map(|route| (route.method.to_string(), template(route.path)));
    let all: Vec<_> = of_ops.chain(plain).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
    let names: Vec<_> = TABLE.iter().filter(|row| row.route().is_some()).map(Row::operation).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

/// A path with its parameters unnamed, as a router tells paths apart.
fn template(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

fn sample(kind: Kind) -> Value<'static> {
    match kind {
        Kind::Text(min, max) => Value::Text("x".repeat(min.max(1).min(max)).into()),
        Kind::Email => Value::Text("ann@example.org".into()),
        Kind::Number(min, _) => Value::from_u64(min.max(1)),
        Kind::Flag => Value::Bool(true),
        Kind::Word(words) => Value::Text(words[0].into()),
        Kind::Hex | Kind::Picture => Value::Text("0123456789abcdef0123456789abcdef".into()),
        Kind::Conv => Value::Text("d7-9".into()),
        Kind::User => Value::Int(9),
        Kind::List(item) => Value::List(vec![sample(*item)]),
        Kind::Cursor => Value::List(vec![Value::Int(3), Value::Int(4)]),
        Kind::Cursors => Value::List(vec![Value::List(vec![Value::Text("d7-9".into()), Value::Int(3), Value::Int(4)])]),
        Kind::Object(fields) => object(fields.iter().collect::<Vec<_>>().as_slice()),
        Kind::Any => Value::Bool(true),
    }
}

fn object(fields: &[&Field]) -> Value<'static> {
    Value::Map(fields.iter().map(|field| (field.name.into(), sample(field.kind))).collect())
}

/// The code and field of the refusal that the decoder gives; nothing if it takes it.
fn refusal(op: &str, d: Value<'_>) -> Option<(Code, Option<String>)> {
    let viewer = UserId::new(7).expect("valid");
    decode_op(op, d, &Limits::default(), viewer).err().map(|error| (error.code, error.field.map(std::borrow::Cow::into_owned)))
}

/// The table describes what the decoder takes: every field is known to it, those that are needed are missed by name,
/// and the least and the most of each form are where the table says.
#[test]
fn the_table_says_what_the_decoder_takes() {
    for row in TABLE {
        let all: Vec<&Field> = row.fields.iter().collect();
        let mut needed: Vec<&Field> = row.fields.iter().filter(|field| field.needed).collect();
        let optional = row.fields.iter().find(|field| !field.needed);
        match row.rule {
            Rule::Free => {}
            Rule::Some | Rule::One => {
                assert!(refusal(row.op, object(&needed)).is_some(), "{}: without any that may be left out it says nothing", row.op);
                needed.extend(optional);
            }
        }
        assert_eq!(refusal(row.op, object(&needed)), None, "{}: what is needed is enough", row.op);
        for field in &all {
            let beside = |other: &&Field| other.name != field.name && (row.rule != Rule::One || other.needed || field.needed);
            let mut some: Vec<&Field> = needed.iter().copied().filter(beside).collect();
            some.push(field);
            assert_eq!(refusal(row.op, object(&some)), None, "{}: {} is known", row.op, field.name);
            let Value::Map(mut wrong) = object(&some) else { unreachable!("an object") };
            for (name, value) in &mut wrong {
                if name == field.name {
                    *value = Value::Float(0.5);
                }
            }
            if !matches!(field.kind, Kind::Any) {
                let (code, name) = refusal(row.op, Value::Map(wrong)).expect("half is no value of any form");
                assert!(name.is_some_and(|name| name.starts_with(field.name)) && code == Code::Validation, "{} {}", row.op, field.name);
            }
        }
        for missing in needed.iter().filter(|field| field.needed) {
            let rest: Vec<&Field> = needed.iter().filter(|field| field.name != missing.name).copied().collect();
            let refused = refusal(row.op, object(&rest));
            let others = TABLE.iter().filter(|other| other.op == row.op).count();
            assert!(
                others > 1 || refused == Some((Code::Validation, Some(missing.name.to_owned()))),
                "{} without {}: {refused:?}",
                row.op,
                missing.name
            );
            assert!(refused.is_some(), "{} without {}", row.op, missing.name);
        }
        let Value::Map(mut unknown) = object(&needed) else { unreachable!("an object") };
        unknown.push(("is_staff".into(), Value::Bool(true)));
        assert_eq!(refusal(row.op, Value::Map(unknown)), Some((Code::Validation, Some("is_staff".to_owned()))), "{}", row.op);
    }
}

#[test]
fn every_push_is_described() {
    assert_eq!(PUSHED.iter().map(|(push, ..)| *push).collect::<Vec<_>>(), PUSHES);
}

#[test]
fn the_document_of_rest_is_fresh_and_has_every_route() {
    fresh("docs/openapi.json", openapi::document());
    let document: serde_json::Value = serde_json::from_str(openapi::document()).expect("JSON");
    let of_ops = TABLE.iter().filter_map(|row| row.route()).map(|route| (route.verb.as_str().to_lowercase(), route.path));
    let plain = routes().into_iter().map(|route| (route.method.as_str().to_lowercase(), route.path));
    for (method, path) in of_ops.chain(plain) {
        let operation = &document["paths"][path][&method];
        assert!(operation["operationId"].is_string() && operation["security"].is_array(), "{method} {path}");
        assert!(operation["responses"]["401"].is_object(), "{method} {path}");
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        assert!(body.is_null() || body["additionalProperties"] == json!(false), "{method} {path}");
    }
    unresolved(&document, &document);
}

/// Every reference leads somewhere.
fn unresolved(document: &serde_json::Value, at: &serde_json::Value) {
    match at {
        serde_json::Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(serde_json::Value::as_str) {
                let pointer = reference.strip_prefix('#').expect("references stay in the document");
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            fields.values().for_each(|field| unresolved(document, field));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| unresolved(document, item)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) | serde_json::Value::String(_) => {}
    }
}

#[test]
fn the_table_of_routes_in_the_documentation_is_fresh() {
    let text = fs::read_to_string(root("docs/protocol.md")).expect("docs/protocol.md");
    let (before, rest) = text.split_once("<!-- routes -->\n").expect("the table's beginning is marked");
    let (_, after) = rest.split_once("<!-- end of routes -->\n").expect("its end is marked");
    fresh("docs/protocol.md", &format!("{before}<!-- routes -->\n{}<!-- end of routes -->\n{after}", openapi::table()));
}

/// P50: the document of the socket is what the code makes of it, and the specification's own parser has nothing to say.
/// Needs Node 20 and npm, which fetches the parser by its lock file.
#[test]
fn the_document_of_the_socket_is_fresh_and_its_parser_is_content() {
    fresh("docs/asyncapi.json", asyncapi::document());
    let document: serde_json::Value = serde_json::from_str(asyncapi::document()).expect("JSON");
    unresolved(&document, &document);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("asyncapi");
    fs::create_dir_all(&folder).expect("a folder");
    for name in ["package.json", "package-lock.json", "check.mjs"] {
        fs::copy(root("tests/asyncapi").join(name), folder.join(name)).expect("copied");
    }
    let lock = fs::read(folder.join("package-lock.json")).expect("a lock file");
    if fs::read(folder.join("installed.json")).ok().as_ref() != Some(&lock) {
        run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder));
        fs::write(folder.join("installed.json"), &lock).expect("noted");
    }
    let said = run(Command::new("node").arg("check.mjs").arg(root("docs/asyncapi.json")).current_dir(&folder));
    assert!(said.contains("operations"), "{said}");
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be run ({error}): install Node 20 or later with npm, and run the test again"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    said
}
