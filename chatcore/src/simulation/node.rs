//! A node: the real chat on a runtime of its own, whose time only the scheduler moves.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    clock::NodeClock,
    fired::Kind,
    history::{Connection, What},
    journal_port::Producer,
    rng::Rng,
    scene,
    socket::{Socket, serve},
    world::{Links, SimPush, World},
};
use crate::{
    chat::Chat,
    clock::Clock as _,
    error::{Error, ErrorKind, Result},
    identity::{Revocation, Revoked},
    ids::{Node, NodeEpoch, NodeId},
    routing::Connect,
};

/// A node that pauses longer than this has lost its lease.
pub(super) const LEASE: Duration = Duration::from_secs(6);

/// A node, over all its lives.
pub(super) struct SimNode {
    pub(super) name: NodeId,
    pub(super) links: Links,
    pub(super) clock: Arc<NodeClock>,
    pub(super) push: Arc<SimPush>,
    life: Option<Life>,
    /// How long it has stood still, while it does.
    still_ms: Option<u64>,
    /// It begins a new life once the one that is being drained has ended.
    comes_back: bool,
    /// What was revoked by it, to be written down.
    revoked: Arc<Mutex<Vec<Revocation>>>,
    rng: Rng,
}

/// One life of a node.
struct Life {
    number: u64,
    chat: Chat,
    producer: Arc<Producer>,
    shutdown: CancellationToken,
    run: JoinHandle<Result<()>>,
    runtime: Runtime,
}

impl SimNode {
    pub(super) fn new(world: &World, name: NodeId) -> Self {
        let rng = Rng::named(world.seed, &format!("push of {name}"));
        Self {
            links: world.links(&name),
            clock: Arc::new(NodeClock::new(Arc::clone(&world.time))),
            push: Arc::new(SimPush::new(rng, Arc::clone(&world.fired))),
            life: None,
            still_ms: None,
            comes_back: false,
            revoked: Arc::default(),
            rng: Rng::named(world.seed, &format!("death of {name}")),
            name,
        }
    }

    /// Begins a new life.
    pub(super) fn start(&mut self, world: &World) -> Result<()> {
        let number = world.next_life();
        let clock = Arc::clone(&self.clock);
        let (ports, producer) = world.ports(&self.name, number, &self.links, clock);
        let node = Node {
            id: self.name.clone(),
            epoch: NodeEpoch(number),
        };
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .map_err(|e| Error::new(ErrorKind::Internal, "start a node").with_source(e))?;
        let chat = {
            let _inside = runtime.enter();
            scene::chat(ports, &node, Arc::clone(&self.push))?
        };
        let shutdown = CancellationToken::new();
        let (running, stop) = (chat.clone(), shutdown.clone());
        let run = runtime.spawn(async move { running.run(stop).await });
        world.saw(None, What::Started { node });
        self.comes_back = false;
        self.life = Some(Life {
            number,
            chat,
            producer,
            shutdown,
            run,
            runtime,
        });
        Ok(())
    }

    /// Whether somebody who connects gets an answer.
    pub(super) fn answers(&self) -> bool {
        self.life.is_some() && self.still_ms.is_none()
    }

    /// Begins a new life if it has none; once it has ended, if it is being drained.
    pub(super) fn come_back(&mut self, world: &World) -> Result<()> {
        match &self.life {
            None => self.start(world),
            Some(life) => {
                self.comes_back = life.shutdown.is_cancelled();
                Ok(())
            }
        }
    }

    /// Whether it was drained, and is to begin a new life now.
    pub(super) fn is_due_back(&self) -> bool {
        self.comes_back && self.life.is_none()
    }

    /// The life that is heard of by the journal's groups.
    pub(super) fn heard_life(&self) -> Option<u64> {
        let is_heard = self.still_ms.is_none() && !self.links.journal.is_cut();
        self.life.as_ref().filter(|_| is_heard).map(|l| l.number)
    }

    /// The node in its life.
    pub(super) fn node(&self) -> Option<Node> {
        self.life.as_ref().map(|life| life.chat.node().clone())
    }

    /// Lets time pass on the node. It answers why it has ended, if it has by itself.
    pub(super) fn step(&mut self, world: &World, ms: u64) -> Option<String> {
        if let Some(still_ms) = &mut self.still_ms {
            *still_ms += ms;
            return None;
        }
        let life = self.life.as_mut()?;
        let tick = Duration::from_millis(ms);
        life.runtime
            .block_on(async { tokio::time::sleep(tick).await });
        let now_ms = world.time.passed_ms();
        life.producer
            .flush(&world.broker, &self.links.journal, now_ms);
        let mut revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        for revocation in revoked.drain(..) {
            world.saw(None, What::Revoked(revocation));
        }
        drop(revoked);
        if !life.run.is_finished() {
            return None;
        }
        let life = self.life.take()?;
        let asked = life.shutdown.is_cancelled();
        let ended = life.runtime.block_on(life.run);
        let how = format!("{ended:?}");
        let node = life.chat.node().clone();
        let name = node.id.clone();
        let how_short = if asked { "drained" } else { "ended" };
        let how_short = how_short.to_owned();
        world.saw(
            None,
            What::Stopped {
                node,
                how: how_short,
            },
        );
        let is_well = asked && matches!(ended, Ok(Ok(())));
        if is_well {
            world.fired.count(Kind::Drain);
        }
        (!is_well).then(|| format!("node {name} ended by itself: {how}"))
    }

    /// Whether nothing is under way to the journal.
    pub(super) fn is_idle(&self) -> bool {
        self.life
            .as_ref()
            .is_none_or(|life| life.producer.is_idle())
    }

    /// Whether it has yet to say which operators are here.
    pub(super) fn has_presence_to_tell(&self) -> bool {
        let life = self.life.as_ref();
        life.is_some_and(|life| life.chat.has_presence_to_tell())
    }

    /// Dies with all that was under way.
    pub(super) fn crash(&mut self, world: &World) {
        let Some(life) = self.life.take() else {
            return;
        };
        world.fired.count(Kind::Crash);
        life.producer.die(&world.broker, &mut self.rng);
        self.still_ms = None;
        self.comes_back = false;
        let node = life.chat.node().clone();
        drop(life);
        let how = "crashed".to_owned();
        world.saw(None, What::Stopped { node, how });
    }

    /// Is asked to end, as for a new version.
    pub(super) fn drain(&self) {
        if let Some(life) = &self.life {
            life.shutdown.cancel();
        }
    }

    /// Stands still until [`go_on`](Self::go_on).
    pub(super) fn stand_still(&mut self) {
        if self.life.is_some() && self.still_ms.is_none() {
            self.still_ms = Some(0);
        }
    }

    /// Goes on; to its timers all the time comes at once.
    pub(super) fn go_on(&mut self, world: &World) {
        let (Some(still_ms), Some(life)) = (self.still_ms.take(), &self.life) else {
            return;
        };
        let still = Duration::from_millis(still_ms);
        if still > LEASE {
            world.fired.count(Kind::Pause);
        }
        life.runtime
            .block_on(async { tokio::time::advance(still).await });
    }

    /// Somebody revokes something here. Written down when it is done; nobody tries again. As of the
    /// right time, whatever the node's clock says: as for the end of a token, it has to be right.
    pub(super) fn revoke(&self, world: &World, what: Revoked) {
        let Some(life) = &self.life else { return };
        let (chat, revoked) = (life.chat.clone(), Arc::clone(&self.revoked));
        let at = world.time.now();
        life.runtime.spawn(async move {
            if let Ok(revocation) = chat.revoke_as_of(what, at).await {
                let mut revoked = revoked.lock().unwrap_or_else(PoisonError::into_inner);
                revoked.push(revocation);
            }
        });
    }

    /// Opens a session for a device.
    pub(super) fn connect(
        &self,
        world: &World,
        connect: Connect,
    ) -> Result<(Connection, Arc<Socket>)> {
        let (Some(life), Some(node)) = (&self.life, self.node()) else {
            return Err(Error::new(ErrorKind::Unavailable, "connect to a node"));
        };
        let _inside = life.runtime.enter();
        let session = life.chat.connect(connect)?;
        let connection = Connection {
            node,
            session: session.id(),
        };
        let time = Arc::clone(&world.time);
        Ok((connection, serve(session, life.runtime.handle(), time)))
    }

    /// Histories that differed from the store's, as this life has counted them.
    pub(super) fn mismatches(&self) -> u64 {
        self.life
            .as_ref()
            .map_or(0, |life| life.chat.stats().mismatches)
    }
}
