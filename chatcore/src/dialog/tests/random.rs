//! Random commands that make sense often enough to lead somewhere.

use proptest::prelude::*;

use super::*;
use crate::dialog::{CustomerTimer, HandOver, TransferTo, limits, state::Writer};

/// The names of all commands.
pub(super) const KINDS: [&str; 30] = [
    "open",
    "message",
    "edit",
    "delete",
    "ask_person",
    "bot_answer",
    "transfer",
    "return_to_queue",
    "hold",
    "resume",
    "note",
    "set_tags",
    "set_topic",
    "wrap_up",
    "close",
    "reopen",
    "rate",
    "cursor",
    "system",
    "emergency",
    "undelivered",
    "link",
    "grant",
    "confirm",
    "owner_lost",
    "timer",
    "write",
    "archived",
    "note_customer",
    "remove_note",
];

/// The name of a command. Whoever adds one is led here, and by the tests to the rest.
pub(super) fn kind(command: &Cmd) -> &'static str {
    match command {
        Cmd::Open(_) => "open",
        Cmd::Write { .. } => "write",
        Cmd::Message(_) => "message",
        Cmd::Edit { .. } => "edit",
        Cmd::Delete { .. } => "delete",
        Cmd::AskPerson { .. } => "ask_person",
        Cmd::BotAnswer { .. } => "bot_answer",
        Cmd::Transfer { .. } => "transfer",
        Cmd::ReturnToQueue { .. } => "return_to_queue",
        Cmd::Hold { .. } => "hold",
        Cmd::Resume { .. } => "resume",
        Cmd::Note { .. } => "note",
        Cmd::NoteCustomer { .. } => "note_customer",
        Cmd::RemoveCustomerNote { .. } => "remove_note",
        Cmd::SetTags { .. } => "set_tags",
        Cmd::SetTopic { .. } => "set_topic",
        Cmd::WrapUp { .. } => "wrap_up",
        Cmd::Close { .. } => "close",
        Cmd::Reopen { .. } => "reopen",
        Cmd::Rate { .. } => "rate",
        Cmd::Cursor { .. } => "cursor",
        Cmd::System { .. } => "system",
        Cmd::Emergency { .. } => "emergency",
        Cmd::Undelivered { .. } => "undelivered",
        Cmd::Link { .. } => "link",
        Cmd::Grant(_) => "grant",
        Cmd::Confirm { .. } => "confirm",
        Cmd::OwnerLost { .. } => "owner_lost",
        Cmd::Archived { .. } => "archived",
        Cmd::Timer { .. } => "timer",
    }
}

/// The choices of one step; what they mean depends on the state that they meet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Which command.
    pub(super) kind: usize,
    /// At which dialog.
    dialog: u8,
    /// By whom; mostly by whoever may.
    author: u8,
    /// What else there is to choose.
    a: u8,
    b: u8,
    /// How long after the one before, in milliseconds.
    pub(super) after: u16,
}

/// Sequences of steps.
pub(super) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    // What moves a dialog on comes more often than what is only written into it.
    let kind = prop_oneof![
        3 => 0..KINDS.len(),
        2 => prop::sample::select(vec![0, 1, 4, 5, 14, 15]),
        4 => prop::sample::select(vec![21, 21, 21, 6, 8, 9, 13, 24]),
    ];
    let step = (kind, any::<[u8; 4]>(), 0..2_000u16).prop_map(|(kind, n, after)| Step {
        kind,
        dialog: n[0],
        author: n[1],
        a: n[2],
        b: n[3],
        after,
    });
    prop::collection::vec(step, 1..most)
}

/// What the steps have made up so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Invented {
    /// The grants that desks have sent.
    pub(super) grants: Vec<Grant>,
}

impl Step {
    /// The author and the command that these choices come to.
    pub(super) fn command(&self, world: &World, invented: &mut Invented) -> (Participant, Cmd) {
        let dialog = self.dialog(world);
        let command = self
            .talk(world, dialog)
            .or_else(|| self.life(world, dialog))
            .or_else(|| self.desk(world, dialog, invented))
            .unwrap_or_else(|| self.hand(world, dialog));
        assert_eq!(kind(&command), KINDS[self.kind]);
        (self.author(world, dialog), command)
    }

    fn dialog(&self, world: &World) -> DialogId {
        let all = || world.state.dialogs();
        let mut ids: Vec<_> = all().map(|(id, _)| id).collect();
        // What only who has a dialog may do is mostly asked of one that somebody has.
        if let "hold" | "resume" | "wrap_up" | "return_to_queue" | "transfer" = KINDS[self.kind] {
            let owned: Vec<_> = all()
                .filter(|(_, dialog)| dialog.operator().is_some())
                .map(|(id, _)| id)
                .collect();
            if !owned.is_empty() && !self.dialog.is_multiple_of(4) {
                ids = owned;
            }
        }
        match ids.len() {
            0 => DialogId(1),
            _ if self.dialog > 250 => DialogId(9_999),
            // The newer ones are where things happen.
            count => ids[count - 1 - usize::from(self.dialog) % count.min(3)],
        }
    }

    fn author(&self, world: &World, dialog: DialogId) -> Participant {
        let all = [
            customer(),
            operator("olga"),
            operator("igor"),
            operator("chief"),
            Participant::Bot,
            Participant::System,
            Participant::Customer(CustomerId::literal("boris")),
        ];
        if self.author < 40 {
            return all[usize::from(self.author) % all.len()].clone();
        }
        match KINDS[self.kind] {
            "open" | "write" | "ask_person" | "rate" => customer(),
            "bot_answer" => Participant::Bot,
            "system" | "emergency" | "undelivered" | "link" | "grant" | "confirm"
            | "owner_lost" | "timer" | "archived" => Participant::System,
            "message" | "edit" | "delete" | "close" | "reopen" | "cursor"
                if self.a.is_multiple_of(2) =>
            {
                customer()
            }
            _ => world
                .state
                .dialog(dialog)
                .and_then(|d| d.operator().cloned())
                .map_or(operator("chief"), Participant::Staff),
        }
    }

    fn epoch(&self, world: &World, dialog: DialogId) -> OwnerEpoch {
        let current = world.state.dialog(dialog).map_or(0, |d| d.epoch().0);
        OwnerEpoch(match self.b % 8 {
            0 => current.saturating_sub(1),
            1 => current + 1,
            _ => current,
        })
    }

    fn seq(&self, world: &World, dialog: DialogId) -> Seq {
        let head = world.state.dialog(dialog).map_or(0, |d| d.position().seq.0);
        Seq(head + 1 - u64::from(self.b) % (head + 2))
    }

    /// Mostly one of the messages.
    fn message(&self, world: &World, dialog: DialogId) -> Seq {
        let known: Vec<Seq> = world
            .state
            .dialog(dialog)
            .map(|d| d.messages.keys().copied().collect())
            .unwrap_or_default();
        if known.is_empty() || self.b.is_multiple_of(8) {
            return self.seq(world, dialog);
        }
        known[known.len() - 1 - usize::from(self.b) % known.len()]
    }

    /// Mostly one of those that are there.
    fn note(&self, world: &World) -> NoteId {
        let known: Vec<NoteId> = world.state.notes().map(|(id, _)| id).collect();
        if known.is_empty() || self.b.is_multiple_of(8) {
            return NoteId(u64::from(self.b));
        }
        known[usize::from(self.a) % known.len()]
    }

    /// Mostly the newest one that the bank said.
    fn banks_message(&self, world: &World, dialog: DialogId) -> Seq {
        let newest = world.state.dialog(dialog).and_then(|d| {
            let mut messages = d.messages.iter().rev();
            messages.find(|(_, writer)| **writer != Writer::Customer)
        });
        match newest {
            Some((seq, _)) if !self.b.is_multiple_of(8) => *seq,
            _ => self.message(world, dialog),
        }
    }

    fn settings(&self) -> DialogSettings {
        DialogSettings {
            bot: !self.a.is_multiple_of(3),
            queue: self.queue(),
            reopen_ms: u64::from(self.b) * 1_000,
            wrap_up_ms: 500,
            priority: self.b,
        }
    }

    fn queue(&self) -> QueueRef {
        if self.b.is_multiple_of(4) {
            queue("cards", "lost")
        } else {
            queue("main", "general")
        }
    }

    fn body(&self) -> Sealed {
        let mut body = text("said");
        if self.b == 255 {
            body.chars = u32::MAX;
        }
        body
    }

    fn talk(&self, world: &World, dialog: DialogId) -> Option<Cmd> {
        let owner_epoch = (!self.a.is_multiple_of(8)).then(|| self.epoch(world, dialog));
        Some(match KINDS[self.kind] {
            "message" => Cmd::Message(Message {
                dialog,
                body: self.body(),
                reply_to: (self.a % 4 == 1).then(|| self.seq(world, dialog)),
                owner_epoch,
            }),
            "edit" => Cmd::Edit {
                dialog,
                message: self.message(world, dialog),
                body: self.body(),
                owner_epoch,
            },
            "delete" => Cmd::Delete {
                dialog,
                message: self.message(world, dialog),
                owner_epoch,
            },
            "note" => Cmd::Note {
                dialog,
                body: self.body(),
            },
            "note_customer" => Cmd::NoteCustomer {
                dialog,
                body: self.body(),
            },
            "remove_note" => Cmd::RemoveCustomerNote {
                dialog,
                note: self.note(world),
            },
            "set_tags" => Cmd::SetTags {
                dialog,
                tags: (0..self.b % 24)
                    .map(|n| Label::try_new(format!("t{n}")).unwrap())
                    .collect(),
            },
            "set_topic" => Cmd::SetTopic {
                dialog,
                topic: (self.b.is_multiple_of(2)).then(|| label("cards")),
            },
            "cursor" => Cmd::Cursor {
                dialog,
                delivered: self.seq(world, dialog),
                read: Seq(self.a.into()),
            },
            "system" => Cmd::System {
                dialog,
                body: self.body(),
            },
            "emergency" => Cmd::Emergency {
                dialog: self.a.is_multiple_of(2).then_some(dialog),
                incident: Label::try_new(format!("i{}", self.b)).unwrap(),
                body: self.body(),
            },
            "undelivered" => Cmd::Undelivered {
                dialog,
                message: self.banks_message(world, dialog),
                reason: label("unavailable"),
            },
            "link" => Cmd::Link {
                other: CustomerId::try_new(format!("other{}", self.b % 40)).unwrap(),
            },
            _ => return None,
        })
    }

    fn open(&self) -> Open {
        Open {
            channel: ChannelId::literal(if self.b.is_multiple_of(2) {
                "web"
            } else {
                "mobile"
            }),
            topic: None,
            settings: self.settings(),
        }
    }

    fn life(&self, world: &World, dialog: DialogId) -> Option<Cmd> {
        let owner_epoch = self.epoch(world, dialog);
        Some(match KINDS[self.kind] {
            "open" => Cmd::Open(self.open()),
            "write" => Cmd::Write {
                open: self.open(),
                body: self.body(),
            },
            "hold" => Cmd::Hold {
                dialog,
                owner_epoch,
            },
            "resume" => Cmd::Resume {
                dialog,
                owner_epoch,
            },
            "wrap_up" => Cmd::WrapUp {
                dialog,
                owner_epoch,
            },
            "close" => Cmd::Close {
                dialog,
                owner_epoch: (self.a % 8 != 1).then_some(owner_epoch),
                outcome: label("done"),
            },
            "reopen" => Cmd::Reopen { dialog },
            "rate" => Cmd::Rate {
                dialog,
                score: self.b % 7,
                comment: (self.a.is_multiple_of(2)).then(|| self.body()),
            },
            "timer" => {
                let due = world.state.due();
                let found = due.get(usize::from(self.a) % due.len().max(1));
                let (key, generation) = found.map_or((CustomerTimer::WrapUp(dialog), 1), |due| {
                    (due.key.clone(), due.generation)
                });
                Cmd::Timer {
                    key,
                    generation: generation + u64::from(self.b.is_multiple_of(8)),
                }
            }
            "archived" => {
                let leaving: Vec<_> = world.state.leaving().collect();
                let found = leaving.get(usize::from(self.a) % leaving.len().max(1));
                let (dialog, mut upto) = found.copied().unwrap_or((dialog, Position::default()));
                upto.seq.0 += u64::from(self.b.is_multiple_of(4));
                Cmd::Archived { dialog, upto }
            }
            _ => return None,
        })
    }

    fn hand(&self, world: &World, dialog: DialogId) -> Cmd {
        let owner_epoch = self.epoch(world, dialog);
        match KINDS[self.kind] {
            "ask_person" => Cmd::AskPerson {
                dialog,
                queue: (self.a.is_multiple_of(2)).then(|| self.queue()),
            },
            "bot_answer" => Cmd::BotAnswer {
                dialog,
                seen: match self.a % 4 {
                    0 => self.seq(world, dialog),
                    _ => Seq(world.state.dialog(dialog).map_or(0, |d| d.position().seq.0)),
                },
                owner_epoch,
                replies: vec![self.body(); usize::from(self.b) % (limits::BOT_REPLIES_MAX + 2)],
                hand_over: (self.a.is_multiple_of(3)).then(|| HandOver {
                    queue: (self.b.is_multiple_of(2)).then(|| self.queue()),
                    reason: label("failed"),
                }),
            },
            "transfer" => Cmd::Transfer {
                dialog,
                owner_epoch,
                to: if self.a.is_multiple_of(2) {
                    TransferTo::Queue(self.queue())
                } else {
                    let QueueRef { desk, queue } = self.queue();
                    TransferTo::Operator {
                        desk,
                        operator: self.operator(),
                        queue: (self.a % 4 == 1).then_some(queue),
                    }
                },
                note: (self.a.is_multiple_of(3)).then(|| self.body()),
            },
            _ => Cmd::ReturnToQueue {
                dialog,
                owner_epoch,
            },
        }
    }

    fn operator(&self) -> StaffId {
        staff(["olga", "igor", "chief"][usize::from(self.a) % 3])
    }

    /// What desks send. A grant is a new one, or one of the last sent again.
    fn desk(&self, world: &World, dialog: DialogId, invented: &mut Invented) -> Option<Cmd> {
        let ownership = world.state.dialog(dialog).and_then(|d| d.ownership());
        let (desk, grant) = match ownership {
            Some(o) if self.b % 8 != 2 => (o.desk.clone(), o.grant),
            _ => (desk("main"), GrantId(u64::from(self.a) % 16)),
        };
        let epoch = self.epoch(world, dialog);
        Some(match KINDS[self.kind] {
            "confirm" => Cmd::Confirm {
                desk,
                dialog,
                grant,
                epoch,
            },
            "owner_lost" => Cmd::OwnerLost {
                desk,
                dialog,
                grant,
                epoch,
            },
            "grant" => {
                let sent = invented.grants.len();
                if self.b % 5 == 4 && sent > 0 {
                    let again = sent - 1 - usize::from(self.a) % sent.min(6);
                    return Some(Cmd::Grant(invented.grants[again].clone()));
                }
                let grant = self.grant(world, dialog, sent as u64 + 1);
                invented.grants.push(grant.clone());
                Cmd::Grant(grant)
            }
            _ => return None,
        })
    }

    fn grant(&self, world: &World, dialog: DialogId, number: u64) -> Grant {
        let expected_epoch = self.epoch(world, dialog);
        let state = world.state.dialog(dialog);
        let what = match state.map(DialogState::phase) {
            _ if self.a.is_multiple_of(8) => Granted::New {
                channel: ChannelId::literal("web"),
                settings: self.settings(),
            },
            Some(Phase::Assigned | Phase::OnHold | Phase::WrapUp) => Granted::TakeOver {
                dialog,
                expected_epoch,
            },
            _ => Granted::Waiting {
                dialog,
                expected_epoch,
            },
        };
        let desk = match state {
            Some(state) if self.b % 6 != 5 => state.queue().desk.clone(),
            _ => desk("cards"),
        };
        Grant {
            desk,
            grant: GrantId(number),
            what,
            operator: self.operator(),
        }
    }
}
