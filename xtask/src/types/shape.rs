//! A type, and how it is written in TypeScript's words.

/// Longer than this, a type takes a line for each of its parts.
const WIDTH_MAX: usize = 100;

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A name or a literal.
    Word(String),
    /// One of these.
    Union(Vec<Self>),
    /// Many of this.
    List(Box<Self>),
    /// Any keys with values of this.
    Map(Box<Self>),
    /// An object with these fields.
    Fields(Vec<Field>),
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    /// What is not required may be absent.
    pub(super) required: bool,
    pub(super) shape: Shape,
}

impl Shape {
    pub(super) fn word(word: &str) -> Self {
        Self::Word(word.to_owned())
    }

    /// One of these, each named once.
    pub(super) fn union(shapes: Vec<Self>) -> Self {
        let mut parts: Vec<Self> = Vec::new();
        for shape in shapes {
            if !parts.contains(&shape) {
                parts.push(shape);
            }
        }
        match parts.len() {
            1 => parts.remove(0),
            _ => Self::Union(parts),
        }
    }

    /// The type as text; what does not fit on a line goes on below, each line after `margin`.
    pub(super) fn text(&self, margin: &str) -> String {
        let flat = self.flat();
        if flat.len() <= WIDTH_MAX {
            return flat;
        }
        let deeper = format!("{margin}  ");
        match self {
            Self::Word(_) => flat,
            Self::Union(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| part.text(&deeper)).collect();
                parts.join(&format!("\n{deeper}| "))
            }
            Self::List(item) => format!("({})[]", item.text(&deeper)),
            Self::Map(value) => format!("Record<string, {}>", value.text(&deeper)),
            Self::Fields(fields) => {
                let line = |field: &Field| {
                    format!("\n{deeper}{}{},", field.head(), field.shape.text(&deeper))
                };
                let lines: String = fields.iter().map(line).collect();
                format!("{{{lines}\n{margin}}}")
            }
        }
    }

    /// The type on one line.
    fn flat(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Union(parts) => {
                let parts: Vec<String> = parts.iter().map(Self::flat).collect();
                parts.join(" | ")
            }
            Self::List(item) if matches!(**item, Self::Union(_)) => format!("({})[]", item.flat()),
            Self::List(item) => format!("{}[]", item.flat()),
            Self::Map(value) => format!("Record<string, {}>", value.flat()),
            Self::Fields(fields) if fields.is_empty() => "{}".to_owned(),
            Self::Fields(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|field| format!("{}{}", field.head(), field.shape.flat()))
                    .collect();
                format!("{{ {} }}", fields.join(", "))
            }
        }
    }
}

impl Field {
    /// Its name, with the mark of what may be absent. A name that is no word stands in quotes.
    fn head(&self) -> String {
        let word = self
            .name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_');
        let quote = if word { "" } else { "'" };
        let mark = if self.required { "" } else { "?" };
        format!("{quote}{}{quote}{mark}: ", self.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Shape;

    fn text(schema: &Value) -> String {
        Shape::of(schema).expect("a shape").text(" * ")
    }

    #[test]
    fn every_kind_of_schema_has_its_words() {
        let cases = [
            (json!(true), "unknown"),
            (json!({ "$ref": "#/$defs/Seq" }), "Seq"),
            (
                json!({ "type": "integer", "format": "uint64", "minimum": 0 }),
                "number",
            ),
            (json!({ "type": ["string", "null"] }), "string | null"),
            (
                json!({ "anyOf": [{ "$ref": "#/$defs/Id" }, { "type": "null" }] }),
                "Id | null",
            ),
            (
                json!({ "type": "array", "items": { "type": ["string", "null"] } }),
                "(string | null)[]",
            ),
            (
                json!({ "type": "object", "additionalProperties": { "type": "boolean" } }),
                "Record<string, boolean>",
            ),
            (json!({ "type": "object" }), "{}"),
            (json!({ "enum": ["a", 1, null] }), "'a' | 1 | null"),
            (
                json!({ "type": "object", "required": ["b"], "properties": { "a-b": {}, "b": { "const": "x" } } }),
                "{ 'a-b'?: unknown, b: 'x' }",
            ),
        ];
        for (schema, wanted) in cases {
            assert_eq!(text(&schema), wanted, "{schema}");
        }
    }

    #[test]
    fn what_is_too_long_for_a_line_takes_one_for_each_part() {
        let long = "a_name_that_takes_much_room_on_its_line_and_more_than_half_of_it";
        let part = |name: &str| json!({ "type": "object", "required": [name], "properties": { name: { "type": "string" } } });
        let schema = json!({ "oneOf": [part(long), part("other_name_that_is_long_as_well_and_does_not_fit")] });
        assert_eq!(
            text(&schema),
            format!(
                "{{ {long}: string }}\n *   | {{ other_name_that_is_long_as_well_and_does_not_fit: string }}"
            )
        );
    }
}
