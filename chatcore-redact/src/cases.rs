//! Examples by which a bank tests its rules.

use chatcore::{
    content::Content,
    identity::{Beside, Redactor},
};
use serde::Deserialize;

use crate::{patterns::Patterns, rules::RulesError};

/// Examples, as a bank writes them down.
///
/// ```
/// use chatcore_redact::{Cases, Patterns, Rules};
///
/// let cases = Cases::from_toml(
///     r#"
///     [[case]]
///     say = "карта 5555 5555 5555 4444"
///     stored = "карта 5555 55•• •••• 4444"
///
///     [[case]]
///     before = ["4111 1111"]
///     say = "1111 1111"
///     stored = "•••• ••••"
///     withdrawn = [0]
///     "#,
/// )?;
/// let patterns = Patterns::try_new(&Rules::default())?;
/// assert!(cases.case.iter().all(|case| case.problem(&patterns).is_none()));
/// # Ok::<(), chatcore_redact::RulesError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// Each of them.
    pub case: Vec<Case>,
}

/// One example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the author wrote before, oldest first.
    #[serde(default)]
    pub before: Vec<String>,
    /// What they write.
    pub say: String,
    /// What is to be written down.
    pub stored: String,
    /// Which of those before are to be withdrawn, counted from 0.
    #[serde(default)]
    pub withdrawn: Vec<usize>,
}

impl Cases {
    /// Reads them from TOML.
    ///
    /// # Errors
    /// [`RulesError::Unreadable`].
    pub fn from_toml(text: &str) -> Result<Self, RulesError> {
        toml::from_str(text)
            .map_err(|error| RulesError::Unreadable(error.to_string().trim_end().to_owned()))
    }
}

impl Case {
    /// What is not as it should be, if anything is.
    #[must_use]
    pub fn problem(&self, patterns: &Patterns) -> Option<String> {
        let before: Vec<Content> = self.before.iter().cloned().map(Content::Text).collect();
        let before: Vec<&Content> = before.iter().collect();
        let beside = Beside {
            before: &before,
            after: &[],
        };
        let redacted = patterns.redact(Content::Text(self.say.clone()), beside);
        let Content::Text(stored) = redacted.content else {
            return Some("it is no text any more".to_owned());
        };
        if stored != self.stored {
            return Some(format!(
                "is stored as `{stored}`, expected `{}`",
                self.stored
            ));
        }
        if redacted.withdraw != self.withdrawn {
            let (is, expected) = (&redacted.withdraw, &self.withdrawn);
            return Some(format!("withdraws {is:?}, expected {expected:?}"));
        }
        None
    }
}
