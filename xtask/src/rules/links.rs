//! A link in a document leads to a file or folder of the repository, or out of it.

use std::fs;

use anyhow::{Context, Result};

use super::Finding;
use crate::project::Project;

/// Follows the relative links of every document; links into the web are not followed.
pub(crate) fn check(project: &Project) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in project.sources("", &[".md"])? {
        let path = project.root().join(&file);
        let text = fs::read_to_string(&path).with_context(|| format!("{}", file.display()))?;
        let dead = targets(&text).filter(|target| !path.with_file_name(target).exists());
        findings.extend(
            dead.map(|target| {
                Finding::Broken(format!("{}: {target} is not there", file.display()))
            }),
        );
    }
    Ok(findings)
}

/// The files that a text links to: without anchors, and without what is outside the repository.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let (target, _) = rest.split_once(')')?;
        let file = target.split('#').next().unwrap_or_default();
        let inside = !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:");
        inside.then_some(file)
    })
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn only_links_within_the_repository_are_followed() {
        let text = "[a](A.md) [b](docs/b.md#part) [c](https://example.com/c) [d](#d) a](b";
        assert_eq!(targets(text).collect::<Vec<_>>(), ["A.md", "docs/b.md"]);
    }
}
