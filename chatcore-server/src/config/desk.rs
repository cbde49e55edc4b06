//! The desks of the file: `[desks.NAME]` with queues and operators.

use std::collections::{BTreeMap, BTreeSet};

use chatcore::{
    ids::{DeskId, QueueId, StaffId},
    queue::{Assignment, DeskConfig, OperatorConfig, QueueConfig},
};
use serde::Deserialize;

use super::sources::Sources;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeskInFile {
    queues: BTreeMap<QueueId, QueueInFile>,
    #[serde(default)]
    operators: BTreeMap<StaffId, OperatorInFile>,
    #[serde(default = "grace_ms")]
    grace_ms: u64,
    #[serde(default = "grant_resend_ms")]
    grant_resend_ms: u64,
    #[serde(default = "reconcile_ms")]
    reconcile_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueInFile {
    title: String,
    #[serde(default)]
    assignment: Assignment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorInFile {
    name: String,
    capacity: u16,
    queues: BTreeSet<QueueId>,
}

fn grace_ms() -> u64 {
    60_000
}

fn grant_resend_ms() -> u64 {
    5_000
}

fn reconcile_ms() -> u64 {
    60_000
}

/// Reads all desks of the file.
pub(super) fn read(sources: &mut Sources) -> BTreeMap<DeskId, DeskConfig> {
    let mut desks = BTreeMap::new();
    for (name, value) in sources.take_desks() {
        let key = format!("desks.{name}");
        let id = match DeskId::try_new(&name) {
            Ok(id) => id,
            Err(error) => {
                sources.problem(&key, &format!("`{name}` can't be used: {error}"));
                continue;
            }
        };
        match serde_path_to_error::deserialize::<_, DeskInFile>(value) {
            Ok(desk) => {
                check(&key, &desk, sources);
                desks.insert(id, desk.into());
            }
            Err(error) => {
                let place = format!("{key}.{}", error.path());
                let text = error.inner().message().to_owned();
                sources.problem(&place, &text);
            }
        }
    }
    desks
}

fn check(key: &str, desk: &DeskInFile, sources: &mut Sources) {
    if desk.queues.is_empty() {
        let text = "has no queue; expected at least one [desks.NAME.queues.QUEUE]";
        sources.problem(&format!("{key}.queues"), text);
    }
    for (id, operator) in &desk.operators {
        for queue in operator
            .queues
            .iter()
            .filter(|q| !desk.queues.contains_key(q))
        {
            let text = format!("`{queue}` is not a queue of this desk; expected one that is");
            sources.problem(&format!("{key}.operators.{id}.queues"), &text);
        }
    }
}

impl From<DeskInFile> for DeskConfig {
    fn from(desk: DeskInFile) -> Self {
        let queue = |q: QueueInFile| QueueConfig {
            title: q.title,
            assignment: q.assignment,
        };
        let operator = |o: OperatorInFile| OperatorConfig {
            name: o.name,
            capacity: o.capacity,
            queues: o.queues,
        };
        Self {
            queues: desk
                .queues
                .into_iter()
                .map(|(id, q)| (id, queue(q)))
                .collect(),
            operators: desk
                .operators
                .into_iter()
                .map(|(id, o)| (id, operator(o)))
                .collect(),
            grace_ms: desk.grace_ms,
            grant_resend_ms: desk.grant_resend_ms,
            reconcile_ms: desk.reconcile_ms,
        }
    }
}
