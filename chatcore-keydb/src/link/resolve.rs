//! Finds the primary: what a majority of the Sentinels names, and what says of itself that it is.

use std::collections::BTreeMap;

use chatcore::error::{Error, ErrorKind, Result};
use futures_util::future::join_all;
use redis::{Pipeline, Value, aio::MultiplexedConnection};

use super::dial::{Dialled, ask, dial};
use crate::{
    address::{Found, HostPort},
    command::command,
    config::Config,
    error::{unexpected, unsent},
    reply::Reply,
};

const RESOLVE: &str = "find the store's primary";

/// Where the primary should be.
pub(super) async fn primary(config: &Config) -> Result<HostPort> {
    match &config.address.found {
        Found::Direct(server) => Ok(server.clone()),
        Found::BySentinels { sentinels, name } => by_sentinels(config, sentinels, name).await,
    }
}

async fn by_sentinels(config: &Config, sentinels: &[HostPort], name: &str) -> Result<HostPort> {
    let answers = join_all(sentinels.iter().map(|s| ask_sentinel(config, s, name))).await;
    let mut votes: BTreeMap<HostPort, usize> = BTreeMap::new();
    let mut last = None;
    for answer in answers {
        match answer {
            Ok(named) => *votes.entry(named).or_default() += 1,
            Err(error) => last = Some(error),
        }
    }
    let most = votes.into_iter().max_by_key(|(_, votes)| *votes);
    match most {
        Some((named, votes)) if votes * 2 > sentinels.len() => Ok(named),
        Some((named, votes)) => Err(unsent(RESOLVE, "no majority of the Sentinels names one")
            .with_context("most votes", votes)
            .with_context("for", named)
            .with_context("of Sentinels", sentinels.len())),
        None => Err(last.unwrap_or_else(|| unsent(RESOLVE, "no Sentinels"))),
    }
}

async fn ask_sentinel(config: &Config, sentinel: &HostPort, name: &str) -> Result<HostPort> {
    let Dialled {
        mut connection,
        driver,
    } = dial(config, sentinel, config.address.sentinel_login.as_ref()).await?;
    let mut question = Pipeline::new();
    let mut get = command("SENTINEL");
    get.arg("get-master-addr-by-name").arg(name);
    question.add_command(get);
    let asking = ask(config, &mut connection, &question);
    let answered = tokio::select! {
        biased;
        answered = asking => answered,
        () = driver => Err(unsent(RESOLVE, "the Sentinel hung up")),
    };
    let value = answered?.pop().unwrap_or(Value::Nil);
    if value == Value::Nil {
        return Err(Error::new(ErrorKind::NotFound, RESOLVE)
            .with_context("unknown to the Sentinel", name)
            .with_context("address", sentinel));
    }
    let mut reply = Reply::new(RESOLVE, value)?;
    Ok(HostPort {
        host: reply.text()?,
        port: reply.number()?,
    })
}

/// Asks a server whether it is the primary.
pub(super) async fn check_role(
    config: &Config,
    connection: &mut MultiplexedConnection,
) -> Result<()> {
    let mut question = Pipeline::new();
    question.add_command(command("ROLE"));
    let value = ask(config, connection, &question).await?.pop();
    let role = Reply::new(RESOLVE, value.unwrap_or(Value::Nil))?.text()?;
    match role.as_str() {
        "master" => Ok(()),
        "slave" => Err(unsent(RESOLVE, "a replica")),
        _ => Err(unexpected(RESOLVE, "neither a primary nor a replica").with_context("role", role)),
    }
}
