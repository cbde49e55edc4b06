//! The JSON Schemas and the AsyncAPI document of the frames, made from the types.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{ClientFrame, HEARTBEAT_MS, HELLO_SECONDS_MAX, SUBPROTOCOL, ServerFrame};

/// The name of the schema of an event.
pub const EVENT: &str = "StreamEvent";

/// Both kinds of frames, for JSON Schema 2020-12.
#[must_use]
pub fn frames_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://chatcore.invalid/frames.schema.json",
        "title": "Frames of chatcore.v1",
        "description": "Made from the types in chatcore-server/src/protocol; see protocol.md.",
        "oneOf": [{ "$ref": "#/$defs/ClientFrame" }, { "$ref": "#/$defs/ServerFrame" }],
        "$defs": definitions("#/$defs/"),
    })
}

/// Every type by its name, with references below this path.
#[must_use]
pub fn definitions(path: &str) -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = path.trim_start_matches('#').to_owned().into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    add::<ClientFrame>(&mut generator);
    add::<ServerFrame>(&mut generator);
    generator.take_definitions(true)
}

fn add<T: JsonSchema>(generator: &mut SchemaGenerator) {
    // Referenced types become definitions.
    let _ = generator.subschema_for::<T>();
}

/// The channel with its messages.
#[must_use]
pub fn asyncapi() -> Value {
    let frame = |name: &str, title: &str| {
        json!({
            "name": name,
            "title": title,
            "contentType": "application/json",
            "payload": {
                "schemaFormat": "application/schema+json;version=draft-2020-12",
                "schema": { "$ref": format!("./frames.schema.json#/$defs/{name}") },
            },
        })
    };
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "chatcore",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "The WebSocket of chatcore; protocol.md says what the frames mean. The first frame \
                 is hello, within {HELLO_SECONDS_MAX} s; both sides send something at least every \
                 {HEARTBEAT_MS} ms."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {
            "session": {
                "address": "/ws",
                "messages": {
                    "client": { "$ref": "#/components/messages/client" },
                    "server": { "$ref": "#/components/messages/server" },
                },
                "bindings": { "ws": { "method": "GET", "headers": {
                    "type": "object",
                    "properties": { "Sec-WebSocket-Protocol": { "const": SUBPROTOCOL } },
                } } },
            },
        },
        "operations": {
            "hear": {
                "action": "receive",
                "channel": { "$ref": "#/channels/session" },
                "messages": [{ "$ref": "#/channels/session/messages/client" }],
            },
            "say": {
                "action": "send",
                "channel": { "$ref": "#/channels/session" },
                "messages": [{ "$ref": "#/channels/session/messages/server" }],
            },
        },
        "components": { "messages": {
            "client": frame("ClientFrame", "A frame of a client"),
            "server": frame("ServerFrame", "A frame of the server"),
        } },
    })
}
