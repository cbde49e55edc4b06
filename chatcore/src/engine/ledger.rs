//! The outcomes of earlier commands of one customer or desk: each command is done once.
//!
//! Part of the state, a function of its decisions. Nothing in it grows for ever:
//!
//! - a device (of an author) keeps at most [`OUTCOMES_MAX`] outcomes; past it the oldest is
//!   settled, as if its arrival had been told;
//! - a device that was silent for [`RETENTION`] keeps none, only the next number;
//! - a device that was silent for [`FORGOTTEN_AFTER`], or the one silent the longest when there are
//!   too many, is forgotten whole. Its next number is told as 1, and its client, which knows that
//!   it was further, goes on as a new device.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    dialog::Rejection,
    ids::{ChannelId, DeviceId, Participant},
    record::{CommandId, Outcome, Reply},
};

/// Most outcomes kept for a device.
pub const OUTCOMES_MAX: usize = 256;
/// Most devices known to a customer.
pub const CUSTOMER_DEVICES_MAX: usize = 512;
/// Most devices known to a desk.
pub const DESK_DEVICES_MAX: usize = 20_000;
/// Most channels known to a customer or desk.
pub const CHANNELS_MAX: usize = 32;
/// Most names of channel messages kept; past it the one whose redelivery time ends first goes.
pub const KEYS_MAX: usize = 1_024;
/// How long a silent device's outcomes are kept.
pub const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long a silent device's number is kept.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How often, in the time of commands, what is too old is looked for.
const SWEPT_EVERY: Duration = Duration::from_secs(60 * 60);

/// The outcomes of earlier commands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    devices: BTreeMap<(Participant, DeviceId), Device>,
    channels: BTreeMap<ChannelId, Numbered>,
    keys: BTreeMap<(ChannelId, String), Named>,
    swept: Timestamp,
}

/// What is known of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Device {
    next: u64,
    last: Timestamp,
    outcomes: BTreeMap<u64, Kept>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    digest: u64,
    outcome: Outcome,
}

impl Kept {
    fn repeat(&self, digest: u64) -> Reply {
        if self.digest == digest {
            Reply::Outcome(self.outcome.clone())
        } else {
            Reply::Outcome(Outcome::Rejected(Rejection::IdConflict))
        }
    }
}

/// The last message of a channel that numbers them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Numbered {
    number: u64,
    last: Timestamp,
    kept: Kept,
}

/// A message of a channel that names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    until: Timestamp,
    kept: Kept,
}

impl Ledger {
    /// What the author of a command hears at once; none when it is to be decided.
    #[must_use]
    pub fn check(
        &self,
        author: &Participant,
        id: &CommandId,
        digest: u64,
        at: Timestamp,
    ) -> Option<Reply> {
        match id {
            CommandId::Client { device, n } => {
                let known = self.devices.get(&(author.clone(), device.clone()));
                let next = known.map_or(1, |device| device.next);
                if *n == next {
                    None
                } else if *n > next || *n == 0 {
                    Some(Reply::Expected { n: next })
                } else {
                    let kept = known.and_then(|device| device.outcomes.get(n));
                    Some(kept.map_or(Reply::Settled, |kept| kept.repeat(digest)))
                }
            }
            CommandId::ChannelNumber { channel, number } => {
                let last = self.channels.get(channel)?;
                match number.cmp(&last.number) {
                    std::cmp::Ordering::Greater => None,
                    std::cmp::Ordering::Equal => Some(last.kept.repeat(digest)),
                    std::cmp::Ordering::Less => Some(Reply::Settled),
                }
            }
            CommandId::ChannelKey { channel, key, .. } => {
                let named = self.keys.get(&(channel.clone(), key.clone()))?;
                (at < named.until).then(|| named.kept.repeat(digest))
            }
            CommandId::FollowUp { .. } | CommandId::Internal => None,
        }
    }

    /// Keeps the outcome of a command that [`check`](Self::check) let pass.
    pub(super) fn keep(&mut self, command: CommandName<'_>, outcome: &Outcome, devices_max: usize) {
        let CommandName {
            author,
            id,
            digest,
            at,
        } = command;
        let kept = Kept {
            digest,
            outcome: outcome.clone(),
        };
        match id {
            CommandId::Client { device, n } => {
                let key = (author.clone(), device.clone());
                if !self.devices.contains_key(&key) && self.devices.len() >= devices_max {
                    forget_one(&mut self.devices, |device| device.last);
                }
                let device = self.devices.entry(key).or_insert_with(|| Device {
                    next: 1,
                    last: at,
                    outcomes: BTreeMap::new(),
                });
                device.last = at;
                device.next = n + 1;
                device.outcomes.insert(*n, kept);
                if device.outcomes.len() > OUTCOMES_MAX {
                    device.outcomes.pop_first();
                }
            }
            CommandId::ChannelNumber { channel, number } => {
                if !self.channels.contains_key(channel) && self.channels.len() >= CHANNELS_MAX {
                    forget_one(&mut self.channels, |channel| channel.last);
                }
                let numbered = Numbered {
                    number: *number,
                    last: at,
                    kept,
                };
                self.channels.insert(channel.clone(), numbered);
            }
            CommandId::ChannelKey {
                channel,
                key,
                redelivery_ms,
            } => {
                if self.keys.len() >= KEYS_MAX {
                    forget_one(&mut self.keys, |named| named.until);
                }
                let named = Named {
                    until: at.plus(Duration::from_millis(*redelivery_ms)),
                    kept,
                };
                self.keys.insert((channel.clone(), key.clone()), named);
            }
            CommandId::FollowUp { .. } | CommandId::Internal => {}
        }
    }

    /// The author has the outcomes up to `settled`; they are dropped.
    pub(super) fn settle(&mut self, author: &Participant, id: &CommandId, settled: u64) {
        if settled == 0 {
            return;
        }
        if let CommandId::Client { device, .. } = id
            && let Some(device) = self.devices.get_mut(&(author.clone(), device.clone()))
        {
            device.outcomes = device.outcomes.split_off(&settled.saturating_add(1));
        }
    }

    /// Time has come this far: drops what is too old, now and then.
    pub(super) fn sweep(&mut self, at: Timestamp) {
        if at.since(self.swept) < SWEPT_EVERY {
            return;
        }
        self.swept = at;
        self.keys.retain(|_, named| at < named.until);
        self.devices
            .retain(|_, device| at.since(device.last) < FORGOTTEN_AFTER);
        for device in self.devices.values_mut() {
            if at.since(device.last) >= RETENTION {
                device.outcomes.clear();
            }
        }
    }

    /// Drops all, as if nothing had ever been answered: for the switch that breaks this.
    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }
}

/// What names a command, and its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct CommandName<'a> {
    pub(super) author: &'a Participant,
    pub(super) id: &'a CommandId,
    pub(super) digest: u64,
    pub(super) at: Timestamp,
}

/// Removes the entry with the lowest time.
fn forget_one<K: Ord + Clone, V>(map: &mut BTreeMap<K, V>, time: impl Fn(&V) -> Timestamp) {
    let first = map.iter().min_by_key(|(_, value)| time(value));
    if let Some(key) = first.map(|(key, _)| key.clone()) {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ids::{Seq, StaffId},
        record::Accepted,
    };

    fn oleg() -> Participant {
        Participant::Staff(StaffId::try_new("oleg").unwrap())
    }

    fn client(device: &str, n: u64) -> CommandId {
        CommandId::Client {
            device: DeviceId::try_new(device).unwrap(),
            n,
        }
    }

    fn number(number: u64) -> CommandId {
        CommandId::ChannelNumber {
            channel: ChannelId::try_new("telegram").unwrap(),
            number,
        }
    }

    fn key(key: &str) -> CommandId {
        CommandId::ChannelKey {
            channel: ChannelId::try_new("mail").unwrap(),
            key: key.to_owned(),
            redelivery_ms: 1_000,
        }
    }

    fn outcome(seq: u64) -> Outcome {
        Outcome::Accepted(Accepted {
            dialog: None,
            seq: Seq(seq),
        })
    }

    fn told(seq: u64) -> Option<Reply> {
        Some(Reply::Outcome(outcome(seq)))
    }

    /// Sends a command at a time: what its author hears at once, or none when it is taken.
    fn send_at(ledger: &mut Ledger, id: &CommandId, digest: u64, at: i64) -> Option<Reply> {
        let at = Timestamp(at);
        let reply = ledger.check(&oleg(), id, digest, at);
        if reply.is_none() {
            let author = oleg();
            let name = CommandName {
                author: &author,
                id,
                digest,
                at,
            };
            ledger.keep(name, &outcome(digest), 3);
        }
        ledger.sweep(at);
        reply
    }

    fn send(ledger: &mut Ledger, id: &CommandId, digest: u64) -> Option<Reply> {
        send_at(ledger, id, digest, 0)
    }

    fn conflict() -> Option<Reply> {
        Some(Reply::Outcome(Outcome::Rejected(Rejection::IdConflict)))
    }

    #[test]
    fn only_the_next_number_is_taken() {
        let mut ledger = Ledger::default();
        let table = [
            (client("a", 0), 7, Some(Reply::Expected { n: 1 })),
            (client("a", 2), 7, Some(Reply::Expected { n: 1 })),
            (client("a", 1), 10, None),
            (client("a", 1), 10, told(10)),
            (client("a", 1), 11, conflict()),
            (client("a", 3), 12, Some(Reply::Expected { n: 2 })),
            (client("b", 1), 20, None),
            (client("a", 2), 12, None),
            (client("a", 1), 10, told(10)),
            (number(5), 30, None),
            (number(5), 30, told(30)),
            (number(5), 31, conflict()),
            (number(4), 32, Some(Reply::Settled)),
            (number(9), 33, None),
            (key("x"), 40, None),
            (key("x"), 40, told(40)),
            (key("x"), 41, conflict()),
            (key("y"), 42, None),
            (CommandId::Internal, 50, None),
            (CommandId::Internal, 50, None),
        ];
        for (step, (id, digest, expected)) in table.into_iter().enumerate() {
            assert_eq!(send(&mut ledger, &id, digest), expected, "step {step}");
        }
    }

    #[test]
    fn a_settled_number_answers_settled() {
        let mut ledger = Ledger::default();
        for n in 1..=3 {
            assert_eq!(send(&mut ledger, &client("a", n), n), None);
        }
        ledger.settle(&oleg(), &client("a", 3), 2);
        for (n, expected) in [
            (1, Some(Reply::Settled)),
            (2, Some(Reply::Settled)),
            (3, told(3)),
            (4, None),
        ] {
            assert_eq!(send(&mut ledger, &client("a", n), n), expected, "{n}");
        }
    }

    #[test]
    fn the_oldest_outcome_is_settled_past_the_bound() {
        let mut ledger = Ledger::default();
        let last = OUTCOMES_MAX as u64 + 1;
        for n in 1..=last {
            assert_eq!(send(&mut ledger, &client("a", n), n), None);
        }
        let first = send(&mut ledger, &client("a", 1), 1);
        assert_eq!(first, Some(Reply::Settled));
        assert_eq!(send(&mut ledger, &client("a", 2), 2), told(2));
    }

    #[test]
    fn a_silent_device_is_settled_and_later_forgotten() {
        let mut ledger = Ledger::default();
        let after = |duration: Duration| i64::try_from(duration.as_millis()).unwrap();
        assert_eq!(send(&mut ledger, &client("a", 1), 1), None);
        let week = after(RETENTION);
        assert_eq!(
            send_at(&mut ledger, &client("b", 1), 2, week - 1),
            None,
            "time goes on"
        );
        assert_eq!(send_at(&mut ledger, &client("a", 1), 1, week - 1), told(1));
        assert_eq!(
            send_at(&mut ledger, &client("b", 2), 3, week + after(SWEPT_EVERY)),
            None
        );
        let settled = send_at(&mut ledger, &client("a", 1), 1, week + after(SWEPT_EVERY));
        assert_eq!(settled, Some(Reply::Settled));
        let late = after(FORGOTTEN_AFTER) + after(SWEPT_EVERY);
        assert_eq!(send_at(&mut ledger, &client("c", 1), 4, late), None);
        let forgotten = send_at(&mut ledger, &client("a", 2), 5, late);
        assert_eq!(forgotten, Some(Reply::Expected { n: 1 }));
    }

    #[test]
    fn the_device_that_was_silent_the_longest_goes_first() {
        let mut ledger = Ledger::default();
        for (at, device) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let at = i64::try_from(at).unwrap();
            assert_eq!(send_at(&mut ledger, &client(device, 1), 1, at), None);
        }
        let of_a = send_at(&mut ledger, &client("a", 2), 1, 9);
        assert_eq!(of_a, Some(Reply::Expected { n: 1 }), "the bound here is 3");
        assert_eq!(send_at(&mut ledger, &client("b", 1), 1, 9), told(1));
    }

    #[test]
    fn a_name_is_kept_for_its_redelivery_time() {
        let mut ledger = Ledger::default();
        assert_eq!(send_at(&mut ledger, &key("x"), 1, 0), None);
        assert_eq!(send_at(&mut ledger, &key("x"), 1, 999), told(1));
        assert_eq!(send_at(&mut ledger, &key("x"), 1, 1_000), None);
    }

    proptest! {
        /// Whatever comes in whatever order: each number is taken once, in order, and what is told
        /// about it later is what was told first.
        #[test]
        fn each_number_is_done_once(sends in prop::collection::vec((0u64..8, 0u64..3), 0..80)) {
            let mut ledger = Ledger::default();
            let mut done: Vec<u64> = Vec::new();
            for (n, digest) in sends {
                let reply = send(&mut ledger, &client("a", n), digest);
                match reply {
                    None => {
                        prop_assert_eq!(n, done.len() as u64 + 1);
                        done.push(digest);
                    }
                    Some(Reply::Expected { n: next }) => {
                        prop_assert_eq!(next, done.len() as u64 + 1);
                        prop_assert!(n == 0 || n > next);
                    }
                    Some(Reply::Outcome(told)) => {
                        let first = done[usize::try_from(n).unwrap() - 1];
                        let expected = if first == digest {
                            outcome(first)
                        } else {
                            Outcome::Rejected(Rejection::IdConflict)
                        };
                        prop_assert_eq!(told, expected);
                    }
                    Some(Reply::Settled) => prop_assert!(false, "nothing was settled"),
                }
            }
        }

        /// It reads back from its bytes as it was.
        #[test]
        fn it_reads_back(sends in prop::collection::vec(1u64..5, 0..20)) {
            let mut ledger = Ledger::default();
            for n in sends {
                send(&mut ledger, &client("a", n), n);
                send(&mut ledger, &number(n), n);
                send(&mut ledger, &key("x"), n);
            }
            let bytes = crate::record::encode(&ledger).unwrap();
            prop_assert_eq!(crate::record::decode::<Ledger>(&bytes).unwrap(), ledger);
        }
    }
}
