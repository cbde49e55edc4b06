//! What is taken out of what people write.

use std::sync::Arc;

use chatcore_redact::{Cases, Patterns, Rules};
use clap::ArgMatches;

use super::sources::Sources;
use crate::redact;

/// By the rules of the file that a key names, or the built-in ones; none if something is wrong with
/// them.
pub(super) fn read(sources: &mut Sources) -> Option<Arc<Patterns>> {
    let rules = match sources.take("redact_rules") {
        None => Ok(Rules::default()),
        Some(path) => Rules::from_toml(&sources.file("redact_rules", &path)?),
    };
    let patterns = rules.and_then(|rules| Patterns::try_new(&rules));
    patterns
        .map(Arc::new)
        .map_err(|error| sources.problem("redact_rules", &error.to_string()))
        .ok()
}

/// Which cases the rules are to be tested with.
pub(super) fn command(sources: &mut Sources, asked: &ArgMatches) -> Option<redact::Command> {
    let patterns = read(sources);
    let path = asked.get_one::<String>("test")?;
    let cases = Cases::from_toml(&sources.file("test", path)?);
    let cases = cases.map_err(|error| sources.problem("test", &error.to_string()));
    Some(redact::Command {
        patterns: patterns?,
        cases: cases.ok()?,
    })
}
