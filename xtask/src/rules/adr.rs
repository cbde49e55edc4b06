//! A decision record says how things stood, what was decided and what that costs.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use super::Finding;
use crate::project::Project;

const PARTS: [&str; 4] = ["Status", "Context", "Decision", "Consequences"];

/// Reads every record in `docs/adr`, and wants their numbers to be their own.
pub(crate) fn check(project: &Project) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut numbers = BTreeMap::new();
    for file in project.sources("docs/adr", &[".md"])? {
        let path = file.display().to_string();
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Some(number) = number(&name) else {
            if name != "README.md" {
                findings.push(Finding::Broken(format!("{path}: not named NNNN-title.md")));
            }
            continue;
        };
        if let Some(other) = numbers.insert(number.to_owned(), path.clone()) {
            findings.push(Finding::Broken(format!(
                "{path}: {other} has this number already"
            )));
        }
        let text = fs::read_to_string(project.root().join(&file)).with_context(|| path.clone())?;
        findings.extend(
            missing(&text).map(|part| Finding::Broken(format!("{path}: no heading `## {part}`"))),
        );
    }
    Ok(findings)
}

/// The number in front of a record's name.
fn number(name: &str) -> Option<&str> {
    let (number, _title) = name.split_once('-')?;
    let is_number = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(number)
}

fn missing(text: &str) -> impl Iterator<Item = &'static str> {
    PARTS.into_iter().filter(|part| {
        !text.lines().any(|line| {
            line.strip_prefix("## ")
                .is_some_and(|title| title.trim() == *part)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_a_part_is_found() {
        let whole = "# 1. Title\n\n## Status\n\n## Context\n\n## Decision\n\n## Consequences\n";
        assert_eq!(missing(whole).count(), 0);
        let without = whole.replace("## Decision", "Decision");
        assert_eq!(missing(&without).collect::<Vec<_>>(), ["Decision"]);
    }

    #[test]
    fn a_record_is_named_by_four_digits_and_a_title() {
        assert_eq!(number("0012-a-title.md"), Some("0012"));
        assert_eq!(number("12-a-title.md"), None);
        assert_eq!(number("notes.md"), None);
    }
}
