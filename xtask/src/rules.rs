//! `cargo xtask rules`: what the project asks of its source and no compiler or lint checks.

mod adr;
mod core_dependencies;
mod file_length;
mod links;
mod select;
mod traits;

use std::process::ExitCode;

use anyhow::Result;

use crate::project::Project;

/// What a rule has to say about a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// To be mended now.
    Broken(String),
    /// To be mended soon.
    Warning(String),
}

/// A rule's name and its check.
type Rule = (&'static str, fn(&Project) -> Result<Vec<Finding>>);

const RULES: &[Rule] = &[
    ("files are short", file_length::check),
    (
        "the core knows no transport and no backend",
        core_dependencies::check,
    ),
    ("the core chooses nothing at random", select::check),
    (
        "public traits have an example and few methods",
        traits::check,
    ),
    ("links in documents lead somewhere", links::check),
    ("decision records have all their parts", adr::check),
];

/// Checks every rule and prints what was found.
pub(crate) fn run(project: &Project) -> Result<ExitCode> {
    let mut all_kept = true;
    for (name, check) in RULES {
        let findings = check(project)?;
        let broken = findings
            .iter()
            .any(|finding| matches!(finding, Finding::Broken(_)));
        println!("{} {name}", if broken { "BROKEN" } else { "kept  " });
        for finding in &findings {
            match finding {
                Finding::Broken(text) => println!("  error: {text}"),
                Finding::Warning(text) => println!("  warning: {text}"),
            }
        }
        all_kept &= !broken;
    }
    Ok(if all_kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
