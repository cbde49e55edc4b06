//! `chatcore-server redact --test FILE`: a bank tests the rules of what is taken out.

use std::{fmt::Write as _, sync::Arc};

use anyhow::{Result, bail};
use chatcore_redact::{Cases, Patterns};

/// What is asked.
#[derive(Debug)]
pub struct Command {
    /// By these rules.
    pub patterns: Arc<Patterns>,
    /// With these cases.
    pub cases: Cases,
}

impl Command {
    /// How many cases are as expected.
    ///
    /// # Errors
    /// Those that are not, each by its number in the file and with what it is instead.
    pub fn run(&self) -> Result<String> {
        let mut wrong = String::new();
        for (number, case) in (1..).zip(&self.cases.case) {
            if let Some(problem) = case.problem(&self.patterns) {
                write!(wrong, "\n  - case {number}: `{}` {problem}", case.say)?;
            }
        }
        if !wrong.is_empty() {
            bail!("not all cases are as expected:{wrong}");
        }
        Ok(format!("{} cases are as expected\n", self.cases.case.len()))
    }
}
