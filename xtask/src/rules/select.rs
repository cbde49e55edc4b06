//! A `select!` in the core says which branch goes first. Without `biased` tokio draws it at random,
//! and a simulated run could not be run again.

use std::fs;

use anyhow::{Context, Result};

use super::Finding;
use crate::project::Project;

/// Reads the sources of `chatcore`.
pub(crate) fn check(project: &Project) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in project.sources("chatcore/src", &[".rs"])? {
        let path = file.display().to_string();
        let text = fs::read_to_string(project.root().join(&file)).with_context(|| path.clone())?;
        findings.extend(unbiased(&text).map(|line| {
            Finding::Broken(format!(
                "{path}:{line}: begin this `select!` with `biased;`"
            ))
        }));
    }
    Ok(findings)
}

/// The lines with a `select!` that does not begin with `biased`.
fn unbiased(text: &str) -> impl Iterator<Item = usize> {
    let begins = |line: &str| line.contains("select!") && !line.starts_with("//");
    let lines = text.lines().map(str::trim);
    let next = lines.clone().skip(1).chain([""]);
    let pairs = lines.zip(next).zip(1..);
    pairs.filter_map(move |((line, next), number)| {
        (begins(line) && next != "biased;").then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_select_that_draws_is_found() {
        let text = "let a = tokio::select! {\n    biased;\n    x => {}\n};\n\
                    // select! in a comment\ntokio::select! {\n    x => {}\n}\n";
        assert_eq!(unbiased(text).collect::<Vec<_>>(), [6]);
    }
}
