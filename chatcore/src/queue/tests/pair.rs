//! A desk and real customers: the two machines together keep one story.

use std::collections::{BTreeMap, VecDeque};

use proptest::{collection::vec, prelude::*};

use super::{
    desk::{self, Desk, config, customer, queue_id, staff},
    determinism::numbers,
};
use crate::{
    clock::Timestamp,
    content::Sealed,
    dialog::{CustomerCommand, CustomerState, DialogSettings, Open, Phase, TransferTo},
    identity::{StaffRights, StaffRole},
    ids::{
        ChannelId, DeskId, DialogId, GrantId, Label, OwnerEpoch, Participant, QueueRef, StreamId,
        Target,
    },
    machine::Context,
    queue::{Assignment, DeskCommand, OperatorStatus, Presence},
    record::{Command, StreamEvent, encode},
};

const CUSTOMERS: u64 = 6;
const OPERATORS: [&str; 3] = ["a", "b", "c"];

/// A customer as the engine runs it; what it hears and says keeps its order.
#[derive(Debug)]
struct Customer {
    state: CustomerState,
    next_dialog: DialogId,
    hears: VecDeque<CustomerCommand<Sealed>>,
    says: VecDeque<DeskCommand>,
}

#[derive(Debug)]
struct Pair {
    desk: Desk,
    customers: BTreeMap<u64, Customer>,
}

impl Pair {
    fn new() -> Self {
        let new = |number| {
            let one = Customer {
                state: CustomerState::new(customer(number)),
                next_dialog: DialogId(number),
                hears: VecDeque::new(),
                says: VecDeque::new(),
            };
            (number, one)
        };
        Self {
            desk: Desk::with(Assignment::LeastLoaded),
            customers: (0..CUSTOMERS).map(new).collect(),
        }
    }

    fn act(&mut self, (what, who, how): (u8, u8, u8)) {
        let number = u64::from(who) % CUSTOMERS;
        let operator = OPERATORS[usize::from(how) % OPERATORS.len()];
        match what % 16 {
            0..=2 => self.opens(number, how),
            3 => self.owner_does(number, |dialog, owner_epoch| CustomerCommand::Close {
                dialog,
                owner_epoch: Some(owner_epoch),
                outcome: Label::try_new("solved").unwrap(),
            }),
            4 => self.owner_does(number, |dialog, owner_epoch| {
                CustomerCommand::ReturnToQueue {
                    dialog,
                    owner_epoch,
                }
            }),
            5 => self.owner_does(number, |dialog, owner_epoch| CustomerCommand::Transfer {
                dialog,
                owner_epoch,
                to: TransferTo::Operator {
                    desk: desk_id(),
                    operator: staff(operator),
                    queue: None,
                },
                note: None,
            }),
            6 => self.owner_does(number, |dialog, owner_epoch| CustomerCommand::WrapUp {
                dialog,
                owner_epoch,
            }),
            7..=9 => (0..=how % 4).for_each(|_| self.desk_hears(number)),
            10..=12 => (0..=how % 4).for_each(|_| self.customer_hears(number)),
            13 => self.moves(operator, who),
            14 => self.by_hand(operator, who),
            _ if who >= 192 => self.time_passes(desk::GRACE_MS),
            _ => self.time_passes(u64::from(who) * 40),
        }
    }

    fn opens(&mut self, number: u64, how: u8) {
        let queue = if how.is_multiple_of(16) { "other" } else { "q" };
        let settings = DialogSettings {
            queue: QueueRef {
                desk: desk_id(),
                queue: queue_id(queue),
            },
            bot: false,
            priority: how % 3 * 30,
            ..DialogSettings::default()
        };
        let open = CustomerCommand::Open(Open {
            channel: ChannelId::try_new("web").unwrap(),
            topic: None,
            settings,
        });
        self.customer_does(number, Participant::Customer(customer(number)), &open);
    }

    fn owner_does(
        &mut self,
        number: u64,
        command: impl Fn(DialogId, OwnerEpoch) -> CustomerCommand<Sealed>,
    ) {
        let owned = self.customers[&number]
            .state
            .dialogs()
            .find_map(|(id, dialog)| {
                let owner = dialog.operator()?.clone();
                Some((id, dialog.epoch(), owner))
            });
        if let Some((dialog, epoch, owner)) = owned {
            let author = Participant::Staff(owner);
            self.customer_does(number, author, &command(dialog, epoch));
        }
    }

    fn customer_does(
        &mut self,
        number: u64,
        author: Participant,
        command: &CustomerCommand<Sealed>,
    ) {
        let at = self.desk.at;
        self.customers
            .get_mut(&number)
            .unwrap()
            .take_in(at, author, command);
    }

    fn moves(&mut self, operator: &str, who: u8) {
        let command = match who % 4 {
            0 => desk::lost(operator, 1),
            1 => desk::came(operator, 1),
            _ => {
                let status = desk::status(operator, OperatorStatus::Available);
                return self.desk_does(Participant::Staff(staff(operator)), false, &status);
            }
        };
        self.desk_does(Participant::System, false, &command);
    }

    fn by_hand(&mut self, operator: &str, who: u8) {
        let dialogs = self.customers.values().flat_map(|one| one.state.dialogs());
        let all: Vec<u64> = dialogs.map(|(id, _)| id.0).collect();
        let dialog = all.get(usize::from(who) % all.len().max(1)).copied();
        let (author, supervisor, command) = match who % 3 {
            0 => (
                "boss",
                true,
                desk::assign(dialog.unwrap_or(0), operator, who > 200),
            ),
            1 => (operator, false, desk::take(dialog.unwrap_or(0))),
            _ => (operator, false, desk::begin(u64::from(who) % CUSTOMERS)),
        };
        self.desk_does(Participant::Staff(staff(author)), supervisor, &command);
    }

    fn desk_does(&mut self, author: Participant, supervisor: bool, command: &DeskCommand) {
        for follow_up in self.desk.run(author, supervisor, command).follow_ups {
            let (Target::Customer(id), Command::Customer(command)) =
                (follow_up.target, follow_up.command)
            else {
                panic!("a desk tells customers only");
            };
            let number: u64 = id.as_str()[1..].parse().unwrap();
            self.customers
                .get_mut(&number)
                .unwrap()
                .hears
                .push_back(command);
        }
    }

    fn desk_hears(&mut self, number: u64) {
        let one = self.customers.get_mut(&number).unwrap();
        if let Some(command) = one.says.pop_front() {
            self.desk_does(Participant::System, false, &command);
        }
    }

    fn customer_hears(&mut self, number: u64) {
        let one = self.customers.get_mut(&number).unwrap();
        if let Some(command) = one.hears.pop_front() {
            self.customer_does(number, Participant::System, &command);
        }
    }

    fn time_passes(&mut self, wait_ms: u64) {
        self.desk.at.0 += i64::try_from(wait_ms).unwrap();
        for due in self.desk.state.due() {
            let (key, generation) = (due.key, due.generation);
            let fires = DeskCommand::Timer { key, generation };
            self.desk_does(Participant::System, false, &fires);
        }
        let at = self.desk.at;
        for one in self.customers.values_mut() {
            for due in one.state.due().into_iter().filter(|due| due.at <= at) {
                let (key, generation) = (due.key, due.generation);
                let fires = CustomerCommand::Timer { key, generation };
                one.take_in(at, Participant::System, &fires);
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..4 {
            self.time_passes(2 * desk::GRACE_MS);
            let is_silent = |one: &Customer| one.hears.is_empty() && one.says.is_empty();
            while !self.customers.values().all(is_silent) {
                for number in 0..CUSTOMERS {
                    self.customer_hears(number);
                    self.desk_hears(number);
                }
            }
        }
        self.assert_agreed();
    }

    fn assert_agreed(&self) {
        let mut waiting = BTreeMap::new();
        let mut owned = BTreeMap::new();
        let all = self.customers.values().flat_map(|one| one.state.dialogs());
        for (id, dialog) in all {
            if dialog.phase() == Phase::Waiting {
                waiting.insert(id, dialog.epoch());
            }
            if let Some(ownership) = dialog.ownership() {
                let operator = dialog.operator().cloned();
                owned.insert(ownership.grant, (Some(id), operator, Some(dialog.epoch())));
            }
        }
        let all = self.desk.state.waiting();
        let shown = all.iter().map(|one| (one.wait.dialog, one.wait.epoch));
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), waiting);
        let all = self.desk.state.grants();
        let shown: BTreeMap<GrantId, _> = all
            .iter()
            .map(|one| {
                (
                    one.grant,
                    (one.dialog, Some(one.operator.clone()), one.epoch),
                )
            })
            .collect();
        assert_eq!(shown, owned);
        for one in all {
            assert_ne!(self.desk.state.presence(&one.operator), Presence::Gone);
        }
    }

    /// All are ended by their owners, or by the customers.
    fn close_all(&mut self) {
        self.settle();
        for number in 0..CUSTOMERS {
            let open: Vec<DialogId> = self.customers[&number]
                .state
                .dialogs()
                .filter(|(_, dialog)| dialog.phase() != Phase::Closed)
                .map(|(id, _)| id)
                .collect();
            for dialog in open {
                let close = CustomerCommand::Close {
                    dialog,
                    owner_epoch: None,
                    outcome: Label::try_new("left").unwrap(),
                };
                self.customer_does(number, Participant::Customer(customer(number)), &close);
            }
        }
        self.settle();
    }
}

impl Customer {
    fn take_in(&mut self, at: Timestamp, author: Participant, command: &CustomerCommand<Sealed>) {
        let cx = Context {
            at,
            rights: author.staff().map(|_| StaffRights {
                desk: DeskId::literal("main"),
                role: StaffRole::Operator,
            }),
            author,
            assurance: None,
            withdraw: Vec::new(),
            next_dialog: self.next_dialog,
        };
        let decided = self.state.decide(command, &cx);
        for (stream, event) in decided.events {
            let after = self.state.position(&stream).unwrap_or_default();
            let seq = after.seq.next();
            let event = StreamEvent {
                seq,
                hash: after.hash.then(seq, &encode(&event).unwrap()),
                at,
                visibility: CustomerState::visibility(&event),
                event,
            };
            self.state.apply(&stream, &event);
            if stream == StreamId::Dialog(self.next_dialog) {
                self.next_dialog.0 += CUSTOMERS;
            }
        }
        for follow_up in decided.follow_ups {
            let (Target::Desk(_), Command::Desk(command)) = (follow_up.target, follow_up.command)
            else {
                panic!("a customer tells desks only");
            };
            self.says.push_back(command);
        }
    }
}

fn desk_id() -> crate::ids::DeskId {
    Desk::empty().state.desk().clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_two_machines_agree_once_all_is_heard(actions in vec(any::<(u8, u8, u8)>(), 0..200)) {
        let mut pair = Pair::new();
        for action in &actions {
            pair.act(*action);
        }
        pair.settle();
        pair.close_all();
        prop_assert!(pair.desk.state.grants().is_empty());
        prop_assert_eq!(pair.desk.state.waiting_count(), 0);
    }
}

#[test]
fn a_long_life_of_both_holds_many_grants() {
    let mut pair = Pair::new();
    for action in numbers(11).take(6_000) {
        pair.act(action);
    }
    pair.close_all();
    assert!(
        pair.desk.state.core.last_grant > GrantId(100),
        "{:?}",
        pair.desk.state.core.last_grant
    );
    assert!(pair.desk.state.config() == &config(Assignment::LeastLoaded));
}
