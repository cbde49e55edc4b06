//! One event of a board to many staff sessions: how long until the last has it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use chatcore_server::identity::Role;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    connect::AT_ONCE,
    figures::{Window, note, round, summary, times},
    options::{Kind, Options},
    socket::{LONG, Socket, connect, enter, hear, say, until},
    target::Target,
};

/// Operators; each has many sessions, as the sessions are what is counted.
const OPERATORS: usize = 50;
/// Between two events.
const PAUSE: Duration = Duration::from_millis(200);
/// What the relay passes on: as long as our frame of such an event.
const RELAY_BYTES: usize = 330;

/// Who has heard of the event.
#[derive(Debug, Default)]
struct Heard {
    count: AtomicUsize,
    last: Mutex<Option<Instant>>,
    all: Notify,
}

pub(crate) async fn run(options: &Options) -> Result<Value> {
    let target = Target::start(options, OPERATORS)?;
    let sockets = sessions(&target, options.sockets).await?;
    let mut speaker = speaker(&target, options.sockets).await?;
    let heard = Arc::new(Heard::default());
    let mut tasks = JoinSet::new();
    for socket in sockets {
        tasks.spawn(listen(socket, options.sockets, Arc::clone(&heard)));
    }
    // What the set-up has led to is heard first.
    sleep(Duration::from_secs(3)).await;
    let mut spread = times()?;
    let window = Window::open(target.pids())?;
    for round in 1..=options.rounds {
        heard.count.store(0, Ordering::SeqCst);
        let all = heard.all.notified();
        let began = Instant::now();
        say(&mut speaker, event(target.kind, round)).await?;
        timeout(LONG, all)
            .await
            .context("not all have heard of it within 60 s")?;
        let last = *heard.last.lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut spread, last.context("nobody was last")? - began);
        sleep(PAUSE).await;
    }
    let cost = window.close()?;
    tasks.abort_all();
    let frames = (options.rounds * options.sockets as u64) as f64;
    Ok(json!({
        "sockets": options.sockets,
        "last": summary(&spread),
        "server_us_per_frame": round(cost.server.as_secs_f64() * 1e6 / frames),
        "machine": cost.machine(),
    }))
}

/// A frame that leads to one event of the board: another status of the speaker.
fn event(kind: Kind, round: u64) -> String {
    let status = if round.is_multiple_of(2) {
        "available"
    } else {
        "busy"
    };
    let status = json!({"status": {"operator": "o0", "status": status}});
    let mut frame = json!({"send": {
        "target": {"desk": "main"}, "n": round, "command": {"desk": status},
    }})
    .to_string();
    if kind == Kind::Relay {
        frame.extend(std::iter::repeat_n(
            ' ',
            RELAY_BYTES.saturating_sub(frame.len()),
        ));
    }
    frame
}

async fn listen(mut socket: Socket, count: usize, heard: Arc<Heard>) -> Result<()> {
    loop {
        let text = hear(&mut socket).await?;
        if text.starts_with("{\"ping\"") {
            say(&mut socket, "{\"pong\":{}}").await?;
        }
        if !text.starts_with("{\"range\"") && !text.starts_with("{\"send\"") {
            continue;
        }
        if heard.count.fetch_add(1, Ordering::SeqCst) + 1 == count {
            *heard.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            heard.all.notify_waiters();
        }
    }
}

/// The one who makes the events; follows nothing that is counted.
async fn speaker(target: &Target, number: usize) -> Result<Socket> {
    match target.kind {
        Kind::Relay => one(target, number).await,
        Kind::Chatcore => {
            let token = target.token("o0", Role::Operator)?;
            let device = "d-1790000000000-speaker";
            let mut socket = enter(target.address, number, &token, device, &json!({})).await?;
            say(&mut socket, r#"{"unfollow":{"stream":"board/main"}}"#).await?;
            until(&mut socket, |frame| frame.get("left").map(drop)).await?;
            Ok(socket)
        }
    }
}

async fn sessions(target: &Target, count: usize) -> Result<Vec<Socket>> {
    let mut sockets = stream::iter(0..count)
        .map(|i| one(target, i))
        .buffer_unordered(AT_ONCE);
    let mut all = Vec::with_capacity(count);
    while let Some(socket) = sockets.next().await {
        all.push(socket?);
    }
    Ok(all)
}

async fn one(target: &Target, i: usize) -> Result<Socket> {
    match target.kind {
        Kind::Relay => {
            let mut socket = connect(target.address, i, None).await?;
            say(&mut socket, "room board").await?;
            until(&mut socket, |frame| frame.get("joined").map(drop)).await?;
            Ok(socket)
        }
        Kind::Chatcore => {
            let token = target.token(&format!("o{}", i % OPERATORS), Role::Operator)?;
            let device = format!("d{i}");
            let mut socket = enter(target.address, i, &token, &device, &json!({})).await?;
            until(&mut socket, |frame| frame.get("reset").map(drop)).await?;
            Ok(socket)
        }
    }
}
