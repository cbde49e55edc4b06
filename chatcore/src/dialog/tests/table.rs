//! Each command in each phase by each author: what comes of it.

use super::*;
use crate::dialog::{CustomerTimer, HandOver, TransferTo};

const PHASES: [Phase; 6] = [
    Phase::Bot,
    Phase::Waiting,
    Phase::Assigned,
    Phase::OnHold,
    Phase::WrapUp,
    Phase::Closed,
];

/// Olga has (or had) the dialog where people have it, igor is another operator, chief a
/// supervisor, and boris another customer.
fn authors() -> [(&'static str, Participant); 7] {
    [
        ("customer", customer()),
        ("olga", operator("olga")),
        ("igor", operator("igor")),
        ("chief", operator("chief")),
        ("bot", Participant::Bot),
        ("system", Participant::System),
        ("boris", Participant::Customer(CustomerId::literal("boris"))),
    ]
}

/// A dialog in a phase in which the customer, and olga if she had it, have written.
struct Stage {
    world: World,
    id: DialogId,
    epoch: OwnerEpoch,
    customers: Seq,
    olgas: Seq,
}

impl Stage {
    fn new(phase: Phase) -> Self {
        let before = match phase {
            Phase::Bot | Phase::Waiting => phase,
            _ => Phase::Assigned,
        };
        let (mut world, id, epoch) = World::in_phase(before);
        world.ok(&customer(), &says(id, "hello", None));
        let customers = world.head(id);
        let mut olgas = Seq(0);
        if before == Phase::Assigned {
            world.ok(&operator("olga"), &says(id, "good day", Some(epoch)));
            olgas = world.head(id);
        }
        world.moves_on(id, phase);
        let epoch = world.epoch(id);
        Self {
            world,
            id,
            epoch,
            customers,
            olgas,
        }
    }

    /// `ok` with events or moved cursors, `same` without, else the code of the rejection.
    fn outcome(mut self, author: &Participant, command: &Cmd) -> String {
        if let (Cmd::Timer { .. }, Some(due)) = (command, self.world.state.due().first()) {
            self.world.at = due.at;
        }
        let decided = self.world.send(author, command);
        match decided.outcome {
            Err(why) => why.code().to_owned(),
            Ok(_) if decided.events.is_empty() && decided.cursors.is_empty() => "same".to_owned(),
            Ok(_) => "ok".to_owned(),
        }
    }

    fn grant(&self, what: Granted) -> Cmd {
        Cmd::Grant(Grant {
            desk: desk("main"),
            grant: GrantId(50),
            what,
            operator: staff("igor"),
        })
    }

    /// As its author would send it now: staff with the epoch in force, a message of their own.
    fn talk(&self, name: &str, author: &Participant) -> Option<Cmd> {
        let dialog = self.id;
        let owner_epoch = author.staff().map(|_| self.epoch);
        let message = if *author == operator("olga") {
            self.olgas
        } else {
            self.customers
        };
        Some(match name {
            "message" => says(dialog, "more", owner_epoch),
            "edit" => Cmd::Edit {
                dialog,
                message,
                body: text("changed"),
                owner_epoch,
            },
            "delete" => Cmd::Delete {
                dialog,
                message,
                owner_epoch,
            },
            "note" => Cmd::Note {
                dialog,
                body: text("note"),
            },
            "note_customer" => Cmd::NoteCustomer {
                dialog,
                body: text("about her"),
            },
            "remove_note" => Cmd::RemoveCustomerNote {
                dialog,
                note: NoteId(1),
            },
            "tags" => Cmd::SetTags {
                dialog,
                tags: [label("vip")].into(),
            },
            "topic" => Cmd::SetTopic {
                dialog,
                topic: Some(label("cards")),
            },
            "cursor" => Cmd::Cursor {
                dialog,
                delivered: Seq(2),
                read: Seq(1),
            },
            "system" => Cmd::System {
                dialog,
                body: text("paid"),
            },
            "emergency" => Cmd::Emergency {
                dialog: None,
                incident: label("i1"),
                body: text("down"),
            },
            "undelivered" => Cmd::Undelivered {
                dialog,
                message: self.olgas,
                reason: label("unavailable"),
            },
            "undelivered_customers" => Cmd::Undelivered {
                dialog,
                message: self.customers,
                reason: label("unavailable"),
            },
            "link" => Cmd::Link {
                other: CustomerId::literal("tg-1"),
            },
            _ => return None,
        })
    }

    fn life(&self, name: &str, author: &Participant) -> Option<Cmd> {
        let (dialog, owner_epoch) = (self.id, self.epoch);
        Some(match name {
            "open" => opens(true),
            "write" => writes("more"),
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
                owner_epoch: author.staff().map(|_| self.epoch),
                outcome: label("done"),
            },
            "reopen" => Cmd::Reopen { dialog },
            "rate" => Cmd::Rate {
                dialog,
                score: 5,
                comment: None,
            },
            "wrap_up_timer" => Cmd::Timer {
                key: CustomerTimer::WrapUp(dialog),
                generation: self.generation(),
            },
            "reopen_timer" => Cmd::Timer {
                key: CustomerTimer::ReopenEnds(dialog),
                generation: self.generation(),
            },
            "archived" => Cmd::Archived {
                dialog,
                upto: self.world.state.dialog(dialog).unwrap().position(),
            },
            _ => return None,
        })
    }

    fn hand(&self, name: &str) -> Option<Cmd> {
        let (dialog, owner_epoch) = (self.id, self.epoch);
        let (desk, grant, epoch) = (desk("main"), GrantId(1), self.epoch);
        Some(match name {
            "ask_person" => Cmd::AskPerson {
                dialog,
                queue: None,
            },
            "ask_elsewhere" => Cmd::AskPerson {
                dialog,
                queue: Some(queue("cards", "lost")),
            },
            "bot_answer" | "hand_over" => Cmd::BotAnswer {
                dialog,
                seen: self.world.head(dialog),
                owner_epoch,
                replies: vec![text("well")],
                hand_over: (name == "hand_over").then(|| HandOver {
                    queue: None,
                    reason: label("asked"),
                }),
            },
            "transfer" => Cmd::Transfer {
                dialog,
                owner_epoch,
                to: TransferTo::Queue(queue("cards", "lost")),
                note: Some(text("note")),
            },
            "return" => Cmd::ReturnToQueue {
                dialog,
                owner_epoch,
            },
            "grant" => self.grant(Granted::Waiting {
                dialog,
                expected_epoch: epoch,
            }),
            "take_over" => self.grant(Granted::TakeOver {
                dialog,
                expected_epoch: epoch,
            }),
            "begin" => self.grant(Granted::New {
                channel: ChannelId::literal("web"),
                settings: DialogSettings::default(),
            }),
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
            _ => return None,
        })
    }

    fn command(&self, name: &str, author: &Participant) -> Cmd {
        self.talk(name, author)
            .or_else(|| self.life(name, author))
            .or_else(|| self.hand(name))
            .unwrap_or_else(|| panic!("no command {name}"))
    }

    fn generation(&self) -> u64 {
        self.world
            .state
            .due()
            .first()
            .map_or(0, |due| due.generation)
    }
}

/// The outcomes of one command: for each author who may send it at all, one word a phase, in the
/// order of [`PHASES`]. To all others it is `forbidden`.
type Row = (&'static str, &'static [(&'static str, &'static str)]);

const NOT_OWNER: &str = "not_owner not_owner not_owner not_owner not_owner closed";
const NEVER_OWNED: &str = "not_owner not_owner not_owner not_owner not_owner not_owner";
const ALWAYS: &str = "ok ok ok ok ok ok";

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // What is said.
    ("message", &[
        ("customer", "ok        ok        ok ok ok          closed"),
        ("olga",     "not_owner not_owner ok ok wrong_phase closed"),
        ("igor", NOT_OWNER), ("chief", NOT_OWNER),
    ]),
    ("edit", &[
        ("customer", "ok        ok        ok ok wrong_phase closed"),
        ("olga",     "not_owner not_owner ok ok wrong_phase closed"),
        ("igor", NOT_OWNER), ("chief", NOT_OWNER),
    ]),
    ("delete", &[
        ("customer", "ok        ok        ok ok ok closed"),
        ("olga",     "not_owner not_owner ok ok ok closed"),
        ("igor", NOT_OWNER), ("chief", ALWAYS),
    ]),
    ("system", &[("chief", "ok ok ok ok ok closed"), ("system", "ok ok ok ok ok closed")]),
    ("emergency", &[("system", "ok ok ok ok ok same")]),
    ("undelivered", &[("system", "unknown_message unknown_message ok ok ok ok")]),
    ("undelivered_customers", &[("system", "not_yours not_yours not_yours not_yours not_yours not_yours")]),
    // What is written down.
    ("note", TENDED),
    ("note_customer", TENDED),
    ("remove_note", &[
        ("olga", "not_owner not_owner unknown_message unknown_message unknown_message unknown_message"),
        ("igor", NEVER_OWNED),
        ("chief", "unknown_message unknown_message unknown_message unknown_message unknown_message unknown_message"),
    ]),
    ("tags", TENDED),
    ("topic", TENDED),
    ("cursor", &[
        ("customer", ALWAYS),
        ("olga",     "not_owner not_owner ok ok ok ok"),
        ("igor", NEVER_OWNED), ("chief", ALWAYS),
    ]),
    ("link", &[("system", ALWAYS)]),
    // The life.
    ("open", &[("customer", "same same same same ok ok")]),
    ("write", &[("customer", ALWAYS)]),
    ("hold", &[
        ("olga", "not_owner not_owner ok wrong_phase wrong_phase closed"),
        ("igor", NOT_OWNER), ("chief", NOT_OWNER),
    ]),
    ("resume", &[
        ("olga", "not_owner not_owner wrong_phase ok ok closed"),
        ("igor", NOT_OWNER), ("chief", NOT_OWNER),
    ]),
    ("wrap_up", OWNED),
    ("close", &[
        ("customer", "ok        ok        ok ok wrong_phase closed"),
        ("olga",     "not_owner not_owner ok ok ok          closed"),
        ("igor", NOT_OWNER), ("chief", NOT_OWNER),
    ]),
    ("reopen", &[
        ("customer", "same      same      same same ok          ok"),
        ("olga",     "not_owner not_owner same same wrong_phase ok"),
        ("igor", NEVER_OWNED),
        ("chief",    "same      same      same same wrong_phase ok"),
    ]),
    ("rate", &[("customer", "wrong_phase wrong_phase wrong_phase wrong_phase ok ok")]),
    ("wrap_up_timer", &[("system", "void void void void ok   void")]),
    ("reopen_timer",  &[("system", "void void void void void ok")]),
    ("archived",      &[("system", "void void void void void void")]),
    // Who has it.
    ("ask_person",    &[("customer", "ok same wrong_phase wrong_phase wrong_phase closed")]),
    ("ask_elsewhere", &[("customer", "ok ok   wrong_phase wrong_phase wrong_phase closed")]),
    ("bot_answer", BOTS),
    ("hand_over", BOTS),
    ("transfer", OWNED),
    ("return", OWNED),
    // Answers to desks.
    ("grant",     &[("system", "not_waiting ok          already_owned already_owned already_owned closed")]),
    ("take_over", &[("system", "wrong_phase wrong_phase ok            ok            ok            closed")]),
    ("begin",      &[("system", ALWAYS)]),
    ("confirm",    &[("system", "same same same same same same")]),
    ("owner_lost", &[("system", "same same ok   ok   ok   same")]),
];

const TENDED: &[(&str, &str)] = &[
    ("olga", "not_owner not_owner ok ok ok ok"),
    ("igor", NEVER_OWNED),
    ("chief", ALWAYS),
];

const OWNED: &[(&str, &str)] = &[
    ("olga", "not_owner not_owner ok ok wrong_phase closed"),
    ("igor", NOT_OWNER),
    ("chief", NOT_OWNER),
];

const BOTS: &[(&str, &str)] = &[(
    "bot",
    "ok wrong_phase wrong_phase wrong_phase wrong_phase closed",
)];

#[test]
fn each_command_by_each_author_in_each_phase_has_its_outcome() {
    for (command_name, rows) in TABLE {
        for (author_name, author) in authors() {
            let row = rows.iter().find(|(name, _)| *name == author_name).map_or(
                "forbidden forbidden forbidden forbidden forbidden forbidden",
                |r| r.1,
            );
            let expected: Vec<&str> = row.split_whitespace().collect();
            let actual = PHASES.map(|phase| {
                let stage = Stage::new(phase);
                let command = stage.command(command_name, &author);
                stage.outcome(&author, &command)
            });
            assert_eq!(
                actual.as_slice(),
                expected,
                "{command_name} by {author_name}"
            );
        }
    }
}

/// Kept apart from the table: a new command must find its way into it.
#[test]
fn the_table_has_every_command() {
    let stage = Stage::new(Phase::Bot);
    let tabled: std::collections::BTreeSet<&str> = TABLE
        .iter()
        .map(|(name, _)| random::kind(&stage.command(name, &customer())))
        .collect();
    assert_eq!(tabled, random::KINDS.into());
}
