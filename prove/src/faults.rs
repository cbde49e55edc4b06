//! What is done to the system, and undone.

use std::{fmt, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{sync::Mutex, time::sleep};

use crate::{
    lines::{Line, Proxy},
    nodes::Server,
    services::{Daemon, Services},
    world::World,
};

/// Longer than a node's lease (15 s).
const PAST_LEASE: Duration = Duration::from_secs(20);
/// How long what was killed stays away.
const AWAY: Duration = Duration::from_secs(4);
/// How long a line, or a reader, is not as it should be.
const TROUBLE: Duration = Duration::from_secs(8);

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// Nothing: what the load itself finds.
    Calm,
    GatewayKilled,
    WorkerKilled,
    GatewayPaused,
    WorkerPaused,
    BrokerKilled,
    BrokerPaused,
    TooFewInSync,
    PrimaryKilled,
    PrimaryPaused,
    SuffixLost,
    StoreFlushed,
    StoreAway,
    LinesCut,
    LinesSlow,
    NoWayBack,
    LinesDead,
    ReadersStop,
    Storm,
    RollingRestart,
}

impl Fault {
    /// All of them.
    pub(crate) const ALL: [Self; 20] = [
        Self::Calm,
        Self::GatewayKilled,
        Self::WorkerKilled,
        Self::GatewayPaused,
        Self::WorkerPaused,
        Self::BrokerKilled,
        Self::BrokerPaused,
        Self::TooFewInSync,
        Self::PrimaryKilled,
        Self::PrimaryPaused,
        Self::SuffixLost,
        Self::StoreFlushed,
        Self::StoreAway,
        Self::LinesCut,
        Self::LinesSlow,
        Self::NoWayBack,
        Self::LinesDead,
        Self::ReadersStop,
        Self::Storm,
        Self::RollingRestart,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::GatewayKilled => "gateway-killed",
            Self::WorkerKilled => "worker-killed",
            Self::GatewayPaused => "gateway-paused",
            Self::WorkerPaused => "worker-paused",
            Self::BrokerKilled => "broker-killed",
            Self::BrokerPaused => "broker-paused",
            Self::TooFewInSync => "too-few-in-sync",
            Self::PrimaryKilled => "primary-killed",
            Self::PrimaryPaused => "primary-paused",
            Self::SuffixLost => "suffix-lost",
            Self::StoreFlushed => "store-flushed",
            Self::StoreAway => "store-away",
            Self::LinesCut => "lines-cut",
            Self::LinesSlow => "lines-slow",
            Self::NoWayBack => "no-way-back",
            Self::LinesDead => "lines-dead",
            Self::ReadersStop => "readers-stop",
            Self::Storm => "storm",
            Self::RollingRestart => "rolling-restart",
        }
    }

    /// By its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// Whether it needs three brokers.
    pub(crate) fn needs_brokers(self) -> bool {
        self == Self::TooFewInSync
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What faults are done to.
#[derive(Debug)]
pub(crate) struct Arena<'a> {
    pub(crate) world: &'a World,
    pub(crate) services: &'a Services,
    pub(crate) gateways: Vec<Mutex<Server>>,
    pub(crate) workers: Vec<Mutex<Server>>,
    /// One before each gateway.
    pub(crate) lines: Vec<std::sync::Arc<Proxy>>,
}

impl Arena<'_> {
    fn nodes(&self) -> impl Iterator<Item = &Mutex<Server>> {
        self.gateways.iter().chain(&self.workers)
    }

    fn gateway(&self) -> Result<&Mutex<Server>> {
        self.gateways.first().context("there is no gateway")
    }

    /// A node that works; another one than [`gateway`](Self::gateway), where all do everything.
    fn worker(&self) -> Result<&Mutex<Server>> {
        let last = self.workers.last().or(self.gateways.last());
        last.context("there is no worker")
    }

    /// Waits until all that was started is ready.
    pub(crate) async fn ready(&self) -> Result<()> {
        for node in self.nodes() {
            node.lock().await.ready().await?;
        }
        Ok(())
    }

    /// Asks all nodes to leave.
    pub(crate) async fn leave(&self) -> Result<()> {
        for node in self.nodes() {
            node.lock().await.leave().await?;
        }
        Ok(())
    }

    /// Does it, and undoes it. Answers when all processes that should run do.
    pub(crate) async fn strike(&self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Calm => sleep(AWAY).await,
            Fault::GatewayKilled => killed(self.gateway()?).await?,
            Fault::WorkerKilled => killed(self.worker()?).await?,
            Fault::GatewayPaused => paused(self.gateway()?).await?,
            Fault::WorkerPaused => paused(self.worker()?).await?,
            Fault::BrokerKilled => {
                let broker = self.services.brokers.first().context("no broker")?;
                away(std::slice::from_ref(broker), AWAY).await?;
            }
            Fault::BrokerPaused => {
                let broker = self.services.brokers.first().context("no broker")?;
                stand_still(std::slice::from_ref(broker), TROUBLE).await?;
            }
            Fault::TooFewInSync => {
                let others = self.services.brokers.get(1..).unwrap_or_default();
                away(others, TROUBLE).await?;
            }
            Fault::PrimaryKilled => {
                let primary = self.services.primary().await?;
                primary.kill().await?;
                self.services.primary_other_than(primary.port).await?;
                primary.start().await?;
            }
            Fault::PrimaryPaused => {
                let primary = self.services.primary().await?;
                stand_still(std::slice::from_ref(primary), TROUBLE).await?;
            }
            Fault::SuffixLost => self.suffix_lost().await?,
            Fault::StoreFlushed => {
                self.services.primary().await?.ask("FLUSHALL").await?;
            }
            Fault::StoreAway => {
                stand_still(&self.services.stores, Duration::from_secs(30)).await?;
            }
            Fault::LinesCut | Fault::LinesSlow | Fault::NoWayBack | Fault::LinesDead => {
                self.trouble_the_line(fault).await;
            }
            Fault::ReadersStop => {
                self.world.order(|orders| orders.deaf = true);
                sleep(TROUBLE).await;
                self.world.order(|orders| orders.deaf = false);
            }
            Fault::Storm => {
                for _ in 0..3 {
                    self.world.order(|orders| orders.storm += 1);
                    sleep(Duration::from_secs(2)).await;
                }
            }
            Fault::RollingRestart => {
                for node in self.nodes() {
                    let mut node = node.lock().await;
                    node.leave().await?;
                    node.start()?;
                    node.ready().await?;
                }
            }
        }
        Ok(())
    }

    async fn line(&self, line: Line, time: Duration) {
        if let Some(proxy) = self.lines.first() {
            proxy.set(line);
            sleep(time).await;
            proxy.set(Line::Open);
        }
    }

    async fn trouble_the_line(&self, fault: Fault) {
        match fault {
            Fault::LinesSlow => {
                self.line(Line::Slow(Duration::from_millis(300)), TROUBLE)
                    .await;
            }
            Fault::NoWayBack => self.line(Line::NoWayBack, TROUBLE).await,
            Fault::LinesDead => self.line(Line::Dead, TROUBLE).await,
            _ => {
                for _ in 0..4 {
                    self.line(Line::Cut, Duration::from_millis(500)).await;
                    sleep(Duration::from_millis(1_500)).await;
                }
            }
        }
    }

    /// The replicas fall behind, and then one of them has to take over.
    async fn suffix_lost(&self) -> Result<()> {
        let primary = self.services.primary().await?;
        let replicas = || {
            let stores = self.services.stores.iter();
            stores.filter(|store| store.port != primary.port)
        };
        for replica in replicas() {
            replica.pause().await?;
        }
        sleep(Duration::from_secs(2)).await;
        primary.kill().await?;
        for replica in replicas() {
            replica.wake().await?;
        }
        self.services.primary_other_than(primary.port).await?;
        primary.start().await
    }
}

/// Kills them all, and starts them again after a while.
async fn away(daemons: &[Daemon], time: Duration) -> Result<()> {
    for daemon in daemons {
        daemon.kill().await?;
    }
    sleep(time).await;
    for daemon in daemons {
        daemon.start().await?;
    }
    for daemon in daemons {
        daemon.answers().await?;
    }
    Ok(())
}

/// Stops them all, and wakes them after a while.
async fn stand_still(daemons: &[Daemon], time: Duration) -> Result<()> {
    for daemon in daemons {
        daemon.pause().await?;
    }
    sleep(time).await;
    for daemon in daemons {
        daemon.wake().await?;
    }
    Ok(())
}

async fn killed(node: &Mutex<Server>) -> Result<()> {
    let mut node = node.lock().await;
    node.kill().await?;
    sleep(AWAY).await;
    node.start()?;
    node.ready().await
}

async fn paused(node: &Mutex<Server>) -> Result<()> {
    let node = node.lock().await;
    node.pause().await?;
    sleep(PAST_LEASE).await;
    node.wake().await
}
