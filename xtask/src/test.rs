//! `cargo xtask test`: every stage, each within its time.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{self, Ended, run_capped};
use crate::project::Project;
use crate::stages::{STAGES, Stage};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    All,
    List,
    Only(Vec<&'static str>),
}

impl Choice {
    /// Reads the words after `test`.
    pub(crate) fn from_words(words: &[&str]) -> Result<Self> {
        match words {
            [] => Ok(Self::All),
            ["--list"] => Ok(Self::List),
            _ => words
                .chunks(2)
                .map(only_one)
                .collect::<Result<_>>()
                .map(Self::Only),
        }
    }
}

fn only_one(words: &[&str]) -> Result<&'static str> {
    let ["--only", name] = words else {
        bail!("`{}` is not `--list` or `--only <stage>`", words.join(" "));
    };
    let stage = STAGES.iter().find(|stage| stage.name == *name);
    stage.map(|stage| stage.name).with_context(|| {
        let names: Vec<_> = STAGES.iter().map(|stage| stage.name).collect();
        format!("no stage called `{name}`; there are: {}", names.join(", "))
    })
}

/// How a stage went.
struct Report {
    name: &'static str,
    took: Duration,
    budget: Duration,
    passed: bool,
}

impl Report {
    /// A line of the table: how it went, what it took, and what it should.
    fn line(&self) -> String {
        let verdict = if self.passed { "passed" } else { "FAILED" };
        let (name, took) = (self.name, self.took.as_secs_f64());
        let over = if self.took > self.budget {
            ", over"
        } else {
            ""
        };
        let budget = self.budget.as_secs() / 60;
        format!("{name:<12} {verdict} {took:>8.1} s of {budget:>2} min{over}")
    }
}

/// Runs what was chosen, sums up, and says by the exit code whether all passed.
pub(crate) fn run(project: &Project, choice: &Choice) -> Result<ExitCode> {
    let stages: Vec<&Stage> = match choice {
        Choice::List => {
            for stage in STAGES {
                let (budget, cap) = (stage.budget_minutes, stage.cap_minutes);
                println!("{:<12} {budget:>2} min, at most {cap:>2} min", stage.name);
            }
            return Ok(ExitCode::SUCCESS);
        }
        Choice::All => STAGES.iter().collect(),
        Choice::Only(names) => STAGES
            .iter()
            .filter(|stage| names.contains(&stage.name))
            .collect(),
    };
    process::end_group_when_interrupted()?;
    let mut reports = Vec::new();
    for stage in stages {
        let report = run_stage(project, stage)?;
        let without_tools = stage.name == "setup" && !report.passed;
        reports.push(report);
        if without_tools {
            break;
        }
    }
    Ok(sum_up(&reports))
}

fn run_stage(project: &Project, stage: &Stage) -> Result<Report> {
    let cap = Duration::from_secs(stage.cap_minutes * 60);
    println!("\n=== {} (at most {} min)", stage.name, stage.cap_minutes);
    let began = process::now();
    let mut passed = true;
    for mut command in (stage.commands)(project)? {
        let ended = run_capped(&mut command, cap.saturating_sub(began.elapsed()))?;
        match ended {
            Ended::Passed => continue,
            Ended::Failed(status) => println!("stage {} failed: {status}", stage.name),
            Ended::OverCap => println!(
                "stage {} was ended: it took longer than its {} min",
                stage.name, stage.cap_minutes
            ),
        }
        passed = false;
        break;
    }
    let took = began.elapsed();
    let verdict = if passed { "passed" } else { "FAILED" };
    println!(
        "=== {} {verdict} in {:.1} s",
        stage.name,
        took.as_secs_f64()
    );
    Ok(Report {
        name: stage.name,
        took,
        budget: Duration::from_secs(stage.budget_minutes * 60),
        passed,
    })
}

/// Prints the table, and last of all the one line that programs read.
fn sum_up(reports: &[Report]) -> ExitCode {
    println!();
    for report in reports {
        println!("{}", report.line());
    }
    let took: Duration = reports.iter().map(|report| report.took).sum();
    let budget: Duration = reports.iter().map(|report| report.budget).sum();
    let (took, budget) = (took.as_secs_f64() / 60.0, budget.as_secs() / 60);
    println!("\nin all {took:.1} min of {budget} min");
    let passed = reports.iter().filter(|report| report.passed).count();
    let failed = reports.len() - passed;
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Choice, Report};

    #[test]
    fn the_table_tells_what_took_longer_than_it_should() {
        let mut report = Report {
            name: "fmt",
            took: Duration::from_secs(60),
            budget: Duration::from_secs(60),
            passed: true,
        };
        assert_eq!(report.line(), "fmt          passed     60.0 s of  1 min");
        report.took += Duration::from_millis(100);
        report.passed = false;
        assert_eq!(
            report.line(),
            "fmt          FAILED     60.1 s of  1 min, over"
        );
    }

    #[test]
    fn stages_are_chosen_by_name() {
        assert_eq!(Choice::from_words(&[]).unwrap(), Choice::All);
        assert_eq!(Choice::from_words(&["--list"]).unwrap(), Choice::List);
        let two = Choice::from_words(&["--only", "fmt", "--only", "rules"]).unwrap();
        assert_eq!(two, Choice::Only(vec!["fmt", "rules"]));
    }

    #[test]
    fn an_unknown_stage_is_refused_with_the_names_of_the_known() {
        let error = Choice::from_words(&["--only", "nothing"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("clippy"), "{error}");
        assert!(Choice::from_words(&["--only"]).is_err());
        assert!(Choice::from_words(&["fmt"]).is_err());
    }
}
