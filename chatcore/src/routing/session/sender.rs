//! The half of a session that speaks.

use std::sync::{Arc, PoisonError};

use tokio::time::Instant;

use super::{CloseCode, shared::Shared, window::InFlight};
use crate::{
    content::Content,
    error::{Error, ErrorKind, Result},
    identity::{Identity, Who},
    ids::{DialogId, Node, Seq, SessionId, StreamId, Target},
    record::{Access, Command, CommandId, CommandRecord, Position, encode},
    rights::Action,
    routing::{
        access::{Sight, owns, sight},
        admission,
        mailbox::Kept,
    },
};

/// Speaks for a session. Cheap to clone; all clones are the same session.
#[derive(Debug, Clone)]
pub struct SessionSender(Arc<Shared>);

impl SessionSender {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// The session's number on this node.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.0.id
    }

    /// The node that holds the session.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.0.hub.node
    }

    /// Who the session speaks for.
    #[must_use]
    pub fn identity(&self) -> Arc<Identity> {
        self.0.identity()
    }

    /// Most commands that are not yet durable; past it [`send`](Self::send) waits.
    #[must_use]
    pub fn window(&self) -> usize {
        self.0.edge.config.window
    }

    /// Sends a command, the `n`-th of this author and device to this target.
    ///
    /// Commands are appended in the order of the calls. The call waits while the window of
    /// commands that are not yet durable is full, and while the journal has no room. That it
    /// returned means that the command was taken, not that it is durable: this is told by
    /// [`SessionEvent::Durable`](super::SessionEvent), and what became of it by
    /// [`SessionEvent::Reply`](super::SessionEvent).
    ///
    /// # Errors
    /// Nothing was appended and the number is free again. `Forbidden`: this person may not.
    /// `Invalid`: the command breaks a rule. `Overloaded`: too much at a time, with when to come
    /// back. `Closed`: the session has ended. `Unavailable`, `Storage`: of journal or store.
    ///
    /// # Cancellation
    /// Dropped before it returns, the command is not appended.
    pub async fn send(&self, target: Target, n: u64, command: Command<Content>) -> Result<()> {
        let shared = &self.0;
        let _order = shared.order.lock().await;
        let identity = shared.live_identity()?;
        if n == 0 {
            return Err(Error::new(ErrorKind::Invalid, "take a command")
                .with_context("reason", "commands are counted from 1"));
        }
        shared.person.take_command()?;
        let digest = shared.digest(&command)?;
        let mut command = command;
        let kind = Action::of_any(&command, &identity.participant());
        let need = admission::judge(&identity.who, &target, &mut command, &shared.edge.rules)?;
        shared.check_right(&identity.who, &target, need).await?;
        shared.person.take_kind(kind)?;
        let prepared = shared.prepare(&identity, (&target, n), command).await?;
        let deadline = Instant::now() + shared.edge.config.append_timeout;
        shared.wait_for_window(deadline).await?;
        let device = shared.device.clone();
        let id = CommandId::Client { device, n };
        let body = (digest, encode(&prepared.command)?);
        let record = CommandRecord {
            redaction: prepared.redaction,
            ..shared.record(&identity, target.clone(), id, body)
        };
        let pending = shared.append(&target, encode(&record)?, deadline).await?;
        if let Some((dialog, place, content)) = prepared.said {
            shared.written().add(dialog, place, content);
        }
        if shared.window.push(InFlight { target, n, pending }) {
            shared.mailbox.poke();
        }
        Ok(())
    }

    /// All outcomes of commands to this target up to `n` have arrived. Told with the next
    /// command; they are forgotten then.
    pub fn acknowledge(&self, target: Target, n: u64) {
        self.0.account().settle(target, n);
    }

    /// The client has received a dialog up to `delivered` and its person has read it up to
    /// `read`. Coalesced; the highest wins.
    ///
    /// # Errors
    /// `Forbidden` for a dialog that the session does not follow, or whose reader is not the
    /// customer or the owner; `Closed`.
    pub fn cursor(&self, dialog: DialogId, delivered: Seq, read: Seq) -> Result<()> {
        self.takes_part(dialog, "move a cursor")?;
        self.0.account().move_cursor(dialog, delivered, read);
        self.0.write_cursors(self.0.edge.config.cursor_interval);
        self.0.mailbox.poke();
        Ok(())
    }

    /// The session's person types. Sent at most once an interval, and the first to be dropped.
    ///
    /// # Errors
    /// As [`cursor`](Self::cursor).
    pub fn typing(&self, dialog: DialogId) -> Result<()> {
        let identity = self.takes_part(dialog, "tell of typing")?;
        let interval = self.0.edge.config.typing_interval;
        if self.0.account().may_type(dialog, interval) {
            self.0.hub.typing(dialog, identity.participant());
        }
        Ok(())
    }

    fn takes_part(&self, dialog: DialogId, operation: &'static str) -> Result<Arc<Identity>> {
        let identity = self.0.live_identity()?;
        let access: Option<Access> = self.0.account().dialog(dialog).cloned();
        let takes_part = access.is_some_and(|access| match &identity.who {
            Who::Customer(_) => sight(&identity.who, &access) == Sight::Full,
            Who::Staff { .. } => owns(&identity.who, &access),
        });
        if takes_part {
            return Ok(identity);
        }
        Err(Error::new(ErrorKind::Forbidden, operation).with_context("dialog", dialog))
    }

    /// Follows a stream from `after` on, or anew. Told as [`Reset`](super::SessionEvent::Reset),
    /// [`Range`](super::SessionEvent::Range) or [`Left`](super::SessionEvent::Left).
    ///
    /// # Errors
    /// `Closed`; the session is closed as too slow when it asks for much and reads nothing.
    pub fn follow(&self, stream: StreamId, after: Option<Position>) -> Result<()> {
        self.0.live_identity()?;
        self.keep(Kept::Follow(stream, after), "follow a stream")
    }

    /// Nothing more of a stream.
    ///
    /// # Errors
    /// As [`follow`](Self::follow).
    pub fn unfollow(&self, stream: StreamId) -> Result<()> {
        self.0.live_identity()?;
        self.keep(Kept::Unfollow(stream), "leave a stream")
    }

    /// A new token of the same person: the session goes on until it ends, with its rights.
    ///
    /// # Errors
    /// `Forbidden` for somebody else, another desk, or a token that has expired or was revoked;
    /// `Closed`.
    pub fn refresh(&self, identity: Identity) -> Result<()> {
        let current = self.0.live_identity()?;
        let same = match (&current.who, &identity.who) {
            (Who::Customer(old), Who::Customer(new)) => old == new,
            (
                Who::Staff { id, desk, .. },
                Who::Staff {
                    id: new_id,
                    desk: new_desk,
                    ..
                },
            ) => id == new_id && desk == new_desk,
            _ => false,
        };
        if !same || identity.expires_at <= self.0.hub.ports.clock.now() {
            return Err(Error::new(ErrorKind::Forbidden, "refresh a session"));
        }
        let hub = &self.0.hub;
        hub.check_revoked(&identity)?;
        let identity = Arc::new(identity);
        let mut kept = self
            .0
            .identity
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *kept = Arc::clone(&identity);
        drop(kept);
        hub.refreshed(self.0.id, &identity);
        // Revoked meanwhile: by the old token it was not found, and by the new one not yet.
        if let Err(error) = hub.check_revoked(&identity) {
            self.0.mailbox.close(CloseCode::Revoked);
            return Err(error);
        }
        self.keep(Kept::Rights, "refresh a session")
    }

    fn keep(&self, kept: Kept, operation: &'static str) -> Result<()> {
        if self.0.mailbox.keep(kept) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Closed, operation))
    }

    /// Ends the session; the first reason given stays.
    pub fn close(&self, code: CloseCode) {
        self.0.mailbox.close(code);
    }

    /// Waits for the end of the session, whoever ends it. Also told to one who does not read
    /// events, as a writer that waits for a slow socket.
    ///
    /// # Cancellation
    /// May be dropped.
    pub async fn closed(&self) -> CloseCode {
        self.0.mailbox.ended().await
    }
}
