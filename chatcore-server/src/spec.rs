//! The documents in `docs/spec` that are made from the types.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{http, protocol};

/// Each document: its file's name, and what must be in it.
#[must_use]
pub fn documents() -> [(&'static str, String); 4] {
    [
        ("frames.schema.json", json(&protocol::spec::frames_schema())),
        ("asyncapi.yaml", yaml(&protocol::spec::asyncapi())),
        ("openapi.json", json(&http::spec::openapi())),
        ("rights.md", rights()),
    ]
}

/// The table of rights, and how to read it.
fn rights() -> String {
    let table = chatcore::rights::as_markdown();
    format!(
        "# Rights\n\n\
         Who may see and do what. Made by `cargo run -p chatcore-server --example write_specs` from\n\
         `chatcore::rights`: sessions and REST ask this table, and the state machines ask it again where a\n\
         command is applied.\n\n\
         A cell says what somebody of that role must be to the dialog or the desk, one of these at least; an\n\
         empty one means nobody. *own*: the customer whose it is. *holder*: owns it now. *last holder*: owned\n\
         it when it was closed. *waits at the desk*: it waits at their own desk. *of the desk*: it is of their\n\
         own desk. *any*: whatever they are to it. Commands of a former owner are refused by their epoch,\n\
         whatever stands here.\n\n{table}"
    )
}

fn json(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// As YAML in block style; texts stand in quotes, as in JSON, so that none is taken for a number.
fn yaml(value: &Value) -> String {
    let mut text =
        String::from("# Made by `cargo run -p chatcore-server --example write_specs`.\n");
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    let mut item = |start: String, inner: &Value| {
        let nested = match inner {
            Value::Object(fields) => !fields.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => false,
        };
        // Writing to a text can't fail.
        let _ = if nested {
            writeln!(out, "{pad}{start}")
        } else {
            writeln!(out, "{pad}{start} {inner}")
        };
        if nested {
            block(inner, indent + 2, out);
        }
    };
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                item(format!("{}:", Value::from(name.as_str())), inner);
            }
        }
        Value::Array(items) => {
            for inner in items {
                item("-".to_owned(), inner);
            }
        }
        other => item(String::new(), other),
    }
}
