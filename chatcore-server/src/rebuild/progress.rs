//! How far one partition is, in words.

use std::time::Duration;

use chatcore::engine::Lag;
use tokio::time::Instant;

/// Between two lines, as long as it gets on.
const TOLD_EVERY: Duration = Duration::from_secs(2);
/// Without getting on for so long, somebody should look.
const STUCK_AFTER: Duration = Duration::from_secs(15);

/// What is known of a partition that is being built.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    /// Where it stood when it began to get on.
    from: Option<(u64, Instant)>,
    applied: u64,
    moved: Instant,
    told: Option<Instant>,
    is_done: bool,
}

impl Progress {
    pub(super) fn new(lag: &Lag, now: Instant) -> Self {
        Self {
            began: now,
            from: None,
            applied: lag.applied.0,
            moved: now,
            told: None,
            is_done: false,
        }
    }

    /// What is to be told now, if anything is.
    pub(super) fn line(&mut self, lag: &Lag, now: Instant) -> Option<String> {
        if self.is_done {
            return None;
        }
        let partition = lag.partition;
        let (applied, end) = (lag.applied.0, lag.end.0);
        if lag.is_built {
            self.is_done = true;
            let took = (now - self.began).as_secs_f64();
            return Some(format!(
                "partition {partition}: built in {took:.1} s, {applied} of {end} applied"
            ));
        }
        if applied != self.applied {
            // It may go back once: to where the snapshots begin.
            let is_on = applied > self.applied;
            self.from = self.from.filter(|_| is_on).or(Some((applied, now)));
            (self.applied, self.moved) = (applied, now);
        }
        let is_stuck = now - self.moved >= STUCK_AFTER;
        let pause = if is_stuck { STUCK_AFTER } else { TOLD_EVERY };
        if self.told.is_some_and(|told| now - told < pause) {
            return None;
        }
        self.told = Some(now);
        if is_stuck {
            let still = (now - self.moved).as_secs();
            return Some(format!(
                "partition {partition}: {applied} of {end} applied, nothing for {still} s; \
                 does a node work for it?"
            ));
        }
        let rate = self.rate(now);
        let rest = match rate {
            Some(rate) => {
                #[allow(clippy::cast_precision_loss, reason = "a guess")]
                let left = end.saturating_sub(applied) as f64 / rate;
                format!(", {rate:.0} a second, about {left:.0} s left")
            }
            None => String::new(),
        };
        Some(format!(
            "partition {partition}: {applied} of {end} applied{rest}"
        ))
    }

    /// Records a second since it got on.
    fn rate(&self, now: Instant) -> Option<f64> {
        let (from, since) = self.from?;
        let took = (now - since).as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "a guess")]
        let rate = self.applied.saturating_sub(from) as f64 / took;
        (took >= 0.1 && rate >= 0.1).then_some(rate)
    }
}

#[cfg(test)]
mod tests {
    use chatcore::ids::{Offset, Partition};

    use super::*;

    fn at(applied: u64, is_built: bool) -> Lag {
        Lag {
            partition: Partition(3),
            end: Offset(5_000),
            applied: Offset(applied),
            committed: Offset(0),
            is_built,
            unapplied_since: None,
            uncommitted_since: None,
        }
    }

    #[test]
    fn it_tells_now_and_then_how_fast_it_gets_on_and_once_that_it_is_built() {
        let begin = Instant::now();
        let second = |n: u64| begin + Duration::from_secs(n);
        let mut progress = Progress::new(&at(0, false), begin);
        let mut line = |applied, is_built, n| progress.line(&at(applied, is_built), second(n));
        let told = line(0, false, 0).unwrap();
        assert_eq!(told, "partition 3: 0 of 5000 applied");
        assert_eq!(line(500, false, 1), None);
        let told = line(1_500, false, 3).unwrap();
        let expected = "partition 3: 1500 of 5000 applied, 500 a second, about 7 s left";
        assert_eq!(told, expected);
        let told = line(5_000, true, 9).unwrap();
        assert_eq!(told, "partition 3: built in 9.0 s, 5000 of 5000 applied");
        assert_eq!(line(5_000, true, 12), None);
    }

    #[test]
    fn one_that_nobody_builds_is_told() {
        let begin = Instant::now();
        let second = |n: u64| begin + Duration::from_secs(n);
        let mut progress = Progress::new(&at(0, false), begin);
        let mut line = |n| progress.line(&at(0, false), second(n));
        assert!(line(0).is_some());
        let told = line(16).unwrap();
        assert!(
            told.ends_with("nothing for 16 s; does a node work for it?"),
            "{told}"
        );
        assert_eq!(line(20), None);
        assert!(line(31).is_some());
    }
}
