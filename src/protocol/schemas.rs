//! JSON schemas for the two documents: of what a client sends, by the forms of the table; of what the server says, by the
//! wire types themselves.

use std::collections::BTreeMap;

use actors::id::NUMBER_MAX;
use serde_json::{Map, Value, json};

use crate::protocol::twin::shape::{Answer, Field, Kind, Rule};

const CONV_PATTERN: &str = "(d[1-9][0-9]*-[1-9][0-9]*|g[1-9][0-9]*)";

/// Where a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a JSON object.
    Json,
    /// In a path or query, as text.
    Parameter,
}

/// The schema of a field's form.
pub fn of(kind: Kind, place: Place) -> Value {
    let user = || json!({"type": "integer", "minimum": 1, "maximum": NUMBER_MAX});
    let number = || json!({"type": "integer", "minimum": 0, "maximum": NUMBER_MAX});
    let conv = || json!({"type": "string", "pattern": format!("^{CONV_PATTERN}$"), "examples": ["d7-9", "g12"]});
    match (kind, place) {
        (Kind::Text(min, max), _) => json!({"type": "string", "minLength": min, "maxLength": max}),
        (Kind::Email, _) => json!({"type": "string", "format": "email", "maxLength": actors::account::EMAIL_CHARS_MAX}),
        (Kind::Number(min, max), _) => json!({"type": "integer", "minimum": min, "maximum": max}),
        (Kind::Flag, _) => json!({"type": "boolean"}),
        (Kind::Word(words), _) => json!({"type": "string", "enum": words}),
        (Kind::Hex, _) => json!({"type": "string", "pattern": "^[0-9a-f]{32}$"}),
        (Kind::Picture, _) => json!({"type": "string", "pattern": "^([0-9a-f]{32})?$"}),
        (Kind::Conv, _) => conv(),
        (Kind::User, _) => user(),
        (Kind::List(item), _) => json!({"type": "array", "items": of(*item, place)}),
        (Kind::Cursor, Place::Json) => tuple(vec![number(), number()]),
        (Kind::Cursor, Place::Parameter) => json!({"type": "string", "pattern": "^[0-9]+\\.[0-9]+$", "description": "`inc.seq`"}),
        (Kind::Cursors, Place::Json) => json!({"type": "array", "items": tuple(vec![conv(), number(), number()])}),
        (Kind::Cursors, Place::Parameter) => {
            json!({"type": "array", "items": {"type": "string", "pattern": format!("^{CONV_PATTERN}\\.[0-9]+\\.[0-9]+$")}, "description": "`conv.inc.seq`, separated by commas"})
        }
        (Kind::Object(fields), _) => object(fields.iter(), Rule::Free),
        (Kind::Any, _) => json!({}),
    }
}

fn tuple(items: Vec<Value>) -> Value {
    json!({"type": "array", "minItems": items.len(), "maxItems": items.len(), "prefixItems": items})
}

/// An object with these fields and no others. A field that may be left out may be null as well.
pub fn object<'f>(fields: impl Iterator<Item = &'f Field>, rule: Rule) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for field in fields {
        let schema = of(field.kind, Place::Json);
        properties.insert(field.name.to_owned(), if field.needed { schema } else { or_null(schema) });
        if field.needed {
            required.push(field.name);
        }
    }
    let least = required.len().saturating_add(1);
    let mut schema = json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    if rule != Rule::Free {
        schema["minProperties"] = json!(least);
    }
    schema
}

fn or_null(mut schema: Value) -> Value {
    let has_words = schema.get("enum").is_some();
    match schema.get("type").cloned() {
        Some(Value::String(word)) if !has_words => {
            schema["type"] = json!([word, "null"]);
            schema
        }
        Some(_) => json!({"anyOf": [schema, {"type": "null"}]}),
        None => schema, // anything, null among it
    }
}

/// The schemas of these answers and of all that they refer to, by name.
pub fn collect<'a>(answers: impl Iterator<Item = &'a Answer>) -> Value {
    let mut found = BTreeMap::new();
    for answer in answers {
        let mut schemas = vec![((answer.name)().into_owned(), (answer.schema)())];
        (answer.others)(&mut schemas);
        for (name, schema) in schemas {
            found.insert(name, serde_json::to_value(schema).expect("a schema is JSON"));
        }
    }
    json!(found)
}

/// A reference to an answer's schema.
pub fn reference(answer: &Answer) -> Value {
    json!({"$ref": format!("#/components/schemas/{}", (answer.name)())})
}

/// A document as it is served and kept.
pub fn written(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("a document is JSON");
    text.push('\n');
    text
}
