//! Reads a JSON Schema, as far as the server's types need it.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::shape::{Field, Shape};

/// Keywords that say more than a type can, or nothing about it.
const BESIDE: [&str; 8] = [
    "default",
    "description",
    "format",
    "maximum",
    "minimum",
    "pattern",
    "title",
    "uniqueItems",
];
/// Keywords that make the type.
const READ: [&str; 9] = [
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "enum",
    "items",
    "oneOf",
    "properties",
    "required",
];

impl Shape {
    /// The shape of what this schema takes. Errors name a keyword that it does not know: to leave it
    /// out would be a wrong type.
    pub(super) fn of(schema: &Value) -> Result<Self> {
        let schema = match schema {
            Value::Bool(true) => return Ok(Self::word("unknown")),
            Value::Object(schema) => schema,
            other => bail!("{other} is no schema"),
        };
        for keyword in schema.keys() {
            if keyword != "type"
                && !READ.contains(&keyword.as_str())
                && !BESIDE.contains(&keyword.as_str())
            {
                bail!("the keyword `{keyword}` has no type here");
            }
        }
        if let Some(reference) = schema.get("$ref") {
            let path = reference.as_str().context("a $ref that is no text")?;
            let name = path.strip_prefix("#/$defs/");
            return Ok(Self::word(
                name.with_context(|| format!("{path} leads out of the file"))?,
            ));
        }
        if let Some(value) = schema.get("const") {
            return literal(value);
        }
        for keyword in ["oneOf", "anyOf", "enum"] {
            if let Some(list) = schema.get(keyword) {
                if schema.contains_key("properties") {
                    bail!("`{keyword}` beside `properties` has no type here");
                }
                let read = if keyword == "enum" { literal } else { Self::of };
                let list = list
                    .as_array()
                    .with_context(|| format!("{keyword} is no list"))?;
                return Ok(Self::union(list.iter().map(read).collect::<Result<_>>()?));
            }
        }
        match schema.get("type") {
            Some(Value::String(kind)) => of_kind(schema, kind),
            Some(Value::Array(kinds)) => {
                let kinds = kinds
                    .iter()
                    .map(|kind| of_kind(schema, kind.as_str().unwrap_or_default()));
                Ok(Self::union(kinds.collect::<Result<_>>()?))
            }
            _ => Ok(Self::word("unknown")),
        }
    }
}

fn of_kind(schema: &Map<String, Value>, kind: &str) -> Result<Shape> {
    Ok(match kind {
        "string" | "boolean" | "null" => Shape::word(kind),
        "integer" | "number" => Shape::word("number"),
        "array" => {
            let items = schema.get("items").context("a list of nothing known")?;
            Shape::List(Box::new(Shape::of(items)?))
        }
        "object" => object(schema)?,
        other => bail!("`{other}` is no type"),
    })
}

fn object(schema: &Map<String, Value>) -> Result<Shape> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Ok(match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => Shape::Map(Box::new(Shape::of(values)?)),
            _ => Shape::Fields(Vec::new()),
        });
    };
    let required = schema.get("required").and_then(Value::as_array);
    let fields = properties.iter().map(|(name, value)| {
        Ok(Field {
            name: name.clone(),
            required: required.is_some_and(|names| names.iter().any(|other| other == name)),
            shape: Shape::of(value).with_context(|| name.clone())?,
        })
    });
    Ok(Shape::Fields(fields.collect::<Result<_>>()?))
}

fn literal(value: &Value) -> Result<Shape> {
    Ok(match value {
        Value::String(text) if !text.contains(['\'', '\\', '\n']) => {
            Shape::Word(format!("'{text}'"))
        }
        Value::Number(number) => Shape::Word(number.to_string()),
        Value::Bool(_) | Value::Null => Shape::Word(value.to_string()),
        other => bail!("{other} has no literal type"),
    })
}
