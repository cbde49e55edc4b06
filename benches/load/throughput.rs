//! A number of messages under way in each dialog, always: how many are done a second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    figures::{Cost, Window, round},
    options::Options,
    store::Calls,
    talk::{Talk, talks},
    target::Target,
};

/// What all dialogs have done together.
#[derive(Debug, Default)]
pub(crate) struct Done {
    messages: AtomicU64,
    frames_out: AtomicU64,
    frames_in: AtomicU64,
}

impl Done {
    fn now(&self) -> [u64; 3] {
        [&self.messages, &self.frames_out, &self.frames_in].map(|n| n.load(Ordering::Relaxed))
    }
}

pub(crate) async fn run(options: &Options) -> Result<Value> {
    let target = Target::start(options, options.dialogs)?;
    let talks = talks(&target, options.dialogs).await?;
    let (_, line) = measure(options, &target, talks).await?;
    Ok(line)
}

/// Loads the dialogs for the warm-up and the run's time, and gives them back.
pub(crate) async fn measure(
    options: &Options,
    target: &Target,
    talks: Vec<Talk>,
) -> Result<(Vec<Talk>, Value)> {
    let done = Arc::new(Done::default());
    let end = Instant::now() + Duration::from_secs(options.warmup + options.seconds);
    let mut tasks = JoinSet::new();
    for talk in talks {
        tasks.spawn(keep(talk, options.outstanding, End::At(end), done.clone()));
    }
    sleep(Duration::from_secs(options.warmup)).await;
    let (window, calls) = (Window::open(target.pids())?, Calls::begin(options).await?);
    let before = done.now();
    sleep(Duration::from_secs(options.seconds)).await;
    let (cost, after) = (window.close()?, done.now());
    let calls = match calls {
        Some(calls) => Some(calls.end().await?),
        None => None,
    };
    let mut talks = Vec::new();
    while let Some(talk) = tasks.join_next().await {
        talks.push(talk??);
    }
    let mut line = line(&cost, before, after);
    if let Some(calls) = calls {
        let messages = (after[0] - before[0]) as f64;
        line["store_calls_per_message"] = json!(round(calls as f64 / messages));
    }
    Ok((talks, line))
}

fn line(cost: &Cost, before: [u64; 3], after: [u64; 3]) -> Value {
    let [messages, out, back] = [0, 1, 2].map(|i| (after[i] - before[i]) as f64);
    json!({
        "messages": messages,
        "per_second": (messages / cost.took.as_secs_f64()).round(),
        "server_us_per_message": round(cost.server.as_secs_f64() * 1e6 / messages),
        "generator_us_per_message": round(cost.own.as_secs_f64() * 1e6 / messages),
        "frames_to_server_per_message": round(out / messages),
        "frames_from_server_per_message": round(back / messages),
        "machine": cost.machine(),
    })
}

/// When a dialog stops.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    At(Instant),
    After(u64),
}

/// Keeps messages under way until the end, and then waits for the last.
pub(crate) async fn keep(
    mut talk: Talk,
    outstanding: u64,
    end: End,
    done: Arc<Done>,
) -> Result<Talk> {
    let first = talk.sent;
    loop {
        let is_over = match end {
            End::At(end) => Instant::now() >= end,
            End::After(count) => talk.sent - first >= count,
        };
        let under_way = talk.under_way();
        if is_over && under_way == 0 {
            return Ok(talk);
        }
        let frames_out = talk.frames_out;
        if !is_over {
            talk.say(outstanding.saturating_sub(under_way)).await?;
        }
        let (under_way, frames_in) = (talk.under_way(), talk.frames_in);
        talk.hear().await?;
        let newly = under_way - talk.under_way();
        done.messages.fetch_add(newly, Ordering::Relaxed);
        done.frames_out
            .fetch_add(talk.frames_out - frames_out, Ordering::Relaxed);
        done.frames_in
            .fetch_add(talk.frames_in - frames_in, Ordering::Relaxed);
    }
}
