//! One concept per file: a long one holds several.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Finding;
use crate::project::Project;
use crate::types;

/// From here on, look for a split.
const LINES_CALM: usize = 400;
/// By here, have made it.
const LINES_MAX: usize = 600;

/// Counts the lines of every Rust and JavaScript file that somebody wrote.
pub(crate) fn check(project: &Project) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in project.sources("", &[".rs", ".js", ".mjs"])? {
        if file == Path::new(types::SCRIPT) {
            continue;
        }
        let text = fs::read_to_string(project.root().join(&file))
            .with_context(|| format!("{}", file.display()))?;
        findings.extend(judge(&file.display().to_string(), text.lines().count()));
    }
    Ok(findings)
}

fn judge(file: &str, lines: usize) -> Option<Finding> {
    if lines > LINES_MAX {
        Some(Finding::Broken(format!(
            "{file}: {lines} lines, at most {LINES_MAX}: split it"
        )))
    } else if lines > LINES_CALM {
        Some(Finding::Warning(format!(
            "{file}: {lines} lines: look for a split"
        )))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_warns_past_400_lines_and_breaks_past_600() {
        assert_eq!(judge("a.rs", 400), None);
        assert!(matches!(judge("a.rs", 401), Some(Finding::Warning(_))));
        assert!(matches!(judge("a.rs", 600), Some(Finding::Warning(_))));
        assert!(matches!(judge("a.rs", 601), Some(Finding::Broken(_))));
    }
}
