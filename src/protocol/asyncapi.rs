//! The AsyncAPI 3 document of the socket, made from the table of ops and the wire types; `docs/asyncapi.json`.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::protocol::codec::SUBPROTOCOLS;
use crate::protocol::schemas::{collect, object, reference, written};
use crate::protocol::twin::shape::{Answer, Row, Rule};
use crate::protocol::twin::table::TABLE;
use crate::protocol::wire::{
    Beat, Bye, Entry, Expiring, Gap, Hello, MembersMoved, OwnEntry, Presence, Problem, Receipts, RelationPush, Typing, Unread,
};

const PROBLEM: Answer = Answer::of::<Problem<'static>>();

/// What each push says, and when; in the order of [`crate::protocol::wire::PUSHES`].
#[rustfmt::skip] // a row is a line
pub static PUSHED: &[(&str, &str, Answer)] = &[
    ("hello", "The first frame of every connection.", Answer::of::<Hello<'static>>()),
    ("hb", "The server is alive.", Answer::of::<Beat>()),
    ("entry", "An entry of a conversation of the user.", Answer::of::<Entry<'static>>()),
    ("members", "Members of a large group came or went.", Answer::of::<MembersMoved>()),
    ("own", "An entry of the user's own log.", Answer::of::<OwnEntry>()),
    ("relation", "What another user is to the own one has changed.", Answer::of::<RelationPush<'static>>()),
    ("receipts", "Other members have come further.", Answer::of::<Receipts>()),
    ("unread", "The user has read on another device.", Answer::of::<Unread>()),
    ("typing", "A member is writing.", Answer::of::<Typing>()),
    ("presence", "A watched user came or went.", Answer::of::<Presence>()),
    ("gap", "Entries that were left out for this connection.", Answer::of::<Gap>()),
    ("auth.expiring", "The token is about to end.", Answer::of::<Expiring>()),
    ("error", "A refusal that belongs to no request.", PROBLEM),
    ("bye", "The last frame before the server closes.", Answer::of::<Bye>()),
];

/// The document, as it is served.
pub fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| written(&made()));
    &DOCUMENT
}

/// Each op once, with all its forms.
fn ops() -> Vec<(&'static str, Vec<&'static Row>)> {
    let mut ops: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in TABLE {
        match ops.iter_mut().find(|(op, _)| *op == row.op) {
            Some((_, rows)) => rows.push(row),
            None => ops.push((row.op, vec![row])),
        }
    }
    ops
}

fn made() -> Value {
    let (mut messages, mut operations) = (Map::new(), Map::new());
    let in_channel = |name: &str| json!({"$ref": format!("#/channels/socket/messages/{name}")});
    let channel = json!({"$ref": "#/channels/socket"});
    messages.insert("refusal".to_owned(), message("refusal", "The refusal of a request.", &refusal()));
    for (op, rows) in ops() {
        let (asked, answered) = (format!("{op}.request"), format!("{op}.reply"));
        let summary = rows.iter().map(|row| row.summary).next().unwrap_or_default();
        messages.insert(asked.clone(), message(op, summary, &request(op, &rows)));
        if let Some(row) = rows.first() {
            messages.insert(answered.clone(), message(&answered, "The answer.", &reply(&row.answer)));
        }
        let operation = json!({
            "action": "receive", "channel": channel, "summary": summary, "messages": [in_channel(&asked)],
            "reply": {"channel": channel, "messages": [in_channel(&answered), in_channel("refusal")]},
        });
        operations.insert(op.to_owned(), operation);
    }
    for (push, summary, answer) in PUSHED {
        let name = format!("{push}.push");
        messages.insert(name.clone(), message(&name, summary, &pushed(push, answer)));
        let operation = json!({"action": "send", "channel": channel, "summary": summary, "messages": [in_channel(&name)]});
        operations.insert(name, operation);
    }
    let listed: Map<_, _> = messages.keys().map(|name| (name.clone(), json!({"$ref": format!("#/components/messages/{name}")}))).collect();
    let answers = TABLE.iter().map(|row| &row.answer).chain(PUSHED.iter().map(|(_, _, answer)| answer));
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Parlance",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The native protocol on its WebSocket. JSON is described; MessagePack has the same maps, with bytes as bin.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {"socket": {
            "address": "/v1/ws",
            "title": "The socket",
            "description": format!("Offer exactly one subprotocol: {}.", SUBPROTOCOLS.map(|name| format!("`{name}`")).join(" or ")),
            "messages": listed,
            "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        }},
        "operations": operations,
        "components": {"messages": messages, "schemas": collect(answers.chain([&PROBLEM]))},
    })
}

fn message(name: &str, summary: &str, payload: &Value) -> Value {
    json!({"name": name, "summary": summary, "payload": payload})
}

fn envelope(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

fn number() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": u32::MAX})
}

fn request(op: &str, rows: &[&Row]) -> Value {
    let mut forms: Vec<_> = Vec::new();
    for row in rows {
        let form = object(row.fields.iter(), row.rule);
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    let is_needed = rows.iter().all(|row| row.rule != Rule::Free || row.fields.iter().any(|field| field.needed));
    let d = if forms.len() > 1 { json!({"oneOf": forms}) } else { forms.pop().unwrap_or_default() };
    let mut request = envelope(json!({"id": number(), "op": {"const": op}, "d": d}), if is_needed { &["op", "d"] } else { &["op"] });
    request["additionalProperties"] = json!(false);
    request
}

fn reply(answer: &Answer) -> Value {
    envelope(json!({"id": number(), "ok": reference(answer)}), &["id", "ok"])
}

fn refusal() -> Value {
    envelope(json!({"id": number(), "err": reference(&PROBLEM)}), &["id", "err"])
}

fn pushed(push: &str, answer: &Answer) -> Value {
    envelope(json!({"ev": {"const": push}, "d": reference(answer)}), &["ev", "d"])
}
