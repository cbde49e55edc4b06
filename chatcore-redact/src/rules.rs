//! What is looked for, as a bank writes it down.

use serde::Deserialize;

use crate::card::Issuer;

/// Most digits of a card number that PCI DSS 4 (3.4.1) lets stand, at its beginning and its end.
const CARD_KEPT_MAX: (usize, usize) = (6, 4);

/// What is looked for. Everything is unless it is turned off.
///
/// ```
/// let rules = chatcore_redact::Rules::from_toml(
///     r#"
///     passports = false
///     card = { first = 0, last = 4 }
///
///     [[patterns]]
///     name = "contract"
///     regex = '\b[A-Z]{2}\d{8}\b'
///     keep = { first = 2, last = 0 }
///     "#,
/// )?;
/// assert_eq!(rules.patterns.len(), 1);
/// # Ok::<(), chatcore_redact::RulesError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// What stands of a card number: the first 6 and the last 4 digits at most. Card numbers are
    /// always looked for.
    pub card: Keep,
    /// Issuers beside those that are known: a bank's own ranges.
    pub issuers: Vec<Issuer>,
    /// Security codes of cards, and codes that are good once.
    pub codes: bool,
    /// Series and numbers of Russian passports.
    pub passports: bool,
    /// Russian insurance numbers (SNILS).
    pub insurance_numbers: bool,
    /// International account numbers.
    pub ibans: bool,
    /// What stands of them.
    pub iban: Keep,
    /// What else is taken out.
    pub patterns: Vec<Pattern>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            card: Keep { first: 6, last: 4 },
            issuers: Vec::new(),
            codes: true,
            passports: true,
            insurance_numbers: true,
            ibans: true,
            iban: Keep { first: 4, last: 4 },
            patterns: Vec::new(),
        }
    }
}

/// How many letters and digits stand at the beginning and the end of what is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// At its beginning.
    pub first: usize,
    /// At its end.
    pub last: usize,
}

/// Something else that is taken out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// What it is called when it is wrong.
    pub name: String,
    /// As the `regex` crate reads it; digits of all scripts count as the ASCII ones.
    pub regex: String,
    /// What stands of it. Default: nothing.
    #[serde(default)]
    pub keep: Keep,
}

/// Rules that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// The text is not TOML, or has keys and values that there are not.
    #[error("the rules can't be read: {0}")]
    Unreadable(String),
    /// More of a card number would stand than may.
    #[error("`card` keeps {first} and {last} digits; expected 6 and 4 at most (PCI DSS)")]
    KeepsTooMuch {
        /// At its beginning.
        first: usize,
        /// At its end.
        last: usize,
    },
    /// An issuer that can't be.
    #[error("the issuer from `{from}`: {problem}")]
    Issuer {
        /// Its lowest prefix.
        from: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A pattern that can't be read.
    #[error("the pattern `{name}` can't be used: {problem}")]
    Pattern {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Rules {
    /// Reads rules from TOML.
    ///
    /// # Errors
    /// [`RulesError::Unreadable`]; whether they can be used is told by
    /// [`Patterns::try_new`](crate::Patterns::try_new).
    pub fn from_toml(text: &str) -> Result<Self, RulesError> {
        toml::from_str(text)
            .map_err(|error| RulesError::Unreadable(error.to_string().trim_end().to_owned()))
    }

    pub(crate) fn check(&self) -> Result<(), RulesError> {
        let Keep { first, last } = self.card;
        if first > CARD_KEPT_MAX.0 || last > CARD_KEPT_MAX.1 {
            return Err(RulesError::KeepsTooMuch { first, last });
        }
        for issuer in &self.issuers {
            if let Some(problem) = issuer.problem() {
                return Err(RulesError::Issuer {
                    from: issuer.from.clone(),
                    problem,
                });
            }
        }
        Ok(())
    }
}
