//! The values of the keys, from wherever they come, and what was wrong with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    fs,
    ops::RangeInclusive,
    str::FromStr,
};

use clap::{ArgMatches, parser::ValueSource};
use toml::{Table, Value};

use super::keys::{KEYS, default};

/// A value, and where it stands.
#[derive(Debug, Clone)]
struct Found {
    text: String,
    place: String,
}

/// All values, the later source over the earlier; and the problems found so far.
#[derive(Debug, Default)]
pub(super) struct Sources {
    values: BTreeMap<&'static str, Found>,
    desks: Table,
    problems: Vec<String>,
}

impl Sources {
    pub(super) fn gather(
        flags: &ArgMatches,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut sources = Self::default();
        let mut variables: BTreeMap<String, String> = environment
            .into_iter()
            .filter(|(name, _)| name.starts_with("CHATCORE_") && !is_for_tests(name))
            .collect();
        let file = variables.remove("CHATCORE_CONFIG");
        if let Some(path) = flags.get_one::<String>("config").cloned().or(file) {
            sources.read_file(&path);
        }
        for key in KEYS {
            let variable = key.variable();
            if let Some(text) = variables.remove(&variable) {
                sources.put(key.name, text, variable);
            }
            let given = flags.value_source(key.name) == Some(ValueSource::CommandLine);
            if given {
                let text = match key.value {
                    Some(_) => flags.get_one::<String>(key.name).cloned(),
                    None => Some("true".to_owned()),
                };
                sources.put(
                    key.name,
                    text.unwrap_or_default(),
                    format!("--{}", key.flag()),
                );
            }
        }
        for name in variables.into_keys() {
            let text = format!("{name}: there is no such key; see --help for those there are");
            sources.problems.push(text);
        }
        sources
    }

    fn put(&mut self, name: &'static str, text: String, place: String) {
        self.values.insert(name, Found { text, place });
    }

    fn read_file(&mut self, path: &str) {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let text = format!("config: `{path}` can't be read: {error}; expected a TOML file");
                return self.problems.push(text);
            }
        };
        let mut table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let text = format!(
                    "config: `{path}` is not TOML: {}",
                    error.to_string().trim_end()
                );
                return self.problems.push(text);
            }
        };
        match table.remove("desks") {
            Some(Value::Table(desks)) => self.desks = desks,
            Some(_) => self.problem("desks", "is not a table; expected [desks.NAME…]"),
            None => {}
        }
        for key in KEYS {
            let Some(value) = table.remove(key.name) else {
                continue;
            };
            match as_text(&value) {
                Some(text) => self.put(key.name, text, format!("{} in {path}", key.name)),
                None => self.problem(
                    key.name,
                    "is a table or a date; expected a text, a number, a list of texts, true or false",
                ),
            }
        }
        let known: BTreeSet<_> = KEYS.iter().map(|key| key.name).collect();
        for name in table.keys() {
            let known = known.iter().copied().collect::<Vec<_>>().join(", ");
            let text = format!("{name} in {path}: there is no such key; expected {known} or desks");
            self.problems.push(text);
        }
    }

    /// Tells a problem of a key. Secrets are never in the text.
    pub(super) fn problem(&mut self, name: &str, text: &str) {
        let place = self
            .values
            .get(name)
            .map_or(name, |found| found.place.as_str());
        self.problems.push(format!("{place}: {text}"));
    }

    pub(super) fn into_problems(self) -> Vec<String> {
        self.problems
    }

    /// The desks' table of the file.
    pub(super) fn take_desks(&mut self) -> Table {
        std::mem::take(&mut self.desks)
    }

    /// The text of a key, or its default.
    pub(super) fn take(&self, name: &str) -> Option<String> {
        let set = self.values.get(name).map(|found| found.text.clone());
        set.or_else(|| default(name).map(str::to_owned))
    }

    /// What is in a file that a key names.
    pub(super) fn bytes(&mut self, name: &str, path: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(path);
        bytes
            .map_err(|error| {
                let problem = format!("`{path}` can't be read: {error}; expected a file");
                self.problem(name, &problem);
            })
            .ok()
    }

    /// The text of a file that a key names.
    pub(super) fn file(&mut self, name: &str, path: &str) -> Option<String> {
        let text = String::from_utf8(self.bytes(name, path)?);
        text.map_err(|_| self.problem(name, &format!("`{path}` is no text; expected UTF-8")))
            .ok()
    }

    /// Whether a switch is on.
    pub(super) fn switch(&mut self, name: &str) -> bool {
        match self.take(name).as_deref() {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(other) => {
                let text = format!("`{other}` is not a switch; expected true or false");
                self.problem(name, &text);
                false
            }
        }
    }

    /// A value that reads from text.
    pub(super) fn parse<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        let text = self.take(name)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.problem(
                name,
                &format!("`{text}` can't be used; expected {expected}"),
            );
        }
        value
    }

    /// A whole number within a range.
    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let text = self.take(name)?;
        let value = text.parse().ok().filter(|n| range.contains(n));
        if value.is_none() {
            let (least, most) = (range.start(), range.end());
            let text = format!("`{text}` can't be used; expected a number from {least} to {most}");
            self.problem(name, &text);
        }
        value
    }

    /// A list by commas; each item is checked.
    pub(super) fn list(
        &mut self,
        name: &str,
        is_good: impl Fn(&str) -> bool,
        expected: impl Display,
    ) -> Vec<String> {
        let text = self.take(name).unwrap_or_default();
        let items: Vec<String> = text
            .split(',')
            .map(|item| item.trim().to_owned())
            .filter(|item| !item.is_empty())
            .collect();
        for item in items.iter().filter(|item| !is_good(item)) {
            self.problem(
                name,
                &format!("`{item}` can't be used; expected {expected}"),
            );
        }
        items
    }
}

/// Settings of the tests, which are not the server's.
fn is_for_tests(name: &str) -> bool {
    name.starts_with("CHATCORE_TEST_")
        || name.starts_with("CHATCORE_FUZZ_")
        // Where tests find a Kafka and a Redis, and the chores their tools.
        || ["CHATCORE_KAFKA", "CHATCORE_KEYDB", "CHATCORE_TOOLS_DIR", "CHATCORE_CHROMIUM"].contains(&name)
        // Only where it does something: elsewhere it is a mistake to set it.
        || (cfg!(feature = "sabotage") && name == "CHATCORE_SABOTAGE")
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(on) => Some(on.to_string()),
        Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        Value::Datetime(_) | Value::Table(_) => None,
    }
}
