//! The tests of the customer's machine: a small engine without storage, and what it is held to.

mod properties;
mod random;
mod replay;
mod stories;
mod table;

use super::{
    CustomerCommand, CustomerState, DialogSettings, DialogState, Grant, Granted, Message, Open,
    Phase, Rejection,
};
use crate::{
    clock::Timestamp,
    content::{ContentKind, Sealed},
    identity::{Assurance, StaffRights, StaffRole},
    ids::{
        ChannelId, CustomerId, DeskId, DialogId, GrantId, Label, NoteId, OwnerEpoch, Participant,
        QueueId, QueueRef, Seq, StaffId, StreamId, Target,
    },
    machine::{Context, Decided},
    queue::DeskCommand,
    record::{
        Access, ChainHash, Command, CursorMove, Event, Position, StreamEvent, Visibility, encode,
    },
};

type Cmd = CustomerCommand<Sealed>;

fn anna() -> CustomerId {
    CustomerId::literal("anna")
}

fn desk(text: &'static str) -> DeskId {
    DeskId::literal(text)
}

fn staff(text: &'static str) -> StaffId {
    StaffId::literal(text)
}

fn label(text: &'static str) -> Label {
    Label::literal(text)
}

fn queue(desk: &'static str, queue: &'static str) -> QueueRef {
    QueueRef {
        desk: DeskId::literal(desk),
        queue: QueueId::literal(queue),
    }
}

fn text(said: &str) -> Sealed {
    Sealed {
        kind: ContentKind::Text,
        chars: u32::try_from(said.chars().count()).unwrap(),
        bytes: bytes::Bytes::copy_from_slice(said.as_bytes()),
    }
}

fn customer() -> Participant {
    Participant::Customer(anna())
}

fn operator(text: &'static str) -> Participant {
    Participant::Staff(staff(text))
}

fn opens(bot: bool) -> Cmd {
    Cmd::Open(Open {
        channel: ChannelId::literal("web"),
        topic: None,
        settings: DialogSettings {
            bot,
            ..DialogSettings::default()
        },
    })
}

fn writes(said: &str) -> Cmd {
    let Cmd::Open(open) = opens(true) else {
        unreachable!("it opens")
    };
    let body = text(said);
    Cmd::Write { open, body }
}

fn says(dialog: DialogId, said: &str, owner_epoch: Option<OwnerEpoch>) -> Cmd {
    Cmd::Message(Message {
        dialog,
        body: text(said),
        reply_to: None,
        owner_epoch,
    })
}

fn grants(dialog: DialogId, number: u64, to: &'static str, expected: OwnerEpoch) -> Cmd {
    Cmd::Grant(Grant {
        desk: desk("main"),
        grant: GrantId(number),
        what: Granted::Waiting {
            dialog,
            expected_epoch: expected,
        },
        operator: staff(to),
    })
}

/// What one command led to, as the journal's `events` would have it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Logged {
    events: Vec<(StreamId, StreamEvent<Sealed>)>,
    cursors: Vec<CursorMove>,
    forget: Vec<StreamId>,
}

/// The engine's part of the work, without its storage.
#[derive(Debug, Clone)]
struct World {
    state: CustomerState,
    at: Timestamp,
    next_dialog: DialogId,
    supervisors: Vec<StaffId>,
    /// What the edge says is to go with the commands.
    withdraw: Vec<Seq>,
    log: Vec<Logged>,
    /// Every follow-up to a desk, in order.
    told: Vec<(DeskId, DeskCommand)>,
}

impl World {
    fn new() -> Self {
        Self {
            state: CustomerState::new(anna()),
            at: Timestamp(1_000),
            next_dialog: DialogId(1),
            supervisors: vec![staff("chief")],
            withdraw: Vec::new(),
            log: Vec::new(),
            told: Vec::new(),
        }
    }

    fn context(&self, author: &Participant) -> Context {
        Context {
            at: self.at,
            author: author.clone(),
            rights: author.staff().map(|id| StaffRights {
                desk: DeskId::literal("main"),
                role: if self.supervisors.contains(id) {
                    StaffRole::Supervisor
                } else {
                    StaffRole::Operator
                },
            }),
            assurance: matches!(author, Participant::Customer(_)).then_some(Assurance::Known),
            withdraw: self.withdraw.clone(),
            next_dialog: self.next_dialog,
        }
    }

    /// Decides, checks what holds for every decision, applies.
    fn send(&mut self, author: &Participant, command: &Cmd) -> Decided {
        self.at = Timestamp(self.at.0 + 10);
        let decided = self.state.decide(command, &self.context(author));
        if decided.outcome.is_err() {
            assert!(decided.events.is_empty(), "a rejection with events");
            assert!(decided.cursors.is_empty(), "a rejection with cursors");
            assert!(decided.forget.is_empty(), "a rejection that forgets");
        }
        let mut logged = Logged {
            events: Vec::new(),
            cursors: decided.cursors.clone(),
            forget: decided.forget.clone(),
        };
        for (stream, event) in &decided.events {
            let event = self.placed(stream, event.clone());
            self.state.apply(stream, &event);
            logged.events.push((stream.clone(), event));
            if *stream == StreamId::Dialog(self.next_dialog) {
                self.next_dialog = DialogId(self.next_dialog.0 + 4);
            }
        }
        for moved in &decided.cursors {
            self.state.apply_cursor(moved);
        }
        for stream in &decided.forget {
            self.state.apply_forgotten(stream);
        }
        for follow_up in &decided.follow_ups {
            if let (Target::Desk(desk), Command::Desk(command)) =
                (&follow_up.target, &follow_up.command)
            {
                self.told.push((desk.clone(), command.clone()));
            }
        }
        self.log.push(logged);
        decided
    }

    fn placed(&self, stream: &StreamId, event: Event<Sealed>) -> StreamEvent<Sealed> {
        let after = self.state.position(stream).unwrap_or_default();
        let seq = after.seq.next();
        StreamEvent {
            seq,
            hash: after.hash.then(seq, &encode(&event).unwrap()),
            at: self.at,
            visibility: CustomerState::visibility(&event),
            event,
        }
    }

    fn ok(&mut self, author: &Participant, command: &Cmd) -> Decided {
        let decided = self.send(author, command);
        assert!(
            decided.outcome.is_ok(),
            "{command:?} by {author:?}: {:?}",
            decided.outcome
        );
        decided
    }

    fn no(&mut self, author: &Participant, command: &Cmd) -> Rejection {
        let decided = self.send(author, command);
        decided.outcome.expect_err("was accepted")
    }

    /// A dialog in this phase, with grant 1 to olga if people have it, and its epoch.
    fn in_phase(phase: Phase) -> (Self, DialogId, OwnerEpoch) {
        let mut world = Self::new();
        let id = DialogId(1);
        world.ok(&customer(), &opens(phase == Phase::Bot));
        if phase != Phase::Bot && phase != Phase::Waiting {
            let expected = world.epoch(id);
            world.ok(&Participant::System, &grants(id, 1, "olga", expected));
            world.moves_on(id, phase);
        }
        assert_eq!(world.phase(id), phase);
        let epoch = world.epoch(id);
        (world, id, epoch)
    }

    /// Olga, who has the dialog, takes it to this phase.
    fn moves_on(&mut self, dialog: DialogId, phase: Phase) {
        let owner_epoch = self.epoch(dialog);
        let command = match phase {
            Phase::OnHold => Cmd::Hold {
                dialog,
                owner_epoch,
            },
            Phase::WrapUp => Cmd::WrapUp {
                dialog,
                owner_epoch,
            },
            Phase::Closed => Cmd::Close {
                dialog,
                owner_epoch: Some(owner_epoch),
                outcome: label("solved"),
            },
            Phase::Bot | Phase::Waiting | Phase::Assigned => return,
        };
        self.ok(&operator("olga"), &command);
    }

    fn phase(&self, id: DialogId) -> Phase {
        self.state.dialog(id).unwrap().phase()
    }

    fn epoch(&self, id: DialogId) -> OwnerEpoch {
        self.state.dialog(id).unwrap().epoch()
    }

    fn head(&self, id: DialogId) -> Seq {
        self.state.dialog(id).unwrap().position().seq
    }

    /// What desks were told since the last time this was asked.
    fn told(&mut self) -> Vec<(DeskId, DeskCommand)> {
        std::mem::take(&mut self.told)
    }
}
