//! Either state machine, behind one face.

use serde::{Deserialize, Serialize};

use crate::{
    content::Sealed,
    dialog::CustomerState,
    error::Result,
    ids::{StreamId, Target},
    machine::{Context, Decided},
    queue::{DeskState, Policies},
    record::{self, Access, Command, CursorMove, Event, StreamEvent},
    store::DueLine,
};

/// The state of a customer or of a desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Machine {
    /// Of a customer.
    Customer(Box<CustomerState>),
    /// Of a desk.
    Desk(Box<DeskState>),
}

impl Machine {
    pub(super) fn new(target: &Target) -> Self {
        match target {
            Target::Customer(id) => Self::Customer(Box::new(CustomerState::new(id.clone()))),
            Target::Desk(id) => Self::Desk(Box::new(DeskState::new(id.clone()))),
        }
    }

    /// None when the command is not for this kind of target.
    pub(super) fn decide(
        &self,
        command: &Command<Sealed>,
        cx: &Context,
        policies: &Policies,
    ) -> Option<Decided> {
        match (self, command) {
            (Self::Customer(state), Command::Customer(command)) => Some(state.decide(command, cx)),
            (Self::Desk(state), Command::Desk(command)) => {
                Some(state.decide(command, cx, policies))
            }
            _ => None,
        }
    }

    pub(super) fn apply(&mut self, stream: &StreamId, event: &StreamEvent<Sealed>) {
        match self {
            Self::Customer(state) => state.apply(stream, event),
            Self::Desk(state) => state.apply(event),
        }
    }

    pub(super) fn apply_cursor(&mut self, cursor: &CursorMove) {
        if let Self::Customer(state) = self {
            state.apply_cursor(cursor);
        }
    }

    pub(super) fn apply_forgotten(&mut self, stream: &StreamId) {
        if let Self::Customer(state) = self {
            state.apply_forgotten(stream);
        }
    }

    pub(super) fn access(&self, stream: &StreamId) -> Option<Access> {
        match (self, stream) {
            (Self::Customer(state), stream) => state.access(stream),
            (Self::Desk(state), StreamId::Board(_)) => Some(state.access()),
            (Self::Desk(_), _) => None,
        }
    }

    /// Whether the events leave it as it is who may see the streams. Then nobody has to apply them
    /// to know, which for a long dialog costs more than all the rest of deciding.
    pub(super) fn keeps_access<'a>(
        &self,
        events: impl IntoIterator<Item = &'a Event<Sealed>>,
    ) -> bool {
        match self {
            Self::Customer(_) => events
                .into_iter()
                .all(|event| matches!(event, Event::Dialog(event) if event.keeps_access())),
            // A board is its desk's, whatever happens there.
            Self::Desk(_) => true,
        }
    }

    /// Whether the stream is in the state.
    pub(super) fn has(&self, stream: &StreamId) -> bool {
        match self {
            Self::Customer(state) => state.position(stream).is_some(),
            Self::Desk(_) => matches!(stream, StreamId::Board(_)),
        }
    }

    /// The timers that run, as the store keeps them.
    pub(super) fn due(&self, target: &Target) -> Result<Vec<DueLine>> {
        let mut lines = Vec::new();
        match self {
            Self::Customer(state) => {
                for due in state.due() {
                    lines.push(DueLine {
                        at: due.at,
                        target: target.clone(),
                        key: record::encode(&due.key)?,
                        generation: due.generation,
                    });
                }
            }
            Self::Desk(state) => {
                for due in state.due() {
                    lines.push(DueLine {
                        at: due.at,
                        target: target.clone(),
                        key: record::encode(&due.key)?,
                        generation: due.generation,
                    });
                }
            }
        }
        lines.sort();
        Ok(lines)
    }
}
