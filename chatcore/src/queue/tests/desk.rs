//! A desk as the engine runs it, with a few words to drive it.

use std::collections::{BTreeMap, BTreeSet};

use super::promises;
use crate::{
    clock::Timestamp,
    content::Sealed,
    dialog::{CustomerCommand, Grant, Rejection},
    identity::{StaffRights, StaffRole},
    ids::{
        ChannelId, CustomerId, DeskId, DialogId, GrantId, NodeEpoch, NodeId, OwnerEpoch,
        Participant, QueueId, StaffId, StreamId, Target,
    },
    machine::{Context, Decided},
    queue::{
        Assignment, BoardEvent, DeskCommand, DeskConfig, DeskState, DeskTimer, NodeName,
        OperatorConfig, OperatorStatus, Policies, QueueConfig, Wait, index::Index,
    },
    record::{ChainHash, Command, Event, FollowUp, StreamEvent, Visibility, decode, encode},
    routing::Board,
};

pub(super) const GRACE_MS: u64 = 30_000;
pub(super) const RESEND_MS: u64 = 5_000;
pub(super) const RECONCILE_MS: u64 = 60_000;

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) state: DeskState,
    pub(super) policies: Policies,
    pub(super) at: Timestamp,
    pub(super) log: Vec<StreamEvent<Sealed>>,
    /// All follow-ups so far.
    pub(super) told: Vec<FollowUp>,
    /// Matching may stop before its end in the next step.
    pub(super) unfinished: bool,
    /// As those who follow the board have it.
    board: Board,
}

impl Desk {
    pub(super) fn empty() -> Self {
        Self {
            state: DeskState::new(DeskId::try_new("main").unwrap()),
            policies: Policies::default(),
            at: Timestamp(1_000_000),
            log: Vec::new(),
            told: Vec::new(),
            unfinished: false,
            board: Board::default(),
        }
    }

    /// With queue `q` of this assignment and queue `other` (manual); operators `a`, `b` and `c`
    /// with two slots each serve `q`; all are here and available.
    pub(super) fn with(assignment: Assignment) -> Self {
        let mut desk = Self::empty();
        desk.system(DeskCommand::Configure(config(assignment)));
        for operator in ["a", "b", "c"] {
            desk.comes(operator);
        }
        desk
    }

    pub(super) fn comes(&mut self, operator: &str) {
        self.at.0 += 1;
        self.system(came(operator, 1));
        self.ok(operator, status(operator, OperatorStatus::Available));
    }

    /// Decides and applies, as the engine does.
    pub(super) fn run(
        &mut self,
        author: Participant,
        supervisor: bool,
        command: &DeskCommand,
    ) -> Decided {
        let cx = Context {
            at: self.at,
            rights: author.staff().map(|_| StaffRights {
                desk: self.state.desk().clone(),
                role: if supervisor {
                    StaffRole::Supervisor
                } else {
                    StaffRole::Operator
                },
            }),
            author,
            assurance: None,
            withdraw: Vec::new(),
            next_dialog: DialogId(0),
        };
        let decided = self.state.decide(command, &cx, &self.policies);
        assert_eq!(decided, self.state.decide(command, &cx, &self.policies));
        for (stream, event) in &decided.events {
            assert_eq!(*stream, StreamId::Board(self.state.desk().clone()));
            if let Event::Board(event) = event {
                promises::check_event(&self.state, event);
            }
            self.append(event.clone());
        }
        assert_eq!(self.state.index, Index::of(&self.state.core), "{command:?}");
        if !self.unfinished {
            promises::check_quiet(&self.state);
        }
        self.told.extend(decided.follow_ups.iter().cloned());
        decided
    }

    fn append(&mut self, event: Event<Sealed>) {
        let seq = self.state.head().seq.next();
        let hash: ChainHash = self.state.head().hash.then(seq, &encode(&event).unwrap());
        let event = StreamEvent {
            seq,
            hash,
            at: self.at,
            visibility: Visibility::Staff,
            event,
        };
        if let Event::Board(what) = &event.event {
            promises::check_places(&self.state, &self.board, what);
            self.board.apply(what, event.at);
        }
        self.state.apply(&event);
        assert_eq!(self.board.paces, self.state.paces(), "{event:?}");
        assert_eq!(self.board.waiting, Board::of(&self.state).waiting);
        self.log.push(event);
    }

    pub(super) fn system(&mut self, command: DeskCommand) -> Decided {
        let decided = self.run(Participant::System, false, &command);
        assert!(decided.outcome.is_ok(), "{command:?}: {decided:?}");
        decided
    }

    pub(super) fn ok(&mut self, author: &str, command: DeskCommand) -> Decided {
        let decided = self.run(Participant::Staff(staff(author)), false, &command);
        assert!(decided.outcome.is_ok(), "{command:?}: {decided:?}");
        decided
    }

    pub(super) fn refused(&mut self, author: &str, command: DeskCommand) -> Rejection {
        let decided = self.run(Participant::Staff(staff(author)), false, &command);
        assert!(decided.events.is_empty() && decided.follow_ups.is_empty());
        decided.outcome.unwrap_err()
    }

    pub(super) fn supervisor(&mut self, command: DeskCommand) -> Result<Decided, Rejection> {
        let decided = self.run(Participant::Staff(staff("boss")), true, &command);
        match decided.outcome.clone() {
            Ok(_) => Ok(decided),
            Err(why) => Err(why),
        }
    }

    /// Fires the timer when it is due.
    pub(super) fn fire(&mut self, key: DeskTimer) -> Decided {
        let due = self.state.due_of(&key).expect("the timer is set");
        self.at = self.at.max(due.at);
        let generation = due.generation;
        self.system(DeskCommand::Timer { key, generation })
    }

    /// A dialog waits in `q` and is owned by the operator, by hand.
    pub(super) fn owned(&mut self, dialog: u64, operator: &str) -> GrantId {
        self.system(DeskCommand::Wait(wait(dialog, 1)));
        let taken = self.ok(operator, take(dialog));
        let grant = grants_sent(&taken)[0].grant;
        self.system(held(grant, dialog, 2));
        grant
    }

    pub(super) fn used(&self, operator: &str) -> u32 {
        self.state.operator(&staff(operator)).unwrap().used
    }

    pub(super) fn waiting(&self) -> Vec<u64> {
        let all = self.state.waiting();
        all.iter().map(|one| one.wait.dialog.0).collect()
    }

    /// The same state and bytes from the log alone, and from a snapshot cut anywhere.
    pub(super) fn assert_replays(&self, cut: usize) {
        let bytes = encode(&self.state).unwrap();
        let mut replayed = DeskState::new(self.state.desk().clone());
        for (index, event) in self.log.iter().enumerate() {
            if index == cut {
                let snapshot = encode(&replayed).unwrap();
                replayed = decode(&snapshot).unwrap();
            }
            replayed.apply(event);
        }
        assert_eq!(replayed, self.state);
        assert_eq!(encode(&replayed).unwrap(), bytes);
    }
}

pub(super) fn config(assignment: Assignment) -> DeskConfig {
    let queue = |title: &str, assignment| QueueConfig {
        title: title.to_owned(),
        assignment,
    };
    let operator = |name: &str| {
        let config = OperatorConfig {
            name: name.to_uppercase(),
            capacity: 2,
            queues: BTreeSet::from([queue_id("q")]),
        };
        (staff(name), config)
    };
    DeskConfig {
        queues: BTreeMap::from([
            (queue_id("other"), queue("Other", Assignment::Manual)),
            (queue_id("q"), queue("Questions", assignment)),
        ]),
        operators: ["a", "b", "c"].map(operator).into(),
        grace_ms: GRACE_MS,
        grant_resend_ms: RESEND_MS,
        reconcile_ms: RECONCILE_MS,
    }
}

pub(super) fn customer(dialog: u64) -> CustomerId {
    CustomerId::try_new(format!("c{dialog}")).unwrap()
}

pub(super) fn staff(id: &str) -> StaffId {
    StaffId::try_new(id).unwrap()
}

pub(super) fn queue_id(id: &str) -> QueueId {
    QueueId::try_new(id).unwrap()
}

pub(super) fn node(n: u64) -> NodeName {
    NodeName::from(&crate::ids::Node {
        id: NodeId::try_new("n").unwrap(),
        epoch: NodeEpoch(n),
    })
}

pub(super) fn came(operator: &str, at_node: u64) -> DeskCommand {
    DeskCommand::Came {
        operator: staff(operator),
        node: node(at_node),
    }
}

pub(super) fn lost(operator: &str, at_node: u64) -> DeskCommand {
    DeskCommand::Lost {
        operator: staff(operator),
        node: node(at_node),
    }
}

pub(super) fn status(operator: &str, status: OperatorStatus) -> DeskCommand {
    DeskCommand::Status {
        operator: staff(operator),
        status,
    }
}

/// In `q`, of priority 0, since its number.
pub(super) fn wait(dialog: u64, epoch: u64) -> Wait {
    Wait {
        dialog: DialogId(dialog),
        customer: customer(dialog),
        queue: queue_id("q"),
        channel: ChannelId::try_new("web").unwrap(),
        priority: 0,
        since: Timestamp(i64::try_from(dialog).unwrap()),
        epoch: OwnerEpoch(epoch),
        lost: false,
    }
}

pub(super) fn take(dialog: u64) -> DeskCommand {
    DeskCommand::Take {
        dialog: DialogId(dialog),
    }
}

pub(super) fn assign(dialog: u64, operator: &str, over_capacity: bool) -> DeskCommand {
    DeskCommand::Assign {
        dialog: DialogId(dialog),
        operator: staff(operator),
        over_capacity,
    }
}

pub(super) fn begin(with: u64) -> DeskCommand {
    DeskCommand::Begin {
        customer: customer(with),
        channel: ChannelId::try_new("web").unwrap(),
        queue: queue_id("q"),
        settings: crate::dialog::DialogSettings::default(),
    }
}

pub(super) fn held(grant: GrantId, dialog: u64, epoch: u64) -> DeskCommand {
    DeskCommand::Held {
        grant,
        dialog: DialogId(dialog),
        customer: customer(dialog),
        epoch: OwnerEpoch(epoch),
    }
}

pub(super) fn freed(dialog: u64, grant: GrantId) -> DeskCommand {
    DeskCommand::Freed {
        dialog: DialogId(dialog),
        grant,
    }
}

pub(super) fn leave(dialog: u64, epoch: u64) -> DeskCommand {
    DeskCommand::Leave {
        dialog: DialogId(dialog),
        epoch: OwnerEpoch(epoch),
    }
}

pub(super) fn to_customers(follow_ups: &[FollowUp]) -> Vec<&CustomerCommand<Sealed>> {
    follow_ups
        .iter()
        .map(|follow_up| match (&follow_up.target, &follow_up.command) {
            (Target::Customer(_), Command::Customer(command)) => command,
            other => panic!("a desk tells customers only: {other:?}"),
        })
        .collect()
}

pub(super) fn grants_sent(decided: &Decided) -> Vec<&Grant> {
    to_customers(&decided.follow_ups)
        .into_iter()
        .filter_map(|command| match command {
            CustomerCommand::Grant(grant) => Some(grant),
            _ => None,
        })
        .collect()
}

pub(super) fn board(decided: &Decided) -> Vec<&BoardEvent> {
    decided
        .events
        .iter()
        .map(|(_, event)| match event {
            Event::Board(event) => event,
            other => panic!("not of a board: {other:?}"),
        })
        .collect()
}
