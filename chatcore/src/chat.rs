//! The embedder's handle and its builder.

mod builder;
mod history;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

pub use builder::ChatBuilder;
pub use history::{DialogAt, HistoryPage};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Error, ErrorKind, Result},
    identity::Who,
    ids::{DeskId, Node, Participant, Target},
    ports::Ports,
    queue::{DeskCommand, DeskConfig},
    record::Command,
    routing::{
        CloseCode, Connect, Edge, Hub, HubStats, Session, SessionEvents, SessionSender, Shared,
        mailbox::Mailbox,
    },
};

/// A chat on one node: connects people, and drives what brings things back to them.
///
/// Cheap to clone; all clones are the same chat.
#[derive(Debug, Clone)]
pub struct Chat {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    hub: Arc<Hub>,
    edge: Arc<Edge>,
    desks: Vec<(DeskId, DeskConfig)>,
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

    /// Drives the node until `shutdown`: its inbox, its lease, its sessions' streams. Returns when
    /// everything has ended; sessions are closed as draining.
    ///
    /// # Errors
    /// Of the parts that it drives, when repeating can't help.
    ///
    /// # Cancellation
    /// Dropped, the node's lease lapses by itself.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        let configure = self.configure_desks(&shutdown);
        let hub = Arc::clone(&self.inner.hub).run(shutdown.clone());
        let (hub, ()) = tokio::join!(hub, configure);
        hub
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
                    appended = appended => match appended {
                        Ok(()) => break,
                        Err(error) => error,
                    },
                    () = shutdown.cancelled() => return,
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
    /// `Forbidden` for an identity that has expired, `Overloaded` when the node has as many
    /// sessions as it may, `Closed` when it is leaving.
    pub fn connect(&self, connect: Connect) -> Result<Session> {
        let Inner { hub, edge, .. } = self.inner.as_ref();
        if connect.identity.expires_at <= hub.ports.clock.now() {
            return Err(Error::new(ErrorKind::Forbidden, "open a session")
                .with_context("reason", "the identity has expired"));
        }
        if connect.resume.len() > edge.config.streams_max {
            return Err(Error::new(ErrorKind::Invalid, "open a session")
                .with_context("streams to resume", connect.resume.len())
                .with_context("most", edge.config.streams_max));
        }
        let mailbox = Arc::new(Mailbox::new(edge.config.buffer));
        let id = hub.register(&connect.identity.who, &mailbox)?;
        let shared = Shared::new(Arc::clone(hub), Arc::clone(edge), (id, mailbox), &connect);
        let shared = Arc::new(shared);
        let sender = SessionSender::new(Arc::clone(&shared));
        let events = SessionEvents::new(shared, connect.resume);
        Ok(Session::new(sender, events))
    }

    /// Ends all sessions of a person on this node; answers how many. The hook for revocations.
    pub fn end_sessions(&self, person: &Participant, code: CloseCode) -> usize {
        self.inner.hub.close_where(code, |who| match (who, person) {
            (Who::Customer(id), Participant::Customer(whose)) => id == whose,
            (Who::Staff { id, .. }, Participant::Staff(whose)) => id == whose,
            _ => false,
        })
    }
}
