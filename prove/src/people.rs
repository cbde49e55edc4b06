//! Who takes part, and what they want to do by what they see.

use std::time::Duration;

use anyhow::Result;
use chatcore::{
    content::Content,
    dialog::{CustomerCommand, Message, Open, Phase, TransferTo},
    identity::{StaffRole, Who},
    ids::{ChannelId, CustomerId, DeskId, DialogId, Label, QueueId, QueueRef, StaffId, Target},
    queue::{DeskCommand, OperatorStatus},
    record::Command,
    routing::DialogView,
    simulation::Rng,
};
use tokio::time::Instant;

use crate::view::Views;

/// How often an operator says that they are there.
const AVAILABLE_EVERY: Duration = Duration::from_secs(10);

/// A person at a device.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) who: Who,
    /// Commands to one target without a known outcome.
    pub(crate) window: usize,
    /// Whether they may stop reading when told so.
    pub(crate) may_be_deaf: bool,
    bank: Bank,
    rng: Rng,
    /// Between two things that they do, on average.
    pace: Duration,
    next_at: Option<Instant>,
    available_at: Option<Instant>,
    said: u64,
}

/// What somebody wants to do now.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    pub(crate) command: Option<(Target, Command<Content>, &'static str)>,
    /// Has read this dialog, of the customer of this target.
    pub(crate) read: Option<(Target, DialogId)>,
}

/// The bank of every run.
#[derive(Debug, Clone)]
pub(crate) struct Bank {
    pub(crate) desk: DeskId,
    queue: QueueRef,
    channel: ChannelId,
    done: Label,
}

impl Bank {
    /// As the servers' configuration has it.
    pub(crate) fn new() -> Result<Self> {
        let desk = DeskId::try_new("main")?;
        Ok(Self {
            queue: QueueRef {
                desk: desk.clone(),
                queue: QueueId::try_new("general")?,
            },
            desk,
            channel: ChannelId::try_new("web")?,
            done: Label::try_new("done")?,
        })
    }
}

impl Person {
    pub(crate) fn customer(bank: &Bank, number: usize, seed: u64, pace: Duration) -> Result<Self> {
        let id = CustomerId::try_new(format!("customer-{number}"))?;
        let rng = Rng::named(seed, id.as_str());
        Ok(Self {
            may_be_deaf: number.is_multiple_of(2),
            ..Self::new(bank, Who::Customer(id), 3, rng, pace)
        })
    }

    pub(crate) fn operator(bank: &Bank, number: usize, seed: u64, pace: Duration) -> Result<Self> {
        let id = StaffId::try_new(format!("operator-{number}"))?;
        let rng = Rng::named(seed, id.as_str());
        let who = Who::Staff {
            id,
            desk: bank.desk.clone(),
            role: StaffRole::Operator,
        };
        Ok(Self::new(bank, who, 1, rng, pace))
    }

    fn new(bank: &Bank, who: Who, window: usize, rng: Rng, pace: Duration) -> Self {
        Self {
            who,
            window,
            may_be_deaf: false,
            bank: bank.clone(),
            rng,
            pace,
            next_at: None,
            available_at: None,
            said: 0,
        }
    }

    /// What they want now, by what they see.
    pub(crate) fn wants(&mut self, views: &Views, now: Instant) -> Wants {
        let of_two = self.pace.mul_f64(2.0);
        let share = f64::from(u16::try_from(self.rng.below(1_000)).unwrap_or(0)) / 1_000.0;
        let next_at = *self.next_at.get_or_insert(now + of_two.mul_f64(share));
        if now < next_at {
            return Wants::default();
        }
        self.next_at = Some(now + of_two.mul_f64(share));
        self.said += 1;
        match self.who.clone() {
            Who::Customer(id) => self.customer_wants(&id, views),
            Who::Staff { id, .. } => self.operator_wants(&id, views, now),
        }
    }

    fn text(&self) -> Content {
        // As long as people's messages are on average.
        Content::Text(format!("{:<120}", format!("message {}", self.said)))
    }

    fn customer_wants(&mut self, me: &CustomerId, views: &Views) -> Wants {
        let target = Target::Customer(me.clone());
        let Some((dialog, view)) = views.open().next() else {
            let open = CustomerCommand::Open(Open {
                channel: self.bank.channel.clone(),
                topic: None,
                settings: Default::default(),
            });
            return Wants::to(target, open, "open");
        };
        let chance = self.rng.below(100);
        let (command, kind) = match (view.phase, chance) {
            (Phase::Bot, 0..50) => {
                let ask = CustomerCommand::AskPerson {
                    dialog,
                    queue: None,
                };
                (ask, "ask_person")
            }
            (_, 0..4) => {
                return Wants {
                    read: Some((target, dialog)),
                    ..Wants::default()
                };
            }
            (_, 4..6) => {
                let close = CustomerCommand::Close {
                    dialog,
                    owner_epoch: None,
                    outcome: self.bank.done.clone(),
                };
                (close, "close")
            }
            _ => (self.message(dialog, None), "message"),
        };
        Wants::to(target, command, kind)
    }

    fn message(&self, dialog: DialogId, view: Option<&DialogView>) -> CustomerCommand<Content> {
        CustomerCommand::Message(Message {
            dialog,
            body: self.text(),
            reply_to: None,
            owner_epoch: view.map(|view| view.epoch),
        })
    }

    fn operator_wants(&mut self, me: &StaffId, views: &Views, now: Instant) -> Wants {
        if self.available_at.is_none_or(|at| now > at) {
            self.available_at = Some(now + AVAILABLE_EVERY);
            let status = DeskCommand::Status {
                operator: me.clone(),
                status: OperatorStatus::Available,
            };
            let command = Some((
                Target::Desk(self.bank.desk.clone()),
                Command::Desk(status),
                "status",
            ));
            return Wants {
                command,
                ..Wants::default()
            };
        }
        let owned = views.owned(me);
        let pick = self.rng.below(owned.len() as u64);
        let picked = usize::try_from(pick).ok().and_then(|at| owned.get(at));
        let Some((dialog, view)) = picked else {
            return Wants::default();
        };
        let (dialog, owner_epoch) = (*dialog, view.epoch);
        let target = Target::Customer(view.customer.clone());
        let (command, kind) = match self.rng.below(100) {
            0..4 => {
                return Wants {
                    read: Some((target, dialog)),
                    ..Wants::default()
                };
            }
            4..7 => {
                let body = self.text();
                (CustomerCommand::Note { dialog, body }, "note")
            }
            7..9 => {
                let close = CustomerCommand::Close {
                    dialog,
                    owner_epoch: Some(owner_epoch),
                    outcome: self.bank.done.clone(),
                };
                (close, "close")
            }
            9..11 => {
                let transfer = CustomerCommand::Transfer {
                    dialog,
                    owner_epoch,
                    to: TransferTo::Queue(self.bank.queue.clone()),
                    note: None,
                };
                (transfer, "transfer")
            }
            _ => (self.message(dialog, Some(view)), "answer"),
        };
        Wants::to(target, command, kind)
    }
}

impl Wants {
    fn to(target: Target, command: CustomerCommand<Content>, kind: &'static str) -> Self {
        Self {
            command: Some((target, Command::Customer(command), kind)),
            ..Self::default()
        }
    }
}
