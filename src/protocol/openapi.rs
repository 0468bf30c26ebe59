//! The OpenAPI 3.1 document of everything over HTTP, made from the tables and the wire types; `docs/openapi.json`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use actors::id::NUMBER_MAX;
use serde_json::{Map, Value, json};

use crate::protocol::media::AttachmentBody;
use crate::protocol::registry::{REGISTRY, Retry};
use crate::protocol::rest::{JSON, PROBLEM_JSON, ProblemBody, TokensBody};
use crate::protocol::routes::{Endpoint, Needs, Route as PlainRoute, routes};
use crate::protocol::schemas::{Place, collect, object, of, reference, written};
use crate::protocol::sse;
use crate::protocol::twin::shape::{Answer, Field, KEY, Kind, Route, Row, Rule, may, need};
use crate::protocol::twin::table::TABLE;
use crate::protocol::wire::Account;

const TOKENS: Answer = Answer::of::<TokensBody<'static>>();
const ME: Answer = Answer::of::<Account<'static>>();
const FILE: Answer = Answer::of::<AttachmentBody<'static>>();
const PROBLEM: Answer = Answer::of::<ProblemBody<'static>>();

const PASSWORD: Field = need("password", Kind::Text(8, 1_024));
const REFRESH_TOKEN: &[Field] = &[need("refresh_token", Kind::Text(1, 8_192))];
const SIGN_UP: &[Field] = &[need("username", Kind::Text(1, 150)), need("email", Kind::Email), PASSWORD, may("name", Kind::Text(0, 150))];
const LOG_IN: &[Field] = &[may("username", Kind::Text(1, 150)), may("email", Kind::Email), need("password", Kind::Text(0, 8_192))];

/// What an answer has in its body.
enum Said {
    Json(Answer),
    Document,
    Events,
    Bytes,
    Nothing,
}

/// What is said of an endpoint that is no twin of an op.
struct Described {
    name: &'static str,
    summary: &'static str,
    body: &'static [Field],
    status: u16,
    said: Said,
}

fn described(endpoint: Endpoint) -> Described {
    let described = |name, summary, body, status, said| Described { name, summary, body, status, said };
    match endpoint {
        Endpoint::SignUp => described("accounts.sign_up", "Makes an account and logs it in.", SIGN_UP, 201, Said::Json(TOKENS)),
        Endpoint::LogIn => described("accounts.log_in", "Begins a login, by username or by address.", LOG_IN, 200, Said::Json(TOKENS)),
        Endpoint::Refresh => {
            described("accounts.refresh", "Draws new tokens; a refresh token is good once.", REFRESH_TOKEN, 200, Said::Json(TOKENS))
        }
        Endpoint::LogOut => described("accounts.log_out", "Ends a login and its connections.", REFRESH_TOKEN, 204, Said::Nothing),
        Endpoint::Me => described("accounts.me", "The own account.", &[], 200, Said::Json(ME)),
        Endpoint::Socket => described(
            "socket",
            "The WebSocket; asyncapi.json describes it. Offer the subprotocol `parlance.v1+json` or `parlance.v1+msgpack`.",
            &[],
            101,
            Said::Nothing,
        ),
        Endpoint::Events => {
            described("events", "The pushes of the socket as server-sent events, until the token ends.", &[], 200, Said::Events)
        }
        Endpoint::Upload => {
            described("media.upload", "Takes a file in; what it is the server finds out by itself.", &[], 201, Said::Json(FILE))
        }
        Endpoint::File => described("media.get", "The bytes of a file, whole or in part.", &[], 200, Said::Bytes),
        Endpoint::Thumbnail => described("media.thumbnail", "The small image of an image.", &[], 200, Said::Bytes),
        Endpoint::Attached => described(
            "media.of_message",
            "The bytes of a file of a message, counted from 0, for whoever may read it.",
            &[],
            200,
            Said::Bytes,
        ),
        Endpoint::AttachedThumbnail => {
            described("media.thumbnail_of_message", "The small image of an image of a message.", &[], 200, Said::Bytes)
        }
        Endpoint::EraseFile => described("media.erase", "Erases a file.", &[], 204, Said::Nothing),
        Endpoint::OpenApi => described("openapi", "This document.", &[], 200, Said::Document),
        Endpoint::AsyncApi => described("asyncapi", "The description of the socket.", &[], 200, Said::Document),
    }
}

/// The document, as it is served.
pub fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| written(&made()));
    &DOCUMENT
}

fn made() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut place = |path: &str, method: &str, operation: Value| {
        let item = paths.entry(path.to_owned()).or_insert_with(|| json!({}));
        item[method.to_lowercase()] = operation;
    };
    for route in routes() {
        place(route.path, route.method.as_str(), plain(&route));
    }
    for (row, route) in TABLE.iter().filter_map(|row| Some((row, row.route()?))) {
        place(route.path, route.verb.as_str(), twin(row, route));
    }
    let answers = TABLE.iter().filter(|row| row.route().is_some()).map(|row| &row.answer);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Parlance",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The native protocol over HTTP. Every op of the socket that is not of the connection has its twin here, with the same fields, answers and refusals.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": collect(answers.chain([&TOKENS, &ME, &FILE, &PROBLEM])),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "An access token."}},
            "responses": refusals(),
            "headers": {
                "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 1}},
                "RateLimit-Policy": {"description": "The rates that the path is held to: bucket, quota (q), window in seconds (w).", "schema": {"type": "string"}},
                "RateLimit": {"description": "On a refusal for a rate: the bucket, what is left of it (r), and the seconds until there is more (t).", "schema": {"type": "string"}},
            },
        },
    })
}

fn plain(route: &PlainRoute) -> Value {
    let Described { name, summary, body, status, said } = described(route.endpoint);
    let mut operation = json!({"operationId": name, "summary": summary, "tags": [tag(name)]});
    operation["security"] = match route.needs {
        Needs::Nothing => json!([]),
        Needs::Bearer => json!([{"bearer": []}]),
    };
    if !body.is_empty() {
        operation["requestBody"] = body_of(object(body.iter(), Rule::Free), true);
    }
    let mut parameters: Vec<_> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": in_plain_path(name)}))
        .collect();
    if route.endpoint == Endpoint::Upload {
        let word = |name, schema: Value| json!({"name": name, "in": "query", "required": false, "schema": schema});
        parameters.push(word("name", json!({"type": "string"})));
        parameters.push(word("purpose", json!({"type": "string", "enum": ["attachment", "picture"]})));
        parameters.push(word("expires_in", json!({"type": "integer", "minimum": 1})));
        operation["requestBody"] = json!({"required": false, "content": {"application/octet-stream": {"schema": {}}}});
    }
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    let content = match said {
        Said::Json(answer) => Some(json!({JSON: {"schema": reference(&answer)}})),
        Said::Document => Some(json!({JSON: {"schema": {"type": "object"}}})),
        Said::Bytes => Some(json!({"*/*": {"schema": {}}})),
        Said::Events => Some(json!({sse::MEDIA_TYPE: {"schema": {"type": "string"}}})),
        Said::Nothing => None,
    };
    operation["responses"] = responses(status, content, false);
    operation
}

/// What may stand in the braces of a path that is no twin's.
fn in_plain_path(name: &str) -> Value {
    match name {
        "conv" => of(Kind::Conv, Place::Parameter),
        "seq" => of(Kind::Number(1, NUMBER_MAX), Place::Parameter),
        "n" => json!({"type": "integer", "minimum": 0}),
        _ => json!({"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    }
}

fn twin(row: &Row, route: &Route) -> Value {
    let mut operation = json!({
        "operationId": row.operation(),
        "summary": row.summary,
        "tags": [tag(row.op)],
        "security": [{"bearer": []}],
        "x-op": row.op,
    });
    let parameters = parameters(row, route);
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if route.verb.has_body() && row.beyond_path().next().is_some() {
        // The key may come in the header instead.
        let fields: Vec<_> = row.beyond_path().map(|field| Field { needed: field.needed && field.name != KEY, ..*field }).collect();
        let needed = row.rule != Rule::Free || fields.iter().any(|field| field.needed);
        operation["requestBody"] = body_of(object(fields.iter(), row.rule), needed);
    }
    let content = (route.status != 204).then(|| json!({JSON: {"schema": reference(&row.answer)}}));
    operation["responses"] = responses(route.status, content, !route.paces.is_empty());
    operation
}

fn parameters(row: &Row, route: &Route) -> Vec<Value> {
    let in_path = |name: &str| route.in_path().any(|known| known == name);
    let mut all = Vec::new();
    for field in row.fields.iter().filter(|field| in_path(field.name)) {
        all.push(json!({"name": field.name, "in": "path", "required": true, "schema": of(field.kind, Place::Parameter)}));
    }
    for field in row.beyond_path().filter(|_| !route.verb.has_body()) {
        let needed = field.needed && field.name != KEY;
        let mut parameter = json!({"name": field.name, "in": "query", "required": needed, "schema": of(field.kind, Place::Parameter)});
        if parameter["schema"]["type"] == "array" {
            parameter["style"] = json!("form");
            parameter["explode"] = json!(false);
        }
        all.push(parameter);
    }
    if route.waits {
        let schema = json!({"type": "integer", "minimum": 0, "maximum": 30_000, "default": 0});
        all.push(json!({"name": "wait_ms", "in": "query", "required": false, "schema": schema, "description": "How long to wait for news if there is none."}));
    }
    if row.is_keyed() {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": {"type": "string", "minLength": 1, "maxLength": actors::content::CLIENT_KEY_BYTES_MAX},
            "description": "The same as `client_key`; one of the two must be given.",
        }));
    }
    all
}

fn body_of(schema: Value, required: bool) -> Value {
    json!({"required": required, "content": {JSON: {"schema": schema}}})
}

fn responses(status: u16, content: Option<Value>, paced: bool) -> Value {
    let mut all = Map::new();
    let mut good = json!({"description": "Done."});
    if let Some(content) = content {
        good["content"] = content;
    }
    if paced {
        good["headers"] = json!({"RateLimit-Policy": {"$ref": "#/components/headers/RateLimit-Policy"}});
    }
    all.insert(status.to_string(), good);
    for status in refused() {
        all.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{status}")}));
    }
    Value::Object(all)
}

/// Every status of a refusal.
fn refused() -> BTreeSet<u16> {
    REGISTRY.iter().map(|row| row.status).collect()
}

/// The refusals by status; any path may answer any of them, so each stands once.
fn refusals() -> Value {
    let header = |name: &str| json!({"$ref": format!("#/components/headers/{name}")});
    let one = |status: u16| {
        let rows = || REGISTRY.iter().filter(move |row| row.status == status);
        let names: Vec<_> = rows().map(|row| format!("`{}`", row.name)).collect();
        let mut refusal = json!({
            "description": format!("Refused: {}.", names.join(", ")),
            "content": {PROBLEM_JSON: {"schema": reference(&PROBLEM)}},
        });
        if rows().any(|row| row.retry == Retry::After) {
            refusal["headers"] = json!({"Retry-After": header("Retry-After")});
        }
        if status == 429 {
            refusal["headers"]["RateLimit-Policy"] = header("RateLimit-Policy");
            refusal["headers"]["RateLimit"] = header("RateLimit");
        }
        (status.to_string(), refusal)
    };
    refused().into_iter().map(one).collect::<Map<_, _>>().into()
}

/// What stands before the first dot.
fn tag(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The routes as a table for people; a part of `docs/protocol.md`.
pub fn table() -> String {
    let mut text = String::from("| op | over HTTP | parameters | body | answer |\n| --- | --- | --- | --- | --- |\n");
    for row in TABLE {
        let listed = |in_body: bool| {
            let fields = row.beyond_path().filter(|_| row.route().is_some_and(|route| route.verb.has_body() == in_body));
            let mut names: Vec<_> = fields.map(|field| format!("`{}{}`", field.name, if field.needed { "" } else { "?" })).collect();
            if !in_body && row.route().is_some_and(|route| route.waits) {
                names.push("`wait_ms?`".to_owned());
            }
            names.join(", ")
        };
        let line = match (row.route(), &row.rest) {
            (Some(route), _) => {
                let status = route.status;
                format!("| `{}` | `{} {}` | {} | {} | {status} |\n", row.op, route.verb.as_str(), route.path, listed(false), listed(true))
            }
            (None, crate::protocol::twin::shape::Rest::None(why)) => format!("| `{}` | {why} | | | |\n", row.op),
            (None, crate::protocol::twin::shape::Rest::Route(_)) => continue,
        };
        text.push_str(&line);
    }
    text
}
