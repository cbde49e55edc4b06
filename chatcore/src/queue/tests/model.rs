//! A desk among dialogs that answer late, twice, and not in the order of one another.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    desk::{self, Desk, freed, leave, node, queue_id, staff, wait},
    dialogs::{Dialog, Life},
};
use crate::{
    clock::Timestamp,
    dialog::DialogSettings,
    ids::{ChannelId, DialogId, OwnerEpoch, Participant, Target},
    queue::{
        Assignment, DeskCommand, DeskConfig, OperatorConfig, OperatorStatus, Presence, QueueConfig,
        Wait,
    },
    record::Command,
};

/// What happens next; the numbers choose who and what.
pub(super) type Action = (u8, u8, u8);

const DIALOGS: u64 = 10;
const OPERATORS: [&str; 4] = ["a", "b", "c", "d"];
const QUEUES: [&str; 3] = ["q", "r", "by-hand"];

#[derive(Debug)]
pub(super) struct Model {
    pub(super) desk: Desk,
    dialogs: BTreeMap<u64, Dialog>,
    /// Answers that the desk has heard, to be repeated.
    heard: Vec<DeskCommand>,
}

impl Model {
    pub(super) fn new() -> Self {
        let mut desk = Desk::empty();
        desk.system(DeskCommand::Configure(rules(0)));
        for operator in OPERATORS {
            desk.comes(operator);
        }
        let closed = |number| (number, Dialog::new(number));
        Self {
            desk,
            dialogs: (0..DIALOGS).map(closed).collect(),
            heard: Vec::new(),
        }
    }

    pub(super) fn act(&mut self, (what, who, how): Action) {
        let dialog = u64::from(who) % DIALOGS;
        let operator = OPERATORS[usize::from(how) % OPERATORS.len()];
        match what % 20 {
            0..=2 => self.opens(dialog, how),
            3 if how % 3 > 0 => self.desk_hears(dialog, false),
            3 => self.closes(dialog),
            4 => self.returns(dialog, None),
            5 => self.returns(dialog, Some(operator)),
            6..=8 => (0..=how % 4).for_each(|n| self.desk_hears(dialog, n == 3)),
            9..=11 => (0..=how % 4).for_each(|n| self.dialog_hears(dialog, n == 3)),
            12 => self.repeats(usize::from(who)),
            13 => self.staff(operator, false, desk::take(dialog)),
            14 => self.staff("boss", true, desk::assign(dialog, operator, who >= 224)),
            15 => self.begins(operator),
            16 => self.says_status(operator, who),
            17 => self.moves(operator, who),
            18 if who % 4 == 0 => self.tells(DeskCommand::Configure(rules(how))),
            18 => self.desk_hears(dialog, false),
            _ if who >= 192 => self.time_passes(desk::GRACE_MS),
            _ => self.time_passes(u64::from(who) * 20),
        }
    }

    /// Everything is heard and answered, and every timer has fired.
    pub(super) fn settle(&mut self) {
        for _ in 0..4 {
            self.time_passes(2 * desk::GRACE_MS);
            while self.dialogs.values().any(|one| !one.is_silent()) {
                for dialog in 0..DIALOGS {
                    self.dialog_hears(dialog, false);
                    self.desk_hears(dialog, false);
                }
            }
        }
        self.assert_agreed();
    }

    pub(super) fn close_all(&mut self) {
        self.settle();
        for dialog in 0..DIALOGS {
            self.closes(dialog);
        }
        self.settle();
    }

    /// The desk and the dialogs tell the same story.
    fn assert_agreed(&self) {
        let mut waiting = BTreeMap::new();
        let mut owned = BTreeMap::new();
        for (number, dialog) in &self.dialogs {
            match &dialog.life {
                Life::Waits(wait) => {
                    waiting.insert(DialogId(*number), wait.epoch);
                }
                Life::Owned(grant) => {
                    owned.insert(*grant, Some(OwnerEpoch(dialog.epoch)));
                }
                Life::Closed => {}
            }
        }
        let all = self.desk.state.waiting();
        let shown = all.iter().map(|one| (one.wait.dialog, one.wait.epoch));
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), waiting);
        let all = self.desk.state.grants();
        let shown = all.iter().map(|one| (one.grant, one.epoch));
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), owned);
        for one in all {
            let presence = self.desk.state.presence(&one.operator);
            assert_ne!(presence, Presence::Gone, "{one:?} has nobody");
        }
    }

    fn opens(&mut self, number: u64, how: u8) {
        let since = self.desk.at;
        let dialog = self.dialogs.get_mut(&number).unwrap();
        if dialog.life == Life::Closed {
            dialog.epoch += 1;
            dialog.stubborn = how % 16 == 7;
            let wait = Wait {
                queue: queue_id(QUEUES[usize::from(how) % QUEUES.len()]),
                priority: how % 3 * 30,
                since: Timestamp(since.0 - i64::from(how)),
                ..wait(number, dialog.epoch)
            };
            dialog.waits(wait, None);
        }
    }

    fn closes(&mut self, number: u64) {
        let dialog = self.dialogs.get_mut(&number).unwrap();
        match std::mem::replace(&mut dialog.life, Life::Closed) {
            Life::Waits(_) => dialog.says.push_back(leave(number, dialog.epoch)),
            Life::Owned(grant) => dialog.says.push_back(freed(number, grant)),
            Life::Closed => return,
        }
        dialog.epoch += 1;
    }

    fn returns(&mut self, number: u64, to: Option<&str>) {
        let dialog = self.dialogs.get_mut(&number).unwrap();
        if let Life::Owned(grant) = dialog.life {
            dialog.returns(grant, false, to);
        }
    }

    fn begins(&mut self, operator: &str) {
        let is_free = |dialog: &Dialog| dialog.life == Life::Closed && dialog.is_silent();
        let free = self.dialogs.iter().find(|(_, dialog)| is_free(dialog));
        if let Some(number) = free.map(|(number, _)| *number) {
            let begin = DeskCommand::Begin {
                customer: desk::customer(number),
                channel: ChannelId::try_new("web").unwrap(),
                queue: queue_id("q"),
                settings: DialogSettings::default(),
            };
            self.staff(operator, false, begin);
        }
    }

    fn says_status(&mut self, operator: &str, who: u8) {
        let statuses = [
            OperatorStatus::Available,
            OperatorStatus::Available,
            OperatorStatus::Available,
            OperatorStatus::Available,
            OperatorStatus::Busy,
            OperatorStatus::Away,
        ];
        let status = statuses[usize::from(who) % statuses.len()];
        self.staff(operator, false, desk::status(operator, status));
    }

    fn moves(&mut self, operator: &str, who: u8) {
        let one = |at| (staff(operator), node(at));
        if !who.is_multiple_of(3) {
            let (operator, node) = one(u64::from(who % 2));
            self.tells(DeskCommand::Came { operator, node });
            return;
        }
        for at in 0..=u64::from(!who.is_multiple_of(4)) {
            let (operator, node) = one(at);
            self.tells(DeskCommand::Lost { operator, node });
        }
    }

    fn staff(&mut self, author: &str, supervisor: bool, command: DeskCommand) {
        let author = Participant::Staff(staff(author));
        self.run(author, supervisor, &command);
    }

    fn tells(&mut self, command: DeskCommand) {
        self.run(Participant::System, false, &command);
    }

    fn run(&mut self, author: Participant, supervisor: bool, command: &DeskCommand) {
        let decided = self.desk.run(author, supervisor, command);
        for follow_up in decided.follow_ups {
            let (Target::Customer(customer), Command::Customer(command)) =
                (follow_up.target, follow_up.command)
            else {
                panic!("a desk tells customers only");
            };
            let number: u64 = customer.as_str()[1..].parse().unwrap();
            let dialog = self.dialogs.get_mut(&number).unwrap();
            dialog.hears.push_back(command);
        }
    }

    fn desk_hears(&mut self, number: u64, twice: bool) {
        let dialog = self.dialogs.get_mut(&number).unwrap();
        if let Some(command) = dialog.says.pop_front() {
            self.tells(command.clone());
            if twice {
                self.tells(command.clone());
            }
            if !matches!(
                command,
                DeskCommand::Wait(_) | DeskCommand::Pass { .. } | DeskCommand::Leave { .. }
            ) {
                self.heard.push(command);
            }
        }
    }

    fn repeats(&mut self, which: usize) {
        if !self.heard.is_empty() {
            let command = self.heard[which % self.heard.len()].clone();
            let before = self.desk.log.len();
            self.tells(command.clone());
            assert_eq!(self.desk.log.len(), before, "{command:?} was heard before");
        }
    }

    fn dialog_hears(&mut self, number: u64, twice: bool) {
        let dialog = self.dialogs.get_mut(&number).unwrap();
        if let Some(command) = dialog.hears.pop_front() {
            dialog.answers(&command);
            if twice {
                dialog.answers(&command);
            }
        }
    }

    /// Timers fire once they are due; a firing of another generation is void.
    fn time_passes(&mut self, wait_ms: u64) {
        self.desk.at.0 += i64::try_from(wait_ms).unwrap();
        for due in self.desk.state.due() {
            let key = due.key.clone();
            let stale = DeskCommand::Timer {
                key: key.clone(),
                generation: due.generation + 1,
            };
            let before = self.desk.log.len();
            self.tells(stale);
            assert_eq!(self.desk.log.len(), before);
            let generation = due.generation;
            self.tells(DeskCommand::Timer { key, generation });
        }
    }
}

/// Four operators, two automatic queues and one by hand; capacities and policies as told.
fn rules(how: u8) -> DeskConfig {
    let assignments = [
        Assignment::LongestFree,
        Assignment::LeastLoaded,
        Assignment::Manual,
        Assignment::Custom("unknown".to_owned()),
    ];
    let queue = |(index, name): (usize, &str)| {
        let assignment = match name {
            "by-hand" => Assignment::Manual,
            _ => assignments[(usize::from(how) + index) % assignments.len()].clone(),
        };
        let title = name.to_owned();
        (queue_id(name), QueueConfig { title, assignment })
    };
    let operator = |(index, name): (usize, &str)| {
        let config = OperatorConfig {
            name: name.to_owned(),
            capacity: u16::try_from((index + usize::from(how)) % 4).unwrap(),
            queues: BTreeSet::from(match index {
                0 => [queue_id("q"), queue_id("by-hand")],
                1 => [queue_id("r"), queue_id("by-hand")],
                _ => [queue_id("q"), queue_id("r")],
            }),
        };
        (staff(name), config)
    };
    let kept = if how % 5 == 4 { 2 } else { OPERATORS.len() };
    DeskConfig {
        queues: QUEUES.into_iter().enumerate().map(queue).collect(),
        operators: OPERATORS
            .into_iter()
            .enumerate()
            .map(operator)
            .take(kept)
            .collect(),
        grace_ms: desk::GRACE_MS,
        grant_resend_ms: desk::RESEND_MS,
        reconcile_ms: desk::RECONCILE_MS,
    }
}
