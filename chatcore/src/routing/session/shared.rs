//! What both halves of a session share, and the way of a command from its check to its append.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::Mutex as AsyncMutex, time::Instant};

use super::{
    CloseCode, Connect, SessionConfig,
    account::{Account, DueCursor},
    window::Window,
    written::Written,
};
use crate::{
    content::Sealed,
    dialog::CustomerCommand,
    error::{Error, ErrorKind, Result},
    identity::{Identity, Redactor, Who},
    ids::{DeviceId, SessionId, Target, TenantId},
    journal::{Log, Pending, append_when_room},
    record::{Command, CommandId, CommandRecord, ReplyTo, TraceContext, encode},
    rights::{Relations, Role, may},
    routing::{
        admission::{Need, Rules},
        hub::Hub,
        mailbox::Mailbox,
        opened::customer_of,
        people::Person,
    },
    sabotage,
};

/// What all sessions of a node share at the edge.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) rules: Rules,
    pub(crate) redactor: Arc<dyn Redactor>,
    pub(crate) config: SessionConfig,
}

/// A session that the hub has taken in.
#[derive(Debug)]
pub(crate) struct Entered {
    pub(crate) id: SessionId,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) person: Arc<Person>,
}

/// What both halves of a session share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) hub: Arc<Hub>,
    pub(super) edge: Arc<Edge>,
    pub(super) id: SessionId,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) window: Window,
    pub(super) device: DeviceId,
    trace: Option<TraceContext>,
    pub(super) identity: Mutex<Arc<Identity>>,
    account: Mutex<Account>,
    /// Read and written by who holds `order`, and told of outcomes.
    pub(super) written: Mutex<Written>,
    /// Held from the first check of a command to its append: what is sent first is appended
    /// first.
    pub(super) order: AsyncMutex<()>,
    /// What whoever speaks may do how often.
    pub(super) person: Arc<Person>,
}

impl Shared {
    pub(crate) fn new(
        hub: Arc<Hub>,
        edge: Arc<Edge>,
        Entered {
            id,
            mailbox,
            identity,
            person,
        }: Entered,
        connect: &Connect,
    ) -> Self {
        Self {
            hub,
            id,
            mailbox,
            window: Window::default(),
            device: connect.device.clone(),
            trace: connect.trace.clone(),
            identity: Mutex::new(identity),
            account: Mutex::default(),
            written: Mutex::default(),
            order: AsyncMutex::default(),
            person,
            edge,
        }
    }

    pub(super) fn identity(&self) -> Arc<Identity> {
        let identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&identity)
    }

    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the token still holds; ends the session if it does not.
    pub(super) fn check_expiry(&self) {
        let expired = self.hub.ports.clock.now() >= self.identity().expires_at;
        if expired && !sabotage::on(sabotage::Switch::ExpiryIgnored) {
            self.mailbox.close(CloseCode::Expired);
        }
    }

    /// Who speaks, if the session goes on.
    pub(super) fn live_identity(&self) -> Result<Arc<Identity>> {
        self.check_expiry();
        match self.mailbox.closed() {
            None => Ok(self.identity()),
            Some(code) => Err(Error::new(ErrorKind::Closed, "speak for a session")
                .with_context("code", code.number())),
        }
    }

    pub(super) async fn check_right(&self, who: &Who, target: &Target, need: Need) -> Result<()> {
        let Need::Right(dialog, action) = need else {
            return Ok(());
        };
        let known = self.account().dialog(dialog).cloned();
        let access = match known {
            Some(access) => Some(access),
            None => self.hub.access_of(dialog).await?,
        };
        let may = access.is_some_and(|access| {
            let whose = customer_of(&access).cloned().map(Target::Customer);
            let relations = Relations::to(who, &access);
            whose.as_ref() == Some(target) && may(Role::from(who), action, relations)
        });
        if may {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Forbidden, "take a command")
            .with_context("reason", "no right to this dialog")
            .with_context("dialog", dialog))
    }

    /// Waits for room in the window.
    pub(super) async fn wait_for_window(&self, deadline: Instant) -> Result<()> {
        while self.window.under_way() >= self.edge.config.window.max(1) {
            let settled = self.window.settle_oldest();
            let in_time = tokio::time::timeout_at(deadline, settled).await.is_ok();
            self.mailbox.poke();
            if !in_time {
                return Err(Error::new(ErrorKind::Overloaded, "take a command")
                    .with_context("reason", "the journal takes too long"));
            }
        }
        Ok(())
    }

    /// Appends in the order of calls; waits for room until the deadline.
    pub(super) async fn append(
        &self,
        target: &Target,
        bytes: Bytes,
        deadline: Instant,
    ) -> Result<Pending> {
        let journal = self.hub.ports.journal.as_ref();
        let place = (Log::Commands, target.partition(journal.partitions()));
        let may = || self.live_identity().map(drop);
        append_when_room(journal, place, bytes, Some(deadline), may).await
    }

    pub(super) fn record(
        &self,
        identity: &Identity,
        target: Target,
        id: CommandId,
        (digest, body): (u64, Bytes),
    ) -> CommandRecord {
        let counted = matches!(id, CommandId::Client { .. });
        CommandRecord {
            tenant: TenantId::single(),
            trace: self.trace.clone(),
            author: identity.participant(),
            rights: identity.staff_rights(),
            assurance: match identity.who {
                Who::Customer(_) => Some(identity.assurance),
                Who::Staff { .. } => None,
            },
            id,
            reply_to: counted.then(|| ReplyTo {
                node: self.hub.node.clone(),
                session: self.id,
            }),
            digest,
            settled: if counted {
                self.account().settled(&target)
            } else {
                0
            },
            redaction: None,
            body,
            target,
        }
    }

    /// Writes down the cursors that are due. What the journal does not take now is tried again.
    pub(super) fn write_cursors(&self, interval: Duration) {
        let due = self.account().due_cursors(interval);
        for cursor in due {
            let written = match self.write_cursor(cursor) {
                Ok(()) => true,
                Err(error) => {
                    tracing::debug!(%error, "a cursor was not written down yet");
                    false
                }
            };
            self.account().cursor_tried(cursor, written);
        }
    }

    fn write_cursor(&self, cursor: DueCursor) -> Result<()> {
        let access = self.account().dialog(cursor.dialog).cloned();
        let customer = access.as_ref().and_then(customer_of).cloned();
        let customer = customer.ok_or_else(|| Error::new(ErrorKind::NotFound, "move a cursor"))?;
        let command: Command<Sealed> = Command::Customer(CustomerCommand::Cursor {
            dialog: cursor.dialog,
            delivered: cursor.delivered,
            read: cursor.read,
        });
        let target = Target::Customer(customer);
        let journal = &self.hub.ports.journal;
        let partition = target.partition(journal.partitions());
        let body = (0, encode(&command)?);
        let record = self.record(&self.identity(), target, CommandId::Internal, body);
        match journal.try_append(Log::Commands, partition, encode(&record)?) {
            // Nobody waits for it: what is lost is told again with the next one.
            Ok(pending) => drop(pending),
            Err(refused) => return Err(refused.error),
        }
        Ok(())
    }
}
