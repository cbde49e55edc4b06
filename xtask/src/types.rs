//! `cargo xtask types`: the JSDoc types of the pages, made from the schema of the frames.

mod schema;
mod shape;

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::project::Project;
use shape::Shape;

/// Where the types come from. A test of the server holds it against the server's own types.
const SCHEMA: &str = "docs/spec/frames.schema.json";
/// Where they go.
pub(crate) const SCRIPT: &str = "chatcore-server/web/client/frames.js";

const HEAD: &str = "\
// The protocol's types; docs/spec/protocol.md says what they mean. Nothing here runs.
//
// Made from docs/spec/frames.schema.json by `cargo xtask types`: change the server's types, never this file.
";

/// Writes the types.
pub(crate) fn write(project: &Project) -> Result<()> {
    let path = project.path(SCRIPT);
    fs::write(&path, wanted(project)?).with_context(|| format!("{}", path.display()))
}

/// Fails when the types are not what the schema gives.
pub(crate) fn check(project: &Project) -> Result<()> {
    let found = fs::read_to_string(project.path(SCRIPT)).context(SCRIPT)?;
    if found != wanted(project)? {
        bail!(
            "{SCRIPT} is not what {SCHEMA} gives: run `cargo xtask types`, and commit what it writes"
        );
    }
    Ok(())
}

fn wanted(project: &Project) -> Result<String> {
    let text = fs::read_to_string(project.path(SCHEMA)).context(SCHEMA)?;
    let schema: Value = serde_json::from_str(&text).context(SCHEMA)?;
    let definitions = schema.get("$defs").and_then(Value::as_object);
    script(definitions.context("the schema has no $defs")?)
}

/// The script with a type for each definition, in their order.
fn script(definitions: &Map<String, Value>) -> Result<String> {
    let mut script = HEAD.to_owned();
    for (name, definition) in definitions {
        let shape = Shape::of(definition).with_context(|| format!("the schema of {name}"))?;
        script.push_str("\n/**\n");
        if let Some(text) = definition.get("description").and_then(Value::as_str) {
            for line in text.lines() {
                // A comment must not end in its middle, nor begin a tag.
                let line = line.replace("*/", "*\\/").replace('@', "(at)");
                script.push_str(format!(" * {line}").trim_end());
                script.push('\n');
            }
            script.push_str(" *\n");
        }
        script.push_str(" * @typedef {");
        script.push_str(&shape.text(" * "));
        script.push_str(&format!("}} {name}\n */\n"));
    }
    script.push_str("\nexport {};\n");
    Ok(script)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::script;

    #[test]
    fn each_definition_becomes_a_type_with_its_description() {
        let definitions = json!({
            "Id": { "type": "string", "description": "Who.\n\nAn end */ and a @tag." },
            "Phase": { "oneOf": [{ "const": "bot", "type": "string" }, { "const": "closed", "type": "string" }] },
        });
        let made = script(definitions.as_object().expect("an object")).expect("a script");
        assert!(
            made.contains(
                "/**\n * Who.\n *\n * An end *\\/ and a (at)tag.\n *\n * @typedef {string} Id\n */"
            ),
            "{made}"
        );
        assert!(
            made.contains("/**\n * @typedef {'bot' | 'closed'} Phase\n */"),
            "{made}"
        );
        assert!(made.ends_with("\nexport {};\n"), "{made}");
    }

    #[test]
    fn what_is_not_understood_is_named_and_not_left_out() {
        let definitions =
            json!({ "Odd": { "type": "object", "properties": { "a": { "not": {} } } } });
        let error =
            script(definitions.as_object().expect("an object")).expect_err("`not` is unknown");
        assert_eq!(
            format!("{error:#}"),
            "the schema of Odd: a: the keyword `not` has no type here"
        );
    }
}
