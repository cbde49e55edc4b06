//! Readers that don't read: what the server keeps for them, and what they cost the others.

use std::time::Duration;

use anyhow::{Result, bail};
use chatcore_server::identity::Role;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    figures::{memory, round},
    latency::measure,
    options::{Kind, Options},
    socket::{CHATCORE, Socket, connect_with, hear, hello, say},
    talk::talks,
    target::Target,
};

/// The kernel's buffer of a reader that does not read: the smallest, so that it is full soon.
const RECEIVE_BYTES: u32 = 4 * 1024;

pub(crate) async fn run(options: &Options) -> Result<Value> {
    if options.kind == Kind::Relay {
        bail!("a relay does not bound what it keeps for a reader");
    }
    let target = Target::start(options, options.dialogs)?;
    let talks = talks(&target, options.dialogs).await?;
    let (talks, without) = measure(options, &target, talks).await?;
    let before = memory(&target.pids())?.1;
    let dialogs: Vec<u64> = talks.iter().map(crate::talk::Talk::dialog).collect();
    let mut deaf = Vec::with_capacity(options.sockets);
    for i in 0..options.sockets {
        deaf.push(reader(&target, i, dialogs[i % dialogs.len()]).await?);
    }
    sleep(Duration::from_secs(1)).await;
    let connected = memory(&target.pids())?.1;
    let (talks, with) = measure(options, &target, talks).await?;
    let after = memory(&target.pids())?.1;
    drop((deaf, talks));
    let p99 = |line: &Value| line["delivery"]["p99_ms"].as_f64().unwrap_or_default();
    let each =
        |before: u64, after: u64| round((after as f64 - before as f64) / options.sockets as f64);
    Ok(json!({
        "readers": options.sockets,
        "without": without,
        "with": with,
        "p99_ratio": round(p99(&with) / p99(&without)),
        "pss_kib_per_reader_connected": each(before, connected),
        "pss_kib_per_reader_deaf": each(connected, after),
        "machine": with["machine"],
    }))
}

/// A supervisor's session that follows one of the dialogs, and reads nothing after its welcome.
async fn reader(target: &Target, i: usize, dialog: u64) -> Result<Socket> {
    let token = target.token(&format!("s{i}"), Role::Supervisor)?;
    let number = 2 * target.operators() + i;
    let mut socket = connect_with(target.address, number, CHATCORE, Some(RECEIVE_BYTES)).await?;
    say(&mut socket, hello(&token, "deaf", &json!({}))).await?;
    hear(&mut socket).await?;
    let follow = json!({"follow": {"stream": format!("dialog/{dialog}"), "after": null}});
    say(&mut socket, follow.to_string()).await?;
    Ok(socket)
}
