//! A bank's own patterns.

use regex::Regex;

use crate::{
    digit::{Kind, kind},
    rules::{Keep, Pattern, RulesError},
};

/// A pattern that is ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    regex: Regex,
    pub(crate) keep: Keep,
}

impl Ready {
    pub(crate) fn try_new(pattern: &Pattern) -> Result<Self, RulesError> {
        let wrong = |problem: String| RulesError::Pattern {
            name: pattern.name.clone(),
            problem,
        };
        let regex = Regex::new(&pattern.regex).map_err(|error| wrong(error.to_string()))?;
        if regex.is_match("") {
            return Err(wrong("it is met by an empty text".to_owned()));
        }
        Ok(Self {
            regex,
            keep: pattern.keep,
        })
    }

    /// Where letters and digits stand that meet the pattern, in bytes of the text.
    pub(crate) fn find(&self, plain: &Plain) -> Vec<Vec<usize>> {
        let matches = self.regex.find_iter(&plain.text);
        matches.map(|found| plain.places(found.range())).collect()
    }
}

/// A text with the ASCII digits in place of all others.
#[derive(Debug)]
pub(crate) struct Plain {
    text: String,
    /// Where each character of it stands, here and in the text that it was made of.
    places: Vec<(usize, usize)>,
}

impl Plain {
    pub(crate) fn new(text: &str) -> Self {
        let mut plain = Self {
            text: String::with_capacity(text.len()),
            places: Vec::with_capacity(text.len()),
        };
        for (at, c) in text.char_indices() {
            plain.places.push((plain.text.len(), at));
            match kind(c) {
                Kind::Digit(value) => plain.text.push(char::from(b'0' + value)),
                _ => plain.text.push(c),
            }
        }
        plain
    }

    fn places(&self, range: std::ops::Range<usize>) -> Vec<usize> {
        let from = self.places.partition_point(|(here, _)| *here < range.start);
        let upto = self.places.partition_point(|(here, _)| *here < range.end);
        let places = self.places.get(from..upto).unwrap_or_default();
        let is_text = |(here, _): &&(usize, usize)| {
            let c = self.text.get(*here..).and_then(|rest| rest.chars().next());
            c.is_some_and(char::is_alphanumeric)
        };
        places
            .iter()
            .filter(is_text)
            .map(|(_, there)| *there)
            .collect()
    }
}
