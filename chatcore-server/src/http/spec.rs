//! The OpenAPI document, made from the handlers. Frames' types come from their own JSON Schemas.

use serde_json::Value;
use utoipa::{
    OpenApi,
    openapi::{
        RefOr, Schema,
        schema::{ArrayBuilder, Ref},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::{api, probes, revocations, streams};
use crate::protocol;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "chatcore",
        description = "What docs/spec/protocol.md describes, over HTTP."
    ),
    paths(
        api::me,
        api::dialog,
        api::events,
        api::notes,
        api::dialogs_of,
        api::closed,
        api::demo,
        revocations::sign_out,
        revocations::revoke,
        streams::open,
        streams::post,
        probes::healthz,
        probes::readyz,
        probes::lag,
        probes::figures,
    )
)]
struct Document;

fn reference(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

pub(super) fn position() -> RefOr<Schema> {
    reference("Position")
}

pub(crate) fn participant() -> RefOr<Schema> {
    reference("Participant")
}

pub(super) fn content() -> RefOr<Schema> {
    reference("Content")
}

pub(super) fn dialog_brief() -> RefOr<Schema> {
    reference("DialogBrief")
}

pub(super) fn events() -> RefOr<Schema> {
    let event = reference(protocol::spec::EVENT);
    RefOr::T(ArrayBuilder::new().items(event).build().into())
}

/// The OpenAPI document.
#[must_use]
pub fn openapi() -> Value {
    let mut document = Document::openapi();
    let components = document.components.get_or_insert_default();
    let token = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    let mut document = serde_json::to_value(document).unwrap_or_default();
    // OpenAPI 3.1 speaks JSON Schema itself.
    let types = protocol::spec::definitions("#/components/schemas/");
    let schemas = document.pointer_mut("/components/schemas");
    if let Some(schemas) = schemas.and_then(Value::as_object_mut) {
        for (name, schema) in types {
            schemas.entry(name).or_insert(schema);
        }
    }
    document
}
