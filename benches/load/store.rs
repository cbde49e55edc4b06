//! How much a store over the Redis protocol is asked: by itself, so what scripts call counts too.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::options::Options;

/// An answer is whole when nothing more comes for so long.
const SILENCE: Duration = Duration::from_millis(100);

/// The calls of the store so far.
#[derive(Debug)]
pub(crate) struct Calls {
    address: String,
    before: u64,
}

impl Calls {
    /// Begins to count; none where there is no such store.
    pub(crate) async fn begin(options: &Options) -> Result<Option<Self>> {
        let Some(shared) = &options.shared else {
            return Ok(None);
        };
        let address = shared.keydb.strip_prefix("redis://");
        let address = address.context("--keydb is redis://HOST:PORT here")?;
        let address = address.to_owned();
        let before = calls(&address).await?;
        Ok(Some(Self { address, before }))
    }

    /// Since then.
    pub(crate) async fn end(&self) -> Result<u64> {
        Ok(calls(&self.address).await?.saturating_sub(self.before))
    }
}

/// Lines such as `cmdstat_hset:calls=12,usec=34,…`, all together.
async fn calls(address: &str) -> Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"INFO commandstats\r\n").await?;
    let (mut said, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(Ok(length @ 1..)) = timeout(SILENCE, stream.read(&mut part)).await {
        said.extend_from_slice(&part[..length]);
    }
    let said = String::from_utf8_lossy(&said);
    let each = said.lines().filter_map(|line| {
        let (_, after) = line.split_once(":calls=")?;
        after.split(',').next()?.parse::<u64>().ok()
    });
    Ok(each.sum())
}
