//! The outcomes of earlier commands of one customer or desk: each command is done once.
//!
//! Part of the state, a function of its decisions. Nothing in it grows for ever:
//!
//! - a device (of an author) keeps at most [`OUTCOMES_MAX`] outcomes; past it the oldest is
//!   settled, as if its arrival had been told;
//! - a device that was silent for [`RETENTION`] keeps none, only the next number;
//! - a device that was silent for [`FORGOTTEN_AFTER`], or the one silent the longest when there are
//!   too many, is forgotten whole. Of all that were ever forgotten one time is kept: the latest at
//!   which one of them was made, as its id says. An unknown device that was made by then may be one
//!   of them, so nothing of it is taken: its client hears `forgotten`, knows what it had sent
//!   before, and goes on as a new device (`docs/adr/0013`).

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    dialog::Rejection,
    ids::{ChannelId, DeviceId, Participant},
    record::{CommandId, Outcome, Reply},
    sabotage::{Switch, on},
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
/// How far the clock that a device was made by may be ahead of the journal's.
pub const MADE_AHEAD_MAX: Duration = Duration::from_secs(5 * 60);
/// How often, in the time of commands, what is too old is looked for.
pub(super) const SWEPT_EVERY: Duration = Duration::from_secs(60 * 60);

/// The outcomes of earlier commands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    devices: BTreeMap<(Participant, DeviceId), Device>,
    channels: BTreeMap<ChannelId, Numbered>,
    keys: BTreeMap<(ChannelId, String), Named>,
    swept: Timestamp,
    /// Every device that was forgotten was made at this time or before.
    #[serde(default)]
    forgotten: Option<Timestamp>,
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
                if known.is_none() && !self.is_new(device, at) {
                    return Some(Reply::Forgotten);
                }
                let next = known.map_or(1, |device| device.next);
                if *n == next {
                    None
                } else if *n > next || *n == 0 {
                    Some(Reply::Expected { n: next })
                } else if next - *n > 2 && on(Switch::WindowedDedupe) {
                    None
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

    /// Whether an unknown device was never known: it was made after all that were forgotten. One
    /// from the future could not be told from a forgotten one later, so it is not taken either.
    fn is_new(&self, device: &DeviceId, at: Timestamp) -> bool {
        let made = made_at(device);
        made <= at.plus(MADE_AHEAD_MAX) && self.forgotten.is_none_or(|upto| made > upto)
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
                if !self.devices.contains_key(&key)
                    && self.devices.len() >= devices_max
                    && let Some((_, gone)) = forget_one(&mut self.devices, |device| device.last)
                {
                    self.forgotten = self.forgotten.max(Some(made_at(&gone)));
                }
                let device = self.devices.entry(key).or_insert_with(|| Device {
                    next: 1,
                    last: at,
                    outcomes: BTreeMap::new(),
                });
                device.last = at;
                device.next = device.next.max(n + 1);
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
        let forgotten = &mut self.forgotten;
        self.devices.retain(|(_, id), device| {
            let is_kept = at.since(device.last) < FORGOTTEN_AFTER;
            if !is_kept {
                *forgotten = (*forgotten).max(Some(made_at(id)));
            }
            is_kept
        });
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

/// When a device was made; before all others if its id does not say.
fn made_at(device: &DeviceId) -> Timestamp {
    device.made_at().unwrap_or(Timestamp(i64::MIN))
}

/// Removes the entry with the lowest time, and answers its key.
fn forget_one<K: Ord + Clone, V>(
    map: &mut BTreeMap<K, V>,
    time: impl Fn(&V) -> Timestamp,
) -> Option<K> {
    let first = map.iter().min_by_key(|(_, value)| time(value));
    let key = first.map(|(key, _)| key.clone())?;
    map.remove(&key);
    Some(key)
}
