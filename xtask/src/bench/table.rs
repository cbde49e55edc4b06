//! Figures of several rounds, as medians with their ranges.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// What was measured, by row and column.
#[derive(Debug, Default)]
pub(super) struct Rows {
    labels: Vec<String>,
    values: BTreeMap<(String, &'static str), Vec<f64>>,
    /// How busy the machine was in each run, and how much of that was neither side's.
    machine: BTreeMap<&'static str, Vec<f64>>,
}

const MACHINE: [(&str, &str); 4] = [
    ("load average", "/machine/load1"),
    ("busy", "/machine/busy"),
    ("steal", "/machine/steal"),
    ("busy with others", "/machine/others"),
];

impl Rows {
    /// A figure of a run; none where this side has no such figure.
    pub(super) fn note(&mut self, label: &str, side: &'static str, value: Option<f64>) {
        if self.labels.iter().all(|known| known != label) {
            self.labels.push(label.to_owned());
        }
        let values = self.values.entry((label.to_owned(), side)).or_default();
        values.extend(value);
    }

    /// What a run says of the machine.
    pub(super) fn machine(&mut self, line: &Value) {
        for (name, place) in MACHINE {
            let value = line.pointer(place).and_then(|value| match value {
                Value::String(text) => text.parse().ok(),
                value => value.as_f64(),
            });
            self.machine.entry(name).or_default().extend(value);
        }
    }

    /// The table, in Markdown.
    pub(super) fn table(&self) -> String {
        let mut text = String::from(
            "\n| | bare relay | in memory | ratio | durable |\n| --- | --- | --- | --- | --- |\n",
        );
        for label in &self.labels {
            let side = |side| self.values.get(&(label.clone(), side)).map(Vec::as_slice);
            let [relay, memory, durable] = ["relay", "memory", "durable"].map(side);
            let ratio = match (relay.and_then(median), memory.and_then(median)) {
                (Some(relay), Some(memory)) if relay > 0.0 => format!("{:.2}", memory / relay),
                _ => "–".to_owned(),
            };
            let [relay, memory, durable] = [relay, memory, durable].map(shown);
            // Writing to a string can't fail.
            let _ = writeln!(
                text,
                "| {label} | {relay} | {memory} | {ratio} | {durable} |"
            );
        }
        self.add_machine(&mut text);
        text
    }

    /// The table of one side alone.
    pub(super) fn column(&self, side: &'static str) -> String {
        let mut text = format!("\n| | {side} |\n| --- | --- |\n");
        for label in &self.labels {
            let values = self.values.get(&(label.clone(), side));
            // Writing to a string can't fail.
            let _ = writeln!(text, "| {label} | {} |", shown(values.map(Vec::as_slice)));
        }
        self.add_machine(&mut text);
        text
    }

    fn add_machine(&self, text: &mut String) {
        text.push_str("\nThe machine meanwhile, least and most of all runs:");
        for (name, _) in MACHINE {
            let values = self
                .machine
                .get(name)
                .map(Vec::as_slice)
                .unwrap_or_default();
            if let Some((least, most)) = range(values) {
                let _ = write!(text, " {name} {}–{};", figure(least), figure(most));
            }
        }
        text.push('\n');
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn median(values: &[f64]) -> Option<f64> {
    sorted(values).get(values.len() / 2).copied()
}

fn range(values: &[f64]) -> Option<(f64, f64)> {
    let sorted = sorted(values);
    Some((*sorted.first()?, *sorted.last()?))
}

fn shown(values: Option<&[f64]>) -> String {
    let values = values.unwrap_or_default();
    match (median(values), range(values)) {
        (Some(median), Some((least, most))) if values.len() > 1 => {
            format!("{} ({}–{})", figure(median), figure(least), figure(most))
        }
        (Some(median), _) => figure(median),
        _ => "–".to_owned(),
    }
}

/// Three digits that count, and no more after the point.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_has_medians_ranges_and_the_ratio_of_medians() {
        let mut rows = Rows::default();
        for (relay, memory) in [(2.0, 3.0), (1.0, 9.0), (3.0, 2.0)] {
            rows.note("p50 (ms)", "relay", Some(relay));
            rows.note("p50 (ms)", "memory", Some(memory));
            rows.note("p50 (ms)", "durable", None);
        }
        rows.machine(&json!({"machine": {"load1": "1.5", "busy": 0.5}}));
        let table = rows.table();
        let row = "| p50 (ms) | 2.00 (1.00–3.00) | 3.00 (2.00–9.00) | 1.50 | – |\n";
        assert!(table.contains(row), "{table}");
        assert!(
            table.contains("load average 1.50–1.50; busy 0.50–0.50;"),
            "{table}"
        );
    }
}
