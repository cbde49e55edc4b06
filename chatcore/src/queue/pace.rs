//! How fast a queue moves, and what may be promised to whoever waits in it. Pure: integers only.
//!
//! Measured is only a queue that is full enough to tell: the time between two dialogs that left it
//! for an operator while others stayed behind. What an idle operator takes at once says nothing of
//! how long a wait is.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// Steps that are remembered of a queue.
const STEPS_MAX: usize = 16;
/// With fewer nothing is said of the time.
const STEPS_MIN: usize = 4;
/// What is older says nothing of now: other people are at work.
const FRESH: Duration = Duration::from_secs(2 * 60 * 60);
/// After so long without a step nothing is said of the time.
const STALLED: Duration = Duration::from_secs(30 * 60);
const MINUTE_MS: u64 = 60_000;

/// How a queue moved of late.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pace {
    /// When a dialog was last granted from it while others stayed behind; none once none do.
    last: Option<Timestamp>,
    /// The newest steps, oldest first.
    steps: VecDeque<Step>,
    /// Of the newest that came, oldest first: whether they came in before somebody.
    came_before: VecDeque<bool>,
}

/// A dialog was granted after another one, both while others waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Step {
    at: Timestamp,
    /// After the one before it, in milliseconds.
    after_ms: u64,
    /// Somebody who stayed behind had been before it in the order.
    out_of_turn: bool,
}

/// A place in a line, as a range: nothing in it is better than what happens if nobody else comes
/// before, and the operators go on as they did of late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlaceInLine {
    /// The place now, from 1.
    pub first: u32,
    /// The place if others come before as they did of late.
    pub last: u32,
    /// How long it usually takes from now on; none when too little is known.
    pub wait: Option<WaitRange>,
}

/// How long a wait usually takes, in whole minutes rounded outwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaitRange {
    /// At least, in minutes.
    pub from_min: u32,
    /// At most, in minutes.
    pub to_min: u32,
}

impl Pace {
    /// A dialog came to wait; whether before somebody who waited already.
    pub(crate) fn came(&mut self, before_others: bool) {
        push(&mut self.came_before, before_others);
    }

    /// A dialog was granted. `behind` says who of the others is first in the order now, compared
    /// with it; none when nobody stayed behind.
    pub(crate) fn granted(&mut self, at: Timestamp, behind: Option<Behind>) {
        if let Some(last) = self.last {
            let step = Step {
                at,
                after_ms: millis(at.since(last)),
                out_of_turn: behind == Some(Behind::PassedOver),
            };
            push(&mut self.steps, step);
        }
        self.last = behind.map(|_| at);
    }

    /// What was granted came back refused: that was no step.
    pub(crate) fn put_back(&mut self) {
        self.steps.pop_back();
    }

    /// Nobody waits any more.
    pub(crate) fn emptied(&mut self) {
        self.last = None;
    }

    /// What may be promised to the one at `place`, counted from 1, of `waiting` in a queue.
    /// Where dialogs are `picked` by hand and nothing is known yet, anyone may be before.
    pub(crate) fn promise(&self, place: u32, line: Line, now: Timestamp) -> PlaceInLine {
        let last = if line.picked && self.steps.is_empty() {
            line.waiting.max(place)
        } else {
            let picked = self.steps.iter().filter(|step| step.out_of_turn).count();
            let came = self.came_before.iter().filter(|before| **before).count();
            place
                .saturating_add(share(place, picked, self.steps.len()))
                .saturating_add(share(place, came, self.came_before.len()))
        };
        PlaceInLine {
            first: place,
            last,
            wait: self.wait((place, last), now),
        }
    }

    fn wait(&self, (first, last): (u32, u32), now: Timestamp) -> Option<WaitRange> {
        let fresh = self.steps.iter().filter(|step| now.since(step.at) < FRESH);
        let mut gaps: Vec<u64> = fresh.map(|step| step.after_ms).collect();
        if gaps.len() < STEPS_MIN {
            return None;
        }
        // A step that is longer under way than they usually take is one of them.
        let open = self.last.map_or(Duration::ZERO, |last| now.since(last));
        if open >= STALLED {
            return None;
        }
        gaps.sort_unstable();
        let quick = *gaps.get(gaps.len() / 4)?;
        let slow = (*gaps.get(gaps.len() - 1 - gaps.len() / 4)?).max(millis(open));
        let from = quick
            .saturating_mul(u64::from(first))
            .saturating_sub(millis(open));
        let to = slow.saturating_mul(u64::from(last));
        Some(WaitRange {
            from_min: minutes(from / MINUTE_MS),
            to_min: minutes(to.div_ceil(MINUTE_MS)).max(1),
        })
    }
}

/// Who stayed behind when a dialog was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Only those whose turn comes later.
    Later,
    /// Also one whose turn it was.
    PassedOver,
}

/// The line in which somebody waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    /// How many wait.
    pub(crate) waiting: u32,
    /// Operators take whom they like.
    pub(crate) picked: bool,
}

/// How many more come before one at `place` when so many `of` the newest did: each of those takes
/// a step, in which others may come again.
fn share(place: u32, did: usize, of: usize) -> u32 {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let others = count(of - did.min(of)) + 1;
    let more = (u64::from(place) * count(did)).div_ceil(others);
    u32::try_from(more).unwrap_or(u32::MAX)
}

fn push<T>(ring: &mut VecDeque<T>, one: T) {
    if ring.len() >= STEPS_MAX {
        ring.pop_front();
    }
    ring.push_back(one);
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn minutes(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    const LINE: Line = Line {
        waiting: 50,
        picked: false,
    };

    /// A queue that was full while these gaps, in ms, went by; and when the last one ended.
    fn after(gaps: &[u64]) -> (Pace, Timestamp) {
        let mut pace = Pace::default();
        let mut at = Timestamp(1_000_000);
        pace.granted(at, Some(Behind::Later));
        for gap in gaps {
            at = at.plus(Duration::from_millis(*gap));
            pace.granted(at, Some(Behind::Later));
        }
        (pace, at)
    }

    #[test]
    fn nothing_is_said_of_the_time_before_enough_is_known() {
        let (pace, at) = after(&[60_000; 3]);
        assert_eq!(pace.promise(2, LINE, at).wait, None);
        let (pace, at) = after(&[60_000; 4]);
        let wait = WaitRange {
            from_min: 2,
            to_min: 2,
        };
        assert_eq!(pace.promise(2, LINE, at).wait, Some(wait));
        let tomorrow = at.plus(Duration::from_secs(86_400));
        assert_eq!(pace.promise(2, LINE, tomorrow).wait, None);
    }

    #[test]
    fn what_idle_operators_take_at_once_says_nothing_of_a_wait() {
        let mut pace = Pace::default();
        for n in 0..20 {
            pace.came(false);
            pace.granted(Timestamp(n * 1_000), None);
        }
        assert_eq!(pace.promise(1, LINE, Timestamp(20_000)).wait, None);
        // A gap in which nobody waited does not count either.
        let (mut pace, at) = after(&[60_000; 3]);
        pace.emptied();
        pace.granted(at.plus(FRESH / 2), Some(Behind::Later));
        assert_eq!(pace.steps.len(), 3);
    }

    #[test]
    fn a_queue_that_stands_still_promises_less_and_less() {
        let (pace, at) = after(&[60_000; 8]);
        let wait = |minutes: u64| {
            let now = at.plus(Duration::from_secs(60 * minutes));
            pace.promise(3, LINE, now).wait
        };
        let range = |from_min, to_min| Some(WaitRange { from_min, to_min });
        assert_eq!(wait(0), range(3, 3));
        assert_eq!(wait(5), range(0, 15));
        assert_eq!(wait(20), range(0, 60));
        assert_eq!(wait(30), None);
    }

    #[test]
    fn who_is_passed_over_often_is_promised_a_later_place() {
        let (mut pace, at) = after(&[60_000; 8]);
        let last = |pace: &Pace| pace.promise(4, LINE, at).last;
        assert_eq!(last(&pace), 4);
        pace.came(true);
        pace.came(false);
        assert_eq!(last(&pace), 6);
        for _ in 0..8 {
            pace.granted(at, Some(Behind::PassedOver));
        }
        assert!(last(&pace) >= 8, "{}", last(&pace));
        let picked = Line {
            waiting: 9,
            picked: true,
        };
        let place = Pace::default().promise(4, picked, at);
        assert_eq!((place.first, place.last), (4, 9));
    }

    #[test]
    fn a_grant_that_was_refused_was_no_step() {
        let (mut pace, _) = after(&[1_000; 5]);
        pace.put_back();
        assert_eq!(pace.steps.len(), 4);
    }

    proptest! {
        /// With nobody coming before, and steps as slow or slower than the quickest quarter was:
        /// never earlier than promised. And as quick or quicker than the slowest quarter: never
        /// later.
        #[test]
        fn never_better_than_what_then_happens(
            gaps in prop::collection::vec(1_000_u64..400_000, STEPS_MIN..STEPS_MAX),
            place in 1_u32..40,
            since_last in 0_u64..1_000,
        ) {
            let (pace, at) = after(&gaps);
            let now = at.plus(Duration::from_millis(since_last));
            let promised = pace.promise(place, LINE, now);
            let mut sorted = gaps.clone();
            sorted.sort_unstable();
            let quick = sorted[sorted.len() / 4];
            let slow = sorted[sorted.len() - 1 - sorted.len() / 4];
            let takes = |gap: u64| u64::from(place) * gap - since_last.min(gap);
            let wait = promised.wait.unwrap();
            prop_assert!(u64::from(wait.from_min) * MINUTE_MS <= takes(quick));
            prop_assert!(u64::from(wait.to_min) * MINUTE_MS >= takes(slow));
            prop_assert!(wait.from_min <= wait.to_min);
            prop_assert!(promised.first <= promised.last);
        }

        /// One place further back nothing is promised earlier, whatever happened before.
        #[test]
        fn a_later_place_is_never_promised_more(
            steps in prop::collection::vec((0_u64..2_000_000, any::<bool>(), any::<bool>()), 0..60),
            place in 1_u32..1_000,
            later in 0_u64..4_000_000,
        ) {
            let mut pace = Pace::default();
            let mut at = Timestamp(0);
            for (gap, passed, came) in steps {
                at = at.plus(Duration::from_millis(gap));
                pace.came(came);
                let behind = if passed { Behind::PassedOver } else { Behind::Later };
                pace.granted(at, Some(behind));
            }
            let now = at.plus(Duration::from_millis(later));
            let line = Line { waiting: 2_000, picked: false };
            let (one, next) = (pace.promise(place, line, now), pace.promise(place + 1, line, now));
            prop_assert!(one.first < next.first && one.last < next.last);
            prop_assert_eq!(one.wait.is_some(), next.wait.is_some());
            if let (Some(one), Some(next)) = (one.wait, next.wait) {
                prop_assert!(one.from_min <= next.from_min && one.to_min <= next.to_min);
            }
        }
    }
}
