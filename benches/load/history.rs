//! What a message costs after many were stored, and how soon the server is ready again then.

use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    figures::{memory, round},
    options::Options,
    talk::talks,
    target::Target,
    throughput::{Done, End, keep, measure},
};

/// Messages under way in each dialog while the history is filled.
const FILLING: u64 = 32;

pub(crate) async fn run(options: &Options) -> Result<Value> {
    let mut target = Target::start(options, options.dialogs)?;
    let talks = talks(&target, options.dialogs).await?;
    let (talks, empty) = measure(options, &target, talks).await?;
    let stored: u64 = talks.iter().map(|talk| talk.sent).sum();
    let missing = options.messages.saturating_sub(stored);
    let each = missing / u64::try_from(options.dialogs)?;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    let done = Arc::new(Done::default());
    for talk in talks {
        tasks.spawn(keep(talk, FILLING, End::After(each), Arc::clone(&done)));
    }
    let mut filled = Vec::new();
    while let Some(talk) = tasks.join_next().await {
        filled.push(talk??);
    }
    let filling = began.elapsed();
    let full_mib = memory(&target.pids())?.1 / 1024;
    let (talks, full) = measure(options, &target, filled).await?;
    let stored: u64 = talks.iter().map(|talk| talk.sent).sum();
    drop(talks);
    let cost = |line: &Value| line["server_us_per_message"].as_f64().unwrap_or_default();
    let mut line = json!({
        "stored": stored,
        "fill_per_second": (missing as f64 / filling.as_secs_f64()).round(),
        "empty": empty,
        "full": full,
        "cost_ratio": round(cost(&full) / cost(&empty)),
        "pss_mib": full_mib,
        "machine": full["machine"],
    });
    if options.data.is_some() {
        let ready = target.restart().await?;
        line["ready_seconds"] = json!(round(ready.as_secs_f64()));
        line["pss_mib_after_restart"] = json!(memory(&target.pids())?.1 / 1024);
    }
    Ok(line)
}
