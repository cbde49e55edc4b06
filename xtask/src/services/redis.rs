//! A Redis primary with two replicas and three Sentinels, from Debian's packages.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{
    Ports, Started, addresses,
    daemon::{Daemon, Launch},
};
use crate::project::on_path;
use crate::setup::apt;

/// Redis is one program under several names. Debian has the others as links to this one, in a
/// package that starts nothing when it is installed.
const PROGRAM: &str = "redis-check-rdb";

/// The configuration of a Sentinel, in its folder.
const SENTINEL_CONF: &str = "sentinel.conf";

/// What the Sentinels call the primary.
const NAME: &str = "chatcore";

/// Starts the servers; answers the address of the Sentinels.
pub(super) fn start(started: &mut Started<'_>, ports: &mut Ports) -> Result<String> {
    if on_path(&[PROGRAM]).is_none() {
        apt::install(&["redis-tools"], "no Redis")?;
    }
    let program = on_path(&[PROGRAM]).context("redis-tools has no redis-check-rdb")?;
    let servers = ports.many(3)?;
    let Some((primary, replicas)) = servers.split_first() else {
        bail!("no ports for Redis");
    };
    for (at, port) in servers.iter().enumerate() {
        let name = format!("redis-{}", at + 1);
        let folder = started.folder(&name)?;
        let mut server = as_server(&program, *port);
        if port != primary {
            server = server.args(["--replicaof", "127.0.0.1", &primary.to_string()]);
        }
        started.add(Daemon::start(&name, &server, &folder)?)?;
        answers(started, *port, "PING", "PONG")?;
    }
    for port in replicas {
        answers(started, *port, "INFO replication", "master_link_status:up")?;
    }
    let sentinels = ports.many(3)?;
    for (at, port) in sentinels.iter().enumerate() {
        let name = format!("sentinel-{}", at + 1);
        let folder = started.folder(&name)?;
        write_sentinel(&folder, *port, *primary)?;
        let sentinel = Launch::new(*port, &program)
            .arg0("redis-sentinel")
            .args([SENTINEL_CONF]);
        started.add(Daemon::start(&name, &sentinel, &folder)?)?;
    }
    for port in &sentinels {
        let others = "num-other-sentinels\r\n$1\r\n2";
        answers(started, *port, &format!("SENTINEL MASTER {NAME}"), others)?;
        answers(started, *port, &format!("SENTINEL CKQUORUM {NAME}"), "OK 3")?;
    }
    Ok(format!("redis+sentinel://{}/{NAME}", addresses(&sentinels)))
}

/// In memory alone, as the view of the journal is.
fn as_server(program: &Path, port: u16) -> Launch {
    Launch::new(port, program)
        .arg0("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .args(["--repl-diskless-sync-delay", "0"])
        .args(["--repl-ping-replica-period", "1"])
        // As in production, but for the lag: there it is 2 s, and a busy machine stands still for
        // longer now and then.
        .args(["--min-replicas-to-write", "1"])
        .args(["--min-replicas-max-lag", "10"])
}

/// A Sentinel writes into its own configuration. Below a second it would take a short pause for a
/// death.
fn write_sentinel(folder: &Path, port: u16, primary: u16) -> Result<()> {
    let file = folder.join(SENTINEL_CONF);
    let text = format!(
        "port {port}\n\
         bind 127.0.0.1\n\
         sentinel monitor {NAME} 127.0.0.1 {primary} 2\n\
         sentinel down-after-milliseconds {NAME} 1000\n\
         sentinel failover-timeout {NAME} 6000\n\
         sentinel parallel-syncs {NAME} 2\n"
    );
    fs::write(&file, text).with_context(|| format!("{}", file.display()))
}

/// Waits until the server that was started last answers so.
fn answers(started: &Started<'_>, port: u16, question: &str, answer: &str) -> Result<()> {
    let last = started.daemons.last().context("nothing was started")?;
    last.wait(|| ask(port, question).is_ok_and(|said| said.contains(answer)))
        .with_context(|| format!("`{question}` on port {port}"))
}

/// Asks one question, as words on a line; answers what is said before it falls silent.
fn ask(port: u16, question: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    stream.write_all(format!("{question}\r\n").as_bytes())?;
    let (mut said, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut part) {
        said.extend(part.iter().take(length));
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}
