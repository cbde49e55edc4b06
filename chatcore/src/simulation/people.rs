//! What people do when their time comes: an entry of the plan, made into a command by what the
//! person sees then.

use super::{
    device::Device,
    fired::Kind,
    node::SimNode,
    plan::{CustomerDoes, OperatorDoes},
    scene::{self, CUSTOMERS, OPERATORS},
    socket::Said,
    world::World,
};
use crate::{
    content::Content,
    dialog::{CustomerCommand, Message, Open, Phase, TransferTo},
    error::Result,
    identity::{Revoked, StaffRole, Who},
    ids::{ChannelId, CustomerId, DialogId, Label, OwnerEpoch, Seq, StaffId, StreamId, Target},
    queue::{DeskCommand, OperatorStatus},
    record::Command,
};

/// Devices of a customer.
const DEVICES: usize = 2;

/// All people of a run.
pub(super) struct People {
    customers: Vec<(CustomerId, Vec<Device>)>,
    operators: Vec<Operator>,
}

struct Operator {
    id: StaffId,
    device: Device,
    /// What they had, to go on typing in it.
    had: Vec<Held>,
}

/// A dialog that an operator has.
#[derive(Clone)]
struct Held {
    dialog: DialogId,
    customer: CustomerId,
    epoch: OwnerEpoch,
}

fn text(pick: u64) -> Content {
    Content::Text(format!("what is said {pick}"))
}

fn choose<T>(from: &[T], pick: u64) -> Option<&T> {
    let at = pick % (from.len() as u64).max(1);
    from.get(usize::try_from(at).unwrap_or(0))
}

impl People {
    pub(super) fn new() -> Result<Self> {
        let mut customers = Vec::new();
        for number in 0..CUSTOMERS {
            let id = scene::customer(number)?;
            let device = |device| {
                let name = format!("c{number}-{device}");
                Device::new(Who::Customer(id.clone()), name, 3, number + device)
            };
            let devices = (0..DEVICES).map(device).collect();
            customers.push((id, devices));
        }
        let mut operators = Vec::new();
        for number in 0..OPERATORS {
            let id = scene::operator(number)?;
            let who = Who::Staff {
                id: id.clone(),
                desk: scene::desk(),
                role: if number == 0 {
                    StaffRole::Supervisor
                } else {
                    StaffRole::Operator
                },
            };
            operators.push(Operator {
                id,
                device: Device::new(who, format!("o{number}"), 1, number),
                had: Vec::new(),
            });
        }
        Ok(Self {
            customers,
            operators,
        })
    }

    /// All devices, in an order that never changes.
    pub(super) fn devices(&self) -> impl Iterator<Item = &Device> {
        let customers = self.customers.iter().flat_map(|(_, devices)| devices);
        customers.chain(self.operators.iter().map(|o| &o.device))
    }

    pub(super) fn devices_mut(&mut self) -> impl Iterator<Item = &mut Device> {
        let customers = self.customers.iter_mut().flat_map(|(_, devices)| devices);
        customers.chain(self.operators.iter_mut().map(|o| &mut o.device))
    }

    /// Somebody, or what they have: a person twice as often as a sign-in or a token.
    pub(super) fn pick_revoked(&self, pick: u64) -> Option<Revoked> {
        let connected: Vec<_> = self.devices().filter(|d| d.is_connected()).collect();
        let device = choose(&connected, pick / 8)?;
        let credential = device.credential()?;
        Some(match pick / 4 % 4 {
            0 => Revoked::Token(credential.proof.token.clone()?),
            1 => Revoked::SignIn(credential.proof.sign_in.clone()?),
            _ => Revoked::Person(device.who.participant()),
        })
    }

    pub(super) fn step(&mut self, world: &World, nodes: &[SimNode]) -> Result<()> {
        for device in self.devices_mut() {
            device.step(world, nodes)?;
        }
        for operator in &mut self.operators {
            operator.remember();
        }
        Ok(())
    }

    /// A customer does something.
    pub(super) fn customer(
        &mut self,
        world: &World,
        (who, device): (usize, usize),
        does: CustomerDoes,
        pick: u64,
    ) {
        let Some((id, devices)) = self.customers.get_mut(who) else {
            return;
        };
        if let Some(device) = devices.get_mut(device) {
            customer(world, (id, device), does, pick);
        }
    }

    /// An operator does something.
    pub(super) fn operator(&mut self, world: &World, who: usize, does: OperatorDoes, pick: u64) {
        if let Some(operator) = self.operators.get_mut(who) {
            operator.act(world, does, pick);
        }
    }
}

fn in_phase(device: &Device, is: impl Fn(Phase) -> bool) -> Vec<DialogId> {
    let dialogs = device.dialogs.iter();
    dialogs
        .filter(|(_, view)| is(view.phase))
        .map(|(id, _)| *id)
        .collect()
}

fn head(device: &Device, dialog: DialogId) -> Seq {
    let seen = device.streams.get(&StreamId::Dialog(dialog));
    seen.map_or(Seq(0), |seen| seen.at.seq)
}

/// What has to do with the connection; answers whether it was that.
fn customer_moves(world: &World, device: &mut Device, does: CustomerDoes, pick: u64) -> bool {
    match does {
        CustomerDoes::Come => device.come(pick),
        CustomerDoes::Go => device.go(world),
        CustomerDoes::Resend => device.resend(),
        CustomerDoes::Acknowledge => device.acknowledge(world),
        CustomerDoes::Stall => {
            world.fired.count(Kind::SlowReader);
            let until = world.time.passed_ms() + 500 + i64::try_from(pick % 5_000).unwrap_or(0);
            device.stall(until);
        }
        CustomerDoes::Reconnect => {
            world.fired.count(Kind::SocketCut);
            device.lose(world, i64::try_from(pick % 3_000).unwrap_or(0));
        }
        _ => return false,
    }
    true
}

fn customer(
    world: &World,
    (id, device): (&CustomerId, &mut Device),
    does: CustomerDoes,
    pick: u64,
) {
    if customer_moves(world, device, does, pick) {
        return;
    }
    let open = in_phase(device, |phase| phase != Phase::Closed);
    let closed = in_phase(device, |phase| phase == Phase::Closed);
    let target = Target::Customer(id.clone());
    let (command, kind) = match (does, choose(&open, pick), choose(&closed, pick)) {
        (CustomerDoes::Read, Some(dialog), _) => {
            let upto = head(device, *dialog);
            let dialog = *dialog;
            return device.say(Said::Cursor { dialog, upto });
        }
        (CustomerDoes::Type, Some(dialog), _) => return device.say(Said::Typing(*dialog)),
        (CustomerDoes::AskPerson, Some(dialog), _) => {
            let queue = pick.is_multiple_of(3).then(scene::by_itself);
            let dialog = *dialog;
            (CustomerCommand::AskPerson { dialog, queue }, "ask_person")
        }
        (CustomerDoes::Close, Some(dialog), _) => {
            let close = CustomerCommand::Close {
                dialog: *dialog,
                owner_epoch: None,
                outcome: Label::literal("done"),
            };
            (close, "close")
        }
        (CustomerDoes::Rate, _, Some(dialog)) => {
            let rate = CustomerCommand::Rate {
                dialog: *dialog,
                score: 1 + u8::try_from(pick % 5).unwrap_or(0),
                comment: None,
            };
            (rate, "rate")
        }
        (CustomerDoes::Reopen, _, Some(dialog)) => {
            let dialog = *dialog;
            (CustomerCommand::Reopen { dialog }, "reopen")
        }
        (_, Some(dialog), _) => {
            let message = Message {
                dialog: *dialog,
                body: text(pick),
                reply_to: None,
                owner_epoch: None,
            };
            (CustomerCommand::Message(message), "message")
        }
        (_, None, _) => {
            let channel = match pick % 2 {
                0 => "web",
                _ => "mobile",
            };
            let open = Open {
                channel: ChannelId::literal(channel),
                topic: None,
                settings: Default::default(),
            };
            (CustomerCommand::Open(open), "open")
        }
    };
    device.command(target, Command::Customer(command), kind);
}

impl Operator {
    /// What they have now, by the board as they know it.
    fn holds(&self) -> Vec<Held> {
        let grants = self.device.board.grants.values();
        let mine = grants.filter(|grant| grant.operator == self.id);
        mine.filter_map(|grant| {
            Some(Held {
                dialog: grant.dialog?,
                customer: grant.customer.clone(),
                epoch: grant.held?,
            })
        })
        .collect()
    }

    fn remember(&mut self) {
        for held in self.holds() {
            let is_known = |h: &Held| h.dialog == held.dialog && h.epoch == held.epoch;
            if !self.had.iter().any(is_known) {
                self.had.push(held);
            }
        }
    }

    fn at_desk(&mut self, command: DeskCommand, kind: &'static str) {
        let target = Target::Desk(scene::desk());
        self.device.command(target, Command::Desk(command), kind);
    }

    fn status(&mut self, status: OperatorStatus) {
        let operator = self.id.clone();
        self.at_desk(DeskCommand::Status { operator, status }, "status");
    }

    /// What has to do with the connection; answers whether it was that.
    fn moves(&mut self, world: &World, does: OperatorDoes, pick: u64) -> bool {
        match does {
            OperatorDoes::Come => self.device.come(pick),
            OperatorDoes::Go => self.device.go(world),
            OperatorDoes::Resend => self.device.resend(),
            OperatorDoes::Reconnect => {
                world.fired.count(Kind::SocketCut);
                self.device
                    .lose(world, i64::try_from(pick % 3_000).unwrap_or(0));
            }
            OperatorDoes::Available => self.status(OperatorStatus::Available),
            OperatorDoes::Busy => self.status(OperatorStatus::Busy),
            _ => return false,
        }
        true
    }

    fn act(&mut self, world: &World, does: OperatorDoes, pick: u64) {
        if self.moves(world, does, pick) {
            return;
        }
        let late = does == OperatorDoes::AnswerLate;
        let from = if late { self.had.clone() } else { self.holds() };
        let takes = matches!(does, OperatorDoes::Take | OperatorDoes::Assign);
        let Some(held) = choose(&from, pick).filter(|_| !takes).cloned() else {
            return self.take(does, pick);
        };
        if does == OperatorDoes::Read {
            let upto = head(&self.device, held.dialog);
            let dialog = held.dialog;
            return self.device.say(Said::Cursor { dialog, upto });
        }
        let target = Target::Customer(held.customer.clone());
        let (command, kind) = in_dialog(does, &held, pick);
        self.device
            .command(target, Command::Customer(command), kind);
    }

    fn take(&mut self, does: OperatorDoes, pick: u64) {
        let waiting: Vec<DialogId> = self.device.board.waiting.keys().copied().collect();
        let Some(dialog) = choose(&waiting, pick).copied() else {
            // With nothing to do they say that they are here.
            return self.status(OperatorStatus::Available);
        };
        let colleague = scene::operator(usize::try_from(pick % 7).unwrap_or(0) % OPERATORS);
        match (does, colleague) {
            (OperatorDoes::Assign, Ok(operator)) if self.device.is_supervisor() => {
                let assign = DeskCommand::Assign {
                    dialog,
                    operator,
                    over_capacity: pick.is_multiple_of(5),
                };
                self.at_desk(assign, "assign");
            }
            _ => self.at_desk(DeskCommand::Take { dialog }, "take"),
        }
    }
}

/// What an operator says in a dialog that they have, or believe to have.
fn in_dialog(
    does: OperatorDoes,
    held: &Held,
    pick: u64,
) -> (CustomerCommand<Content>, &'static str) {
    let dialog = held.dialog;
    let owner_epoch = held.epoch;
    match does {
        OperatorDoes::Note => {
            let body = text(pick);
            (CustomerCommand::Note { dialog, body }, "note")
        }
        OperatorDoes::Hold => {
            let hold = if pick.is_multiple_of(2) {
                CustomerCommand::Hold {
                    dialog,
                    owner_epoch,
                }
            } else {
                CustomerCommand::Resume {
                    dialog,
                    owner_epoch,
                }
            };
            (hold, "hold")
        }
        OperatorDoes::Transfer => (transfer(held, pick), "transfer"),
        OperatorDoes::Return => {
            let back = CustomerCommand::ReturnToQueue {
                dialog,
                owner_epoch,
            };
            (back, "return")
        }
        // They often write up what was said before they close.
        OperatorDoes::Close if pick.is_multiple_of(2) => {
            let wrap_up = CustomerCommand::WrapUp {
                dialog,
                owner_epoch,
            };
            (wrap_up, "wrap_up")
        }
        OperatorDoes::Close => {
            let close = CustomerCommand::Close {
                dialog,
                owner_epoch: Some(owner_epoch),
                outcome: Label::literal("solved"),
            };
            (close, "close")
        }
        _ => {
            let message = Message {
                dialog,
                body: text(pick),
                reply_to: None,
                owner_epoch: Some(owner_epoch),
            };
            (CustomerCommand::Message(message), "answer")
        }
    }
}

fn transfer(held: &Held, pick: u64) -> CustomerCommand<Content> {
    let number = usize::try_from(pick % 11).unwrap_or(0) % OPERATORS;
    let to = match scene::operator(number) {
        Ok(operator) if !pick.is_multiple_of(3) => TransferTo::Operator {
            desk: scene::desk(),
            operator,
            queue: None,
        },
        _ => TransferTo::Queue(scene::by_itself()),
    };
    CustomerCommand::Transfer {
        dialog: held.dialog,
        owner_epoch: held.epoch,
        to,
        note: Some(text(pick)),
    }
}
