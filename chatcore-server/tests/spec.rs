//! The documents in `docs/spec` against the types that they speak of.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end at once")]

use std::{fs, path::PathBuf};

use chatcore_server::{
    protocol::{Close, ServerFrame, parse_frame},
    spec,
};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/spec")
}

#[test]
fn the_documents_are_those_that_the_types_give() {
    for (name, expected) in spec::documents() {
        let found = fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert!(
            found == expected,
            "docs/spec/{name} differs from the types; \
             run `cargo run -p chatcore-server --example write_specs`"
        );
    }
}

#[test]
fn the_examples_of_the_protocol_can_be_read() {
    let text = fs::read_to_string(folder().join("protocol.md")).unwrap();
    let mut frames = 0;
    for block in text.split("```json\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        for frame in serde_json::Deserializer::from_str(block).into_iter::<Value>() {
            let frame = frame.unwrap_or_else(|e| panic!("{e} in:\n{block}"));
            let client = parse_frame(&frame.to_string()).map_err(|e| e.text);
            let server = serde_json::from_value::<ServerFrame>(frame.clone());
            if let Ok(server) = &server {
                assert_eq!(
                    serde_json::to_value(server).unwrap(),
                    frame,
                    "a field is not ours"
                );
            }
            assert!(
                client.is_ok() || server.is_ok(),
                "{frame}\n{client:?}\n{server:?}"
            );
            frames += 1;
        }
    }
    assert!(frames >= 10, "only {frames} examples were found");
}

#[test]
fn every_reference_in_the_documents_leads_somewhere() {
    for (name, text) in spec::documents() {
        if !name.ends_with(".json") {
            continue;
        }
        let document: Value = serde_json::from_str(&text).unwrap();
        let mut todo = vec![&document];
        while let Some(value) = todo.pop() {
            if let Some(Value::String(reference)) = value.get("$ref") {
                let path = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(path).is_some(), "{name}: {reference}");
            }
            match value {
                Value::Object(fields) => todo.extend(fields.values()),
                Value::Array(items) => todo.extend(items),
                _ => {}
            }
        }
    }
}

#[test]
fn the_protocol_lists_every_close_code() {
    let text = fs::read_to_string(folder().join("protocol.md")).unwrap();
    for close in Close::ALL {
        assert!(text.contains(&close.code().to_string()), "{close:?}");
    }
}
