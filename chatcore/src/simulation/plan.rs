//! What a run does and suffers, drawn from its seed before it begins.
//!
//! Each entry stands for itself: what it does depends on how things are when its time comes and on
//! the number that it carries, and on no draw of another entry. So entries can be left out, and
//! the rest means the same.

use serde::{Deserialize, Serialize};

use super::{
    link::Trouble,
    rng::Rng,
    scene::{CUSTOMERS, OPERATORS},
};

/// Nodes of a run.
pub const NODES: usize = 3;
/// When people begin, after the nodes have.
const BEGINS_MS: u64 = 1_000;
/// How long people go on.
const LASTS_MS: u64 = 40_000;
/// How often people of a plan do something.
const DEEDS: usize = 900;
/// Sorts of faults to draw from.
const FAULTS: u64 = 15;
/// The sorts that happen in any case: others may meet nobody.
const SURE: [u64; 8] = [0, 1, 6, 7, 8, 11, 12, 13];
/// Of those there are at least so many in a plan.
const SURE_MIN: usize = 3;

/// What a run does and suffers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What it was drawn from; links and the like draw from it while the run goes on.
    pub seed: u64,
    /// In the order of their times.
    pub entries: Vec<Planned>,
    /// When all is healed, in milliseconds.
    pub ends_ms: u64,
}

/// Something at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Milliseconds since the beginning.
    pub at_ms: u64,
    /// What.
    pub act: Act,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// By a customer.
    Customer {
        /// Which.
        who: usize,
        /// At which of their devices.
        device: usize,
        /// What.
        does: CustomerDoes,
        /// Chooses among what there is to choose from.
        pick: u64,
    },
    /// By an operator.
    Operator {
        /// Which.
        who: usize,
        /// What.
        does: OperatorDoes,
        /// Chooses among what there is to choose from.
        pick: u64,
    },
    /// To the system.
    Fault(Fault),
    /// Somebody of the bank revokes a person, a sign-in or a token.
    Revoke {
        /// Chooses whom, what and on which node.
        pick: u64,
    },
}

/// What customers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerDoes {
    /// Opens the page, to stay until they go.
    Come,
    /// Goes away without a word.
    Go,
    /// Says something in an open dialog; opens one when there is none.
    Speak,
    /// Asks for a person.
    AskPerson,
    /// Closes a dialog.
    Close,
    /// Opens a closed dialog again.
    Reopen,
    /// Rates a closed dialog.
    Rate,
    /// Reads what is there.
    Read,
    /// Types.
    Type,
    /// Sends all again that no outcome is known of.
    Resend,
    /// Says that outcomes have arrived.
    Acknowledge,
    /// Reads nothing for a while.
    Stall,
    /// Loses the connection and comes back.
    Reconnect,
}

/// What operators do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorDoes {
    /// Begins to work.
    Come,
    /// Vanishes.
    Go,
    /// Takes dialogs from now on.
    Available,
    /// Takes none.
    Busy,
    /// Takes a dialog that waits.
    Take,
    /// Answers in a dialog.
    Answer,
    /// Goes on typing in a dialog that they had before.
    AnswerLate,
    /// Writes a note.
    Note,
    /// Puts a dialog on hold, or goes on with it.
    Hold,
    /// Passes a dialog to a colleague.
    Transfer,
    /// Gives a dialog back.
    Return,
    /// Closes a dialog, or begins to write it up.
    Close,
    /// Reads what is there.
    Read,
    /// Sends all again that no outcome is known of.
    Resend,
    /// A supervisor assigns a dialog that waits; others take it.
    Assign,
    /// Loses the connection and comes back.
    Reconnect,
}

/// A fault. Those that last are over after `for_ms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A node dies and comes back.
    Crash {
        /// Which.
        node: usize,
        /// How long it is gone.
        for_ms: u64,
    },
    /// A node is drained and comes back.
    Restart {
        /// Which.
        node: usize,
    },
    /// A node stands still.
    Pause {
        /// Which.
        node: usize,
        /// How long.
        for_ms: u64,
    },
    /// The way from a node to a backend, or between nodes, is in trouble.
    Link {
        /// Which node.
        node: usize,
        /// To what.
        to: To,
        /// What is wrong.
        trouble: Trouble,
        /// How long.
        for_ms: u64,
    },
    /// The store fails over to a replica that lacks the last writes.
    StoreLosesSuffix {
        /// What was written in so long is lost.
        lost_ms: u64,
    },
    /// As before, and some nodes go on with the former primary for a while.
    StorePast {
        /// What was written in so long is lost.
        lost_ms: u64,
        /// Which nodes, as bits.
        nodes: u64,
        /// How long.
        for_ms: u64,
    },
    /// The store is emptied.
    StoreEmptied,
    /// Partitions move to other owners, who live all the while.
    Rebalance {
        /// Which partition, of both logs.
        partition: u32,
    },
    /// Frames between nodes are dropped, repeated, late.
    Weather {
        /// Of a thousand.
        dropped: u64,
        /// Of a thousand.
        repeated: u64,
        /// Of a thousand.
        delayed: u64,
        /// How long.
        for_ms: u64,
    },
    /// A node's wall clock jumps.
    ClockJump {
        /// Which.
        node: usize,
        /// By how much.
        by_ms: i64,
    },
    /// Nobody does anything for days.
    DaysPass {
        /// How long.
        ms: u64,
    },
    /// Somebody wrote what can't be read into the journal, or a command that only a newer version
    /// could read, which is given up some time later.
    Poison {
        /// Chooses where and what.
        pick: u64,
    },
    /// The push service fails.
    PushFails {
        /// Of a thousand.
        failing: u64,
        /// How long.
        for_ms: u64,
    },
}

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// The journal.
    Journal,
    /// The store.
    Store,
    /// Other nodes.
    Nodes,
}

impl Plan {
    /// Draws a plan.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut plan = Self::without_faults(seed);
        let mut rng = Rng::named(seed, "faults");
        let mut kinds: Vec<u64> = (0..FAULTS).collect();
        rng.shuffle(&mut kinds);
        let rest = kinds.split_off(5 + usize::try_from(rng.below(4)).unwrap_or(0));
        let sure = kinds.iter().filter(|kind| SURE.contains(kind)).count();
        let more = rest.into_iter().filter(|kind| SURE.contains(kind));
        kinds.extend(more.take(SURE_MIN.saturating_sub(sure)));
        for kind in kinds {
            for _ in 0..1 + rng.below(3) {
                let fault = draw_fault(kind, &mut rng);
                let at_ms = BEGINS_MS + 4_000 + rng.below(LASTS_MS - 6_000);
                plan.entries.push(Planned {
                    at_ms,
                    act: Act::Fault(fault),
                });
            }
        }
        plan.draw_revocations();
        plan.entries.sort_by_key(|e| e.at_ms);
        plan
    }

    /// Some at any time; at times also some while a node can't hear of them for long.
    fn draw_revocations(&mut self) {
        let mut rng = Rng::named(self.seed, "revocations");
        let mut revoke = |at_ms: u64, rng: &mut Rng| {
            let act = Act::Revoke {
                pick: rng.draw() >> 8,
            };
            self.entries.push(Planned { at_ms, act });
        };
        for _ in 0..2 + rng.below(4) {
            let at_ms = BEGINS_MS + 3_000 + rng.below(LASTS_MS - 6_000);
            revoke(at_ms, &mut rng);
        }
        if !rng.permille(300) {
            return;
        }
        let at_ms = BEGINS_MS + 4_000 + rng.below(LASTS_MS / 2);
        for _ in 0..3 {
            revoke(at_ms + 200 + rng.below(2_000), &mut rng);
        }
        let cut = Fault::Link {
            node: usize::try_from(rng.below(NODES as u64)).unwrap_or(0),
            to: To::Journal,
            trouble: Trouble::Cut,
            for_ms: 13_000 + rng.below(4_000),
        };
        let act = Act::Fault(cut);
        self.entries.push(Planned { at_ms, act });
    }

    /// A plan in which people do what they do and nothing breaks.
    #[must_use]
    pub fn without_faults(seed: u64) -> Self {
        let mut rng = Rng::named(seed, "people");
        let mut entries = Vec::new();
        for who in 0..CUSTOMERS {
            for device in 0..2 {
                if device == 0 || rng.permille(400) {
                    let at_ms = BEGINS_MS + rng.below(3_000);
                    let does = CustomerDoes::Come;
                    entries.push(customer(at_ms, (who, device), does, &mut rng));
                }
            }
        }
        for who in 0..OPERATORS {
            let at_ms = BEGINS_MS + rng.below(2_000);
            entries.push(operator(at_ms, who, OperatorDoes::Come, &mut rng));
            let at_ms = at_ms + 1_000 + rng.below(2_000);
            entries.push(operator(at_ms, who, OperatorDoes::Available, &mut rng));
        }
        for _ in 0..DEEDS {
            let at_ms = BEGINS_MS + 1_000 + rng.below(LASTS_MS - 2_000);
            entries.push(if rng.permille(550) {
                let who = usize::try_from(rng.below(CUSTOMERS as u64)).unwrap_or(0);
                let device = usize::from(rng.permille(250));
                let does = draw_customer(&mut rng);
                customer(at_ms, (who, device), does, &mut rng)
            } else {
                let who = usize::try_from(rng.below(OPERATORS as u64)).unwrap_or(0);
                let does = draw_operator(&mut rng);
                operator(at_ms, who, does, &mut rng)
            });
        }
        entries.sort_by_key(|e| e.at_ms);
        Self {
            seed,
            entries,
            ends_ms: BEGINS_MS + LASTS_MS,
        }
    }
}

fn customer(
    at_ms: u64,
    (who, device): (usize, usize),
    does: CustomerDoes,
    rng: &mut Rng,
) -> Planned {
    let pick = rng.draw() >> 8;
    let act = Act::Customer {
        who,
        device,
        does,
        pick,
    };
    Planned { at_ms, act }
}

fn operator(at_ms: u64, who: usize, does: OperatorDoes, rng: &mut Rng) -> Planned {
    let pick = rng.draw() >> 8;
    let act = Act::Operator { who, does, pick };
    Planned { at_ms, act }
}

fn weighted<T: Copy>(table: &[(u64, T)], rng: &mut Rng) -> Option<T> {
    let mut left = rng.below(table.iter().map(|(weight, _)| weight).sum());
    for (weight, item) in table {
        if left < *weight {
            return Some(*item);
        }
        left -= weight;
    }
    None
}

fn draw_customer(rng: &mut Rng) -> CustomerDoes {
    use CustomerDoes as D;
    let table = [
        (50, D::Speak),
        (14, D::AskPerson),
        (3, D::Close),
        (2, D::Reopen),
        (3, D::Rate),
        (6, D::Read),
        (3, D::Type),
        (4, D::Resend),
        (4, D::Acknowledge),
        (1, D::Stall),
        (3, D::Come),
        (2, D::Go),
        (3, D::Reconnect),
    ];
    weighted(&table, rng).unwrap_or(D::Speak)
}

fn draw_operator(rng: &mut Rng) -> OperatorDoes {
    use OperatorDoes as D;
    let table = [
        (40, D::Answer),
        (20, D::Take),
        (6, D::AnswerLate),
        (5, D::Note),
        (4, D::Hold),
        (4, D::Transfer),
        (3, D::Return),
        (7, D::Close),
        (4, D::Read),
        (3, D::Resend),
        (3, D::Assign),
        (2, D::Available),
        (1, D::Busy),
        (2, D::Come),
        (1, D::Go),
        (2, D::Reconnect),
    ];
    weighted(&table, rng).unwrap_or(D::Answer)
}

fn draw_fault(kind: u64, rng: &mut Rng) -> Fault {
    let node = usize::try_from(rng.below(NODES as u64)).unwrap_or(0);
    let for_ms = 500 + rng.below(7_000);
    match kind {
        0 => Fault::Crash { node, for_ms },
        1 => Fault::Restart { node },
        2 => Fault::Pause {
            node,
            for_ms: 6_500 + rng.below(6_000),
        },
        3..=5 => Fault::Link {
            node,
            to: match kind {
                3 => To::Journal,
                4 => To::Store,
                _ => To::Nodes,
            },
            trouble: match rng.below(4) {
                0 => Trouble::Cut,
                1 => Trouble::LosesRequests(50 + rng.below(300)),
                2 => Trouble::LosesReplies(50 + rng.below(300)),
                _ => Trouble::Slow(50 + rng.below(800)),
            },
            for_ms,
        },
        6 => Fault::StoreLosesSuffix {
            lost_ms: 50 + rng.below(2_000),
        },
        7 => Fault::StorePast {
            lost_ms: 50 + rng.below(1_000),
            nodes: 1 + rng.below((1 << NODES) - 1),
            for_ms: 200 + rng.below(3_000),
        },
        8 => Fault::StoreEmptied,
        9 => Fault::Rebalance {
            partition: u32::try_from(rng.below(4)).unwrap_or(0),
        },
        10 => Fault::Weather {
            dropped: rng.below(300),
            repeated: rng.below(200),
            delayed: rng.below(400),
            for_ms: 3_000 + for_ms,
        },
        11 => Fault::DaysPass {
            // Three of them stay below the time after which outcomes are forgotten.
            ms: 3_600_000 * (1 + rng.below(50)),
        },
        12 => Fault::ClockJump {
            node,
            by_ms: i64::try_from(rng.below(1_200_000)).unwrap_or(0) - 600_000,
        },
        13 => Fault::Poison { pick: rng.draw() },
        _ => Fault::PushFails {
            failing: 300 + rng.below(600),
            for_ms: 2_000 + for_ms,
        },
    }
}
