//! Makes a plan that fails smaller, and tells of a failure so that a person can read it.

use std::fmt::Write;

use super::{
    history::What,
    plan::{Act, Plan},
    run::{Report, run},
};
use crate::record::Verdict;

/// What a failure is known by: the same checker, or the same kind of trouble.
#[must_use]
pub fn signature(report: &Report) -> Option<String> {
    let violation = report.violations.first().map(|v| v.invariant.to_owned());
    let trouble = || {
        let first = report.troubles.first()?;
        let words = first.split(':').next().unwrap_or_default();
        Some(words.chars().filter(|c| !c.is_ascii_digit()).collect())
    };
    violation.or_else(trouble)
}

/// Leaves entries of the plan out as long as it fails in the same way, in at most so many runs.
#[must_use]
pub fn shrink(plan: &Plan, signature_of: &str, runs_max: usize) -> Plan {
    let fails = |plan: &Plan| {
        run(plan).is_ok_and(|report| signature(&report).as_deref() == Some(signature_of))
    };
    let mut smallest = plan.clone();
    let mut runs = 0;
    // Halves first, then ever smaller pieces, until single entries were tried.
    let mut piece = smallest.entries.len().div_ceil(2);
    while piece > 0 && runs < runs_max {
        let mut from = 0;
        let mut is_smaller = false;
        while from < smallest.entries.len() && runs < runs_max {
            let mut tried = smallest.clone();
            let upto = (from + piece).min(tried.entries.len());
            tried.entries.drain(from..upto);
            runs += 1;
            if fails(&tried) {
                smallest = tried;
                is_smaller = true;
            } else {
                from = upto;
            }
        }
        if piece == 1 && !is_smaller {
            break;
        }
        if !is_smaller || piece > smallest.entries.len() {
            piece = if piece == 1 { 1 } else { piece.div_ceil(2) };
        }
    }
    smallest
}

/// What a person needs to know of a failure.
#[must_use]
pub fn tell(plan: &Plan, report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "seed {}: {} entries of the plan",
        plan.seed,
        plan.entries.len()
    );
    for planned in &plan.entries {
        let act = match &planned.act {
            Act::Fault(fault) => format!("{fault:?}"),
            Act::Customer {
                who, device, does, ..
            } => format!("customer-{who} at device {device}: {does:?}"),
            Act::Operator { who, does, .. } => format!("operator-{who}: {does:?}"),
            Act::Revoke { pick } => format!("somebody is revoked ({pick})"),
        };
        let _ = writeln!(text, "  {:>7} ms  {act}", planned.at_ms);
    }
    for trouble in &report.troubles {
        let _ = writeln!(text, "trouble: {trouble}");
    }
    for violation in report.violations.iter().take(10) {
        let _ = writeln!(text, "violation: {violation}");
    }
    for (partition, decision) in report.truth.decisions() {
        if let Verdict::Parked { reason, .. } | Verdict::DeadLettered { reason } = &decision.verdict
        {
            let (target, cause) = (&decision.target, decision.cause);
            let _ = writeln!(
                text,
                "{target}: command {partition}/{cause} set aside as {reason}"
            );
        }
    }
    let shown: Vec<usize> = report
        .violations
        .iter()
        .take(3)
        .flat_map(|v| v.entries.iter().copied())
        .collect();
    let entries = report.history.entries();
    let is_small = entries.len() <= 400;
    let _ = writeln!(text, "history:");
    for (index, entry) in entries.iter().enumerate() {
        let is_frame = matches!(
            entry.what,
            What::Fault { .. } | What::Started { .. } | What::Stopped { .. } | What::Healed
        );
        let is_near = shown.iter().any(|at| index + 3 >= *at && index <= *at);
        if is_small || is_frame || is_near {
            let line = serde_json::to_string(entry).unwrap_or_default();
            let _ = writeln!(text, "  {index:>5} {line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_known_without_its_numbers() {
        let plan = Plan {
            entries: Vec::new(),
            ..Plan::without_faults(1)
        };
        let mut report = run(&plan).unwrap();
        report.troubles = vec!["node node-7 ended by itself: why".to_owned()];
        assert_eq!(
            signature(&report).as_deref(),
            Some("node node- ended by itself")
        );
        report.troubles.clear();
        assert_eq!(signature(&report), None);
    }
}
