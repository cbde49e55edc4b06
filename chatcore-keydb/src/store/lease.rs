//! Leases, by the server's clock, and which life of the store this is.

use std::time::Duration;

use async_trait::async_trait;
use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::Node,
    store::{LeaseStore, StoreIdentity},
};
use redis::{Pipeline, Value};

use super::texts;
use crate::{
    KeyDb,
    command::command,
    error::unexpected,
    info::Info,
    reply::{Reply, bytes, integer, text},
    script,
};

const IDENTITY: &str = "ask the store's identity";

impl KeyDb {
    /// Answers whether there is a lease now.
    async fn lease(
        &self,
        operation: &'static str,
        node: &Node,
        ttl: Duration,
        how: &'static str,
    ) -> Result<bool> {
        let mut call = script::LEASE.call([self.keys.leases().as_str()]);
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        call.arg(texts::node(node)).arg(millis).arg(how);
        let answer = self.call(operation, call).await?;
        Ok(integer(operation, answer)? == 1)
    }
}

#[async_trait]
impl LeaseStore for KeyDb {
    async fn open(&self, node: &Node, ttl: Duration) -> Result<()> {
        self.lease("open a lease", node, ttl, "open")
            .await
            .map(drop)
    }

    async fn renew(&self, node: &Node, ttl: Duration) -> Result<()> {
        const RENEW: &str = "renew a lease";
        match self.lease(RENEW, node, ttl, "renew").await? {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::NotFound, RENEW).with_context("node", &node.id)),
        }
    }

    async fn close(&self, node: &Node) -> Result<()> {
        const CLOSE: &str = "close a lease";
        let mut remove = command("ZREM");
        remove.arg(self.keys.leases()).arg(texts::node(node));
        integer(CLOSE, self.call(CLOSE, remove).await?).map(drop)
    }

    async fn alive(&self) -> Result<Vec<Node>> {
        const ALIVE: &str = "read the leases";
        let call = script::ALIVE.call([self.keys.leases().as_str()]);
        let nodes = Reply::new(ALIVE, self.call(ALIVE, call).await?)?.rest()?;
        let node = |bytes| texts::parse_node(ALIVE, &text(ALIVE, bytes)?);
        nodes.into_iter().map(node).collect()
    }

    /// Three parts: a random text that is lost with the store's memory, the server's process, and
    /// the replication id, which a replica changes when it becomes the primary.
    async fn identity(&self) -> Result<StoreIdentity> {
        let key = self.keys.identity();
        let mut fresh = [0; 16];
        getrandom::fill(&mut fresh).map_err(|error| {
            Error::new(ErrorKind::Internal, IDENTITY).with_context("no random bytes", error)
        })?;
        let fresh: String = fresh.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut questions = Pipeline::new();
        let mut set = command("SET");
        set.arg(&key).arg(fresh).arg("NX");
        questions.add_command(set);
        let mut get = command("GET");
        get.arg(&key);
        questions.add_command(get);
        for info in Info::questions(&["server", "replication"]).cmd_iter() {
            questions.add_command(info.clone());
        }
        let mut answers = self.link.run(IDENTITY, &questions).await?.into_iter();
        let mut next = || bytes(IDENTITY, answers.next().unwrap_or(Value::Nil));
        next()?;
        let life = next()?.ok_or_else(|| unexpected(IDENTITY, "no identity"))?;
        let life = text(IDENTITY, life)?;
        let info = Info::read(answers.collect())?;
        let (process, replication) = (info.text("run_id")?, info.text("master_replid")?);
        Ok(StoreIdentity(format!("{life}-{process}-{replication}")))
    }
}
