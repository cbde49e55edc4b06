//! From what a person sent to what is written down: cleaned, redacted, sealed.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    shared::Shared,
    written::{Around, Place, Said, Written},
};
use crate::{
    content::{Content, Sealed},
    dialog::{CustomerCommand, DialogEvent},
    error::{Error, ErrorKind, Result, Retry},
    identity::{Beside, Identity},
    ids::{CustomerId, DialogId, Participant, Seq, StreamId, Target},
    record::{Command, Event, Position, Redaction},
    routing::{opened::open_body, text},
};

/// So many of a dialog's events are read for what somebody wrote there of late.
const READ_BACK: u64 = 64;
/// When to come back if a message has no outcome yet that is to be withdrawn.
const OUTCOME_WAIT: Duration = Duration::from_millis(200);

/// A command as it is written down.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) command: Command<Sealed>,
    pub(super) redaction: Option<Redaction>,
    /// What the redactor has to see again, once it is appended.
    pub(super) said: Option<(DialogId, Place, Content)>,
}

impl Shared {
    pub(super) fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a repeated command from another one of the same number. Made of what is left of it by
    /// itself: a number that is not written down must not be told by its digest either.
    pub(super) fn digest(&self, command: &Command<Content>) -> Result<u64> {
        let redactor = &self.edge.redactor;
        let Command::Customer(command) = command else {
            return digest(command);
        };
        let alone = |content| Ok::<_, Error>(redactor.redact(content, Beside::default()).content);
        let command = command.clone().try_map_bodies(alone)?;
        digest(&Command::Customer(command))
    }

    /// Cleans, redacts and seals what is written.
    ///
    /// # Errors
    /// `Invalid` for texts that break a rule. `Overloaded` when a message is to be withdrawn whose
    /// number is not known yet. Errors of the store, when what the author wrote before is needed.
    pub(super) async fn prepare(
        &self,
        identity: &Identity,
        (target, n): (&Target, u64),
        command: Command<Content>,
    ) -> Result<Prepared> {
        let (command, customer) = match (command, target) {
            (Command::Customer(command), Target::Customer(customer)) => (command, customer),
            (Command::Desk(command), _) => {
                return Ok(Prepared {
                    command: Command::Desk(command),
                    redaction: None,
                    said: None,
                });
            }
            _ => return Err(Error::new(ErrorKind::Invalid, "take a command")),
        };
        let command = command.try_map_bodies(text::clean)?;
        let redactor = &self.edge.redactor;
        let place = place_of(&command, n);
        let place = place.filter(|(.., content)| redactor.may_be_part(content));
        let place = place.map(|(dialog, place, _)| (dialog, place));
        let around = match place {
            Some((dialog, place)) => {
                let me = identity.participant();
                Some(self.around(&me, customer, (dialog, place)).await?)
            }
            None => None,
        };
        let (mut has_taken, mut withdraw, mut left) = (false, Vec::new(), None);
        let sealed = command.try_map_bodies(|content| {
            let redacted = match &around {
                Some(around) => around.with(|beside| redactor.redact(content, beside)),
                None => redactor.redact(content, Beside::default()),
            };
            has_taken |= redacted.has_taken;
            if let Some(around) = &around {
                withdraw = around
                    .numbers(&redacted.withdraw)
                    .ok_or_else(no_outcome_yet)?;
                left = Some(redacted.content.clone());
            }
            self.hub.sealer.seal(customer, &redacted.content)
        })?;
        let said = place
            .zip(left)
            .filter(|(_, left)| redactor.may_be_part(left));
        Ok(Prepared {
            command: Command::Customer(sealed),
            redaction: (has_taken || !withdraw.is_empty()).then_some(Redaction { withdraw }),
            said: said.map(|((dialog, place), left)| (dialog, place, left)),
        })
    }

    /// What the author wrote around a place, of which the redactor may need a part.
    async fn around(
        &self,
        me: &Participant,
        customer: &CustomerId,
        (dialog, place): (DialogId, Place),
    ) -> Result<Around> {
        if let Some(around) = self.written().around(dialog, place) {
            return Ok(around);
        }
        let said = self.read_written(me, customer, dialog).await?;
        let mut written = self.written();
        written.begin(dialog, customer.clone(), said);
        let around = written.around(dialog, place);
        around.ok_or_else(|| Error::new(ErrorKind::Internal, "look at what was written before"))
    }

    /// What the author wrote in a dialog of late, on whatever node.
    async fn read_written(
        &self,
        me: &Participant,
        customer: &CustomerId,
        dialog: DialogId,
    ) -> Result<Vec<Said>> {
        let hub = &self.hub;
        let stream = StreamId::Dialog(dialog);
        let streams = [stream.clone()];
        let heads = hub.ports.streams.heads(&streams);
        let heads = hub.in_time("read the head of a dialog", heads).await?;
        let head = heads.first().map_or(Seq(0), |head| head.seq);
        let after = Position {
            seq: Seq(head.0.saturating_sub(READ_BACK)),
            ..Position::default()
        };
        let mut bodies = Vec::new();
        hub.fold(&stream, (after, head), |event| match &event.event {
            Event::Dialog(DialogEvent::Message { author, body, .. }) if author == me => {
                bodies.push((event.seq, body.clone()));
            }
            // What it said before was written down as well.
            Event::Dialog(DialogEvent::Edited { message, body, .. })
                if bodies.iter().any(|(seq, _)| seq == message) =>
            {
                bodies.push((*message, body.clone()));
            }
            _ => {}
        })
        .await?;
        let mut said = Vec::new();
        for (seq, body) in bodies {
            let content = open_body(hub.sealer.as_ref(), Some(customer), &body)?;
            if self.edge.redactor.may_be_part(&content) {
                said.push(Said {
                    n: None,
                    seq: Some(seq),
                    content,
                });
            }
        }
        Ok(said)
    }
}

/// Where what a command says stands in a dialog. Messages alone: a number that somebody spreads
/// over notes is not followed.
fn place_of(command: &CustomerCommand<Content>, n: u64) -> Option<(DialogId, Place, &Content)> {
    match command {
        CustomerCommand::Message(message) => Some((message.dialog, Place::New(n), &message.body)),
        CustomerCommand::Edit {
            dialog,
            message,
            body,
            ..
        } => Some((*dialog, Place::Edit(*message), body)),
        _ => None,
    }
}

fn no_outcome_yet() -> Error {
    Error::new(ErrorKind::Overloaded, "take a command")
        .with_retry(Retry::Safe {
            after: OUTCOME_WAIT,
        })
        .with_context("reason", "an earlier message has no outcome yet")
}

/// Most commands are shorter as JSON.
const USUAL_BYTES: usize = 512;

fn digest(command: &Command<Content>) -> Result<u64> {
    let mut json = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut json, command)
        .map_err(|e| Error::new(ErrorKind::Invalid, "take a command").with_source(e))?;
    let mut first = [0u8; 8];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&json);
    hasher.finalize_xof().fill(&mut first);
    Ok(u64::from_be_bytes(first))
}
