//! The embedder's handle and its builder.

mod builder;
mod history;
mod parts;
mod revoke;
mod role;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

pub use builder::ChatBuilder;
pub use history::{DialogAt, HistoryPage};
pub use role::NodeRole;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::parts::Parts;
use crate::{
    channel::ChannelIntake,
    commands::CommandWriter,
    effects::{Effect, run_effect},
    engine::{Engine, EngineStats},
    error::{Error, ErrorKind, Result},
    ids::{ChannelId, DeskId, Node, Target},
    ports::Ports,
    queue::{DeskCommand, DeskConfig},
    record::Command,
    routing::{
        Connect, Edge, Hub, HubStats, Session, SessionEvents, SessionSender, Shared,
        mailbox::Mailbox,
    },
};

/// A chat on one node: connects people, and drives what brings things back to them.
///
/// Cheap to clone; all clones are the same chat.
///
/// ```
/// use std::{collections::BTreeMap, sync::Arc, time::Duration};
///
/// use chatcore::{
///     chat::Chat,
///     clock::{Clock, SystemClock},
///     content::Content,
///     dialog::{CustomerCommand, Open},
///     identity::{Assurance, Identity, Proof, Who},
///     ids::{ChannelId, CustomerId, DeviceId, Target},
///     memory,
///     record::{Command, Outcome, Reply},
///     routing::{Connect, SessionEvent},
/// };
/// use tokio_util::sync::CancellationToken;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> chatcore::error::Result<()> {
/// let chat = Chat::builder(memory::ports(4, Arc::new(SystemClock))).build()?;
/// let shutdown = CancellationToken::new();
/// let anna = CustomerId::try_new("anna")?;
///
/// let talk = async {
///     let mut session = chat.connect(Connect {
///         identity: Identity {
///             who: Who::Customer(anna.clone()),
///             name: "Anna".to_owned(),
///             assurance: Assurance::Authenticated,
///             expires_at: SystemClock.now().plus(Duration::from_secs(3600)),
///             proof: Proof::default(),
///         },
///         device: DeviceId::try_new("phone")?,
///         resume: BTreeMap::new(),
///         trace: None,
///     })?;
///     let open: Command<Content> = Command::Customer(CustomerCommand::Open(Open {
///         channel: ChannelId::try_new("web")?,
///         topic: None,
///         settings: Default::default(),
///     }));
///     session.sender().send(Target::Customer(anna.clone()), 1, open).await?;
///     while let Some(event) = session.next().await {
///         if let SessionEvent::Reply { reply, .. } = event {
///             assert!(matches!(reply, Reply::Outcome(Outcome::Accepted(_))));
///             break;
///         }
///     }
///     shutdown.cancel();
///     Ok(())
/// };
/// let (ran, talked) = tokio::join!(chat.run(shutdown.clone()), talk);
/// ran.and(talked)
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Chat {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    hub: Arc<Hub>,
    engine: Arc<Engine>,
    edge: Arc<Edge>,
    role: NodeRole,
    desks: Vec<(DeskId, DeskConfig)>,
    effects: Vec<Arc<dyn Effect>>,
    parts: Parts,
}

impl Chat {
    /// Begins to build one on these ports.
    #[must_use]
    pub fn builder(ports: Ports) -> ChatBuilder {
        ChatBuilder::new(ports)
    }

    /// This node, in this life.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.inner.hub.node
    }

    /// What this node does.
    #[must_use]
    pub fn role(&self) -> NodeRole {
        self.inner.role
    }

    /// The ports that it runs on.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.inner.hub.ports
    }

    /// Figures of the way back on this node.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        self.inner.hub.stats()
    }

    /// Whether it has yet to write down which operators are here.
    #[cfg(feature = "simulation")]
    pub(crate) fn has_presence_to_tell(&self) -> bool {
        self.inner.hub.has_presence_to_tell()
    }

    /// What this node's engine counts; each figure only grows.
    #[must_use]
    pub fn engine_stats(&self) -> Arc<EngineStats> {
        self.inner.engine.stats()
    }

    /// Takes what customers of a channel write; none when no adapter of that name was added.
    #[must_use]
    pub fn channel(&self, channel: &ChannelId) -> Option<ChannelIntake> {
        let Inner {
            hub, edge, parts, ..
        } = self.inner.as_ref();
        let adapter = parts
            .channels
            .iter()
            .find(|adapter| adapter.id() == channel)?;
        let settings = edge.rules.settings_for(channel);
        let hooks = (edge.redactor.clone(), hub.sealer.clone());
        let commands = CommandWriter::new(hub.ports.journal.clone());
        Some(ChannelIntake::new(
            adapter.as_ref(),
            settings,
            hooks,
            commands,
        ))
    }

    /// Drives the node until `shutdown`: the engine, its inbox, its lease, its sessions' streams,
    /// and what runs from events; of these, what its [role](NodeRole) asks for. Returns when everything has ended; sessions are closed as
    /// draining. When one part fails for good the others are ended too.
    ///
    /// # Errors
    /// Of the parts that it drives, when repeating can't help.
    ///
    /// # Cancellation
    /// Dropped, all parts are told to end at once, and the node's lease lapses by itself.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        let stop = shutdown.child_token();
        let _ended = stop.clone().drop_guard();
        let tracker = TaskTracker::new();
        let mut parts = Vec::new();
        // A worker has it as well, for the lease: without one a worker that lives counts as dead,
        // and three of those over one command would condemn it.
        let hub = Arc::clone(&self.inner.hub).run(stop.clone());
        parts.push(("sessions", drive(&tracker, &stop, hub)));
        if self.inner.role.takes_sessions() {
            let follow = Arc::clone(&self.inner.hub).follow_revocations(stop.clone());
            parts.push(("revocations", drive(&tracker, &stop, follow)));
        }
        if self.inner.role.works() {
            let engine = Arc::clone(&self.inner.engine);
            let engine_stop = stop.clone();
            let engine = async move { engine.run(engine_stop).await };
            parts.push(("the engine", drive(&tracker, &stop, engine)));
            for effect in &self.inner.effects {
                let config = self.inner.parts.effects.clone();
                let effect = run_effect(self.ports().clone(), effect.clone(), config, stop.clone());
                parts.push(("an effect", drive(&tracker, &stop, effect)));
            }
        }
        tracker.close();
        self.configure_desks(&stop).await;
        let mut ended = Ok(());
        for (part, task) in parts {
            let part_ended = task.await.unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Internal, "run a part of the node")
                    .with_context("part", part))
            });
            ended = ended.and(part_ended);
        }
        tracker.wait().await;
        ended
    }

    /// Writes down the rules of the desks; a desk that has them already ignores that.
    async fn configure_desks(&self, shutdown: &CancellationToken) {
        for (desk, config) in &self.inner.desks {
            let command = DeskCommand::Configure(config.clone());
            let mut pause = Duration::from_millis(100);
            loop {
                let target = Target::Desk(desk.clone());
                let command = Command::Desk(command.clone());
                let appended = self.inner.hub.append_internal(target, command);
                let error = tokio::select! {
                    biased;
                    () = shutdown.cancelled() => return,
                    appended = appended => match appended {
                        Ok(()) => break,
                        Err(error) => error,
                    },
                };
                tracing::warn!(%error, %desk, "the desk's rules are not written down yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
        }
    }

    /// Opens a session for a person. What they follow by themselves begins at once; nothing is
    /// told before [`run`](Self::run) drives the node.
    ///
    /// # Errors
    /// `Forbidden` for an identity that has expired or was revoked, `Unavailable` when the node
    /// can't tell who was [revoked](Self::revoke), `Overloaded` when the node or
    /// the person has as many sessions as they may, `Closed` when it is leaving, or is a [worker](NodeRole::Worker).
    pub fn connect(&self, connect: Connect) -> Result<Session> {
        let Inner { hub, edge, .. } = self.inner.as_ref();
        if !self.inner.role.takes_sessions() {
            return Err(Error::new(ErrorKind::Closed, "open a session")
                .with_context("reason", "this node is a worker"));
        }
        if connect.identity.expires_at <= hub.ports.clock.now() {
            return Err(Error::new(ErrorKind::Forbidden, "open a session")
                .with_context("reason", "the identity has expired"));
        }
        if connect.resume.len() > edge.config.streams_max {
            return Err(Error::new(ErrorKind::Invalid, "open a session")
                .with_context("streams to resume", connect.resume.len())
                .with_context("most", edge.config.streams_max));
        }
        hub.admit(&connect.identity)?;
        let mailbox = Arc::new(Mailbox::new(edge.config.buffer));
        let identity = Arc::new(connect.identity.clone());
        let entered = hub.register(identity, mailbox)?;
        let shared = Shared::new(Arc::clone(hub), Arc::clone(edge), entered, &connect);
        let shared = Arc::new(shared);
        let sender = SessionSender::new(Arc::clone(&shared));
        let events = SessionEvents::new(shared, connect.resume);
        // Revoked after it was let in and before it was known to be here: dropped, it is gone.
        hub.admit(&connect.identity)?;
        Ok(Session::new(sender, events))
    }
}

/// Runs a part on a task of its own; its failure ends the others, a panic too.
fn drive(
    tracker: &TaskTracker,
    stop: &CancellationToken,
    part: impl Future<Output = Result<()>> + Send + 'static,
) -> tokio::task::JoinHandle<Result<()>> {
    let ended = stop.clone().drop_guard();
    let stop = stop.clone();
    tracker.spawn(async move {
        let ended_with = part.await;
        if ended_with.is_ok() && !stop.is_cancelled() {
            // It was not asked to end, but has nothing more to do.
            ended.disarm();
        }
        ended_with
    })
}

/// Compiles what the guide shows.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide/embedding.md")]
struct EmbeddingGuide;
