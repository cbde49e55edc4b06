//! Sockets that connect and follow: how long all take, and what one costs while it is idle.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
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
    figures::{Window, memory, round},
    options::{Kind, Options},
    socket::{DEVICE, Socket, connect, enter, say, until},
    talk::customer,
    target::Target,
};

/// Sockets that connect at the same time.
pub(crate) const AT_ONCE: usize = 256;
/// After the last connect, before the memory is read.
const REST: Duration = Duration::from_secs(3);

pub(crate) async fn run(options: &Options) -> Result<Value> {
    let target = Target::start(options, 1)?;
    let count = options.sockets;
    // What a first connect brings once is not a socket's.
    let first = one(&target.kind, target.address, 0, &target.customer("first")?).await?;
    let tokens: Vec<String> = (0..count)
        .map(|i| target.customer(&customer(i)))
        .collect::<Result<_>>()?;
    let before = memory(&target.pids())?;
    let window = Window::open(target.pids())?;
    let began = Instant::now();
    let sockets = all(&target, tokens).await?;
    let took = began.elapsed();
    let cost = window.close()?;
    sleep(REST).await;
    let after = memory(&target.pids())?;
    let each = |before: u64, after: u64| round((after as f64 - before as f64) / count as f64);
    drop((sockets, first));
    Ok(json!({
        "sockets": count,
        "seconds": round(took.as_secs_f64()),
        "per_second": (count as f64 / took.as_secs_f64()).round(),
        "server_us_per_socket": round(cost.server.as_secs_f64() * 1e6 / count as f64),
        "rss_kib_per_socket": each(before.0, after.0),
        "pss_kib_per_socket": each(before.1, after.1),
        "pss_mib_before": before.1 / 1024,
        "pss_mib_after": after.1 / 1024,
        "machine": cost.machine(),
    }))
}

/// Connects all, some at a time.
async fn all(target: &Target, tokens: Vec<String>) -> Result<Vec<Socket>> {
    let next = Arc::new(AtomicUsize::new(0));
    let tokens = Arc::new(tokens);
    let (kind, address) = (target.kind, target.address);
    let mut tasks = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (next, tokens) = (Arc::clone(&next), Arc::clone(&tokens));
        tasks.spawn(async move {
            let mut sockets = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some(token) = tokens.get(i) else {
                    return Ok::<_, anyhow::Error>(sockets);
                };
                sockets.push(one(&kind, address, i, token).await?);
            }
        });
    }
    let mut sockets = Vec::new();
    while let Some(some) = tasks.join_next().await {
        sockets.extend(some??);
    }
    Ok(sockets)
}

/// Connects one, until it follows.
async fn one(kind: &Kind, address: std::net::SocketAddr, i: usize, token: &str) -> Result<Socket> {
    match kind {
        Kind::Relay => {
            let mut socket = connect(address, i, None).await?;
            say(&mut socket, format!("room {i}")).await?;
            until(&mut socket, |frame| frame.get("joined").map(drop)).await?;
            Ok(socket)
        }
        Kind::Chatcore => {
            let mut socket = enter(address, i, token, DEVICE, &json!({})).await?;
            // Its own stream.
            until(&mut socket, |frame| frame.get("reset").map(drop)).await?;
            Ok(socket)
        }
    }
}
