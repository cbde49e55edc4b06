//! Commands of a device to one target: numbered, and said again until their outcome is known.

use std::{collections::VecDeque, time::Duration};

use chatcore::{
    content::Content, dialog::Rejection, record::Command, record::Outcome, record::Reply,
};
use tokio::time::Instant;

/// After this long without an outcome a command is said again.
const ANSWER: Duration = Duration::from_secs(8);
/// How long after a refusal it is said again.
pub(crate) const RETRY: Duration = Duration::from_millis(400);
/// Commands that wait for a number; more is not said at all.
const WAITING_MAX: usize = 4;

/// Commands to one target.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    last: u64,
    open: VecDeque<Open>,
    waiting: VecDeque<(Command<Content>, &'static str)>,
}

#[derive(Debug)]
struct Open {
    n: u64,
    command: Command<Content>,
    kind: &'static str,
    /// When it was said last; none when it must be said.
    said_at: Option<Instant>,
    not_before: Option<Instant>,
    /// Whether some earlier try may have been taken.
    doubtful: bool,
}

/// What is to be said now.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) n: u64,
    pub(crate) command: Command<Content>,
    pub(crate) kind: &'static str,
}

/// Whether a device can go on under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goes {
    On,
    /// What became of its commands can't be learnt any more: it begins as another.
    Anew,
}

impl Outgoing {
    /// Wants to say something.
    pub(crate) fn push(&mut self, command: Command<Content>, kind: &'static str) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back((command, kind));
        }
    }

    /// Nothing is under way and nothing waits.
    pub(crate) fn is_settled(&self) -> bool {
        self.open.is_empty() && self.waiting.is_empty()
    }

    /// All outcomes up to this have arrived.
    pub(crate) fn heard_upto(&self) -> u64 {
        self.open.front().map_or(self.last, |open| open.n - 1)
    }

    /// What is to be said now, in order. At most `window` commands are without an outcome.
    pub(crate) fn due(&mut self, window: usize, now: Instant) -> Vec<Due> {
        while self.open.len() < window
            && let Some((command, kind)) = self.waiting.pop_front()
        {
            self.last += 1;
            self.open.push_back(Open {
                n: self.last,
                command,
                kind,
                said_at: None,
                not_before: None,
                doubtful: false,
            });
        }
        let is_late = |o: &Open| o.said_at.is_some_and(|at| now - at > ANSWER);
        if self.open.iter().any(is_late) {
            self.unsay(1, None);
        }
        let mut due = Vec::new();
        for open in &mut self.open {
            if open.said_at.is_some() {
                continue;
            }
            // In order: what comes before goes first.
            if open.not_before.is_some_and(|at| at > now) {
                break;
            }
            open.said_at = Some(now);
            due.push(Due {
                n: open.n,
                command: open.command.clone(),
                kind: open.kind,
            });
        }
        due
    }

    /// What has this number or a higher one must be said again, not before then.
    pub(crate) fn unsay(&mut self, from: u64, not_before: Option<Instant>) {
        for open in self.open.iter_mut().filter(|open| open.n >= from) {
            open.doubtful |= open.said_at.is_some();
            open.said_at = None;
            open.not_before = open.not_before.max(not_before);
        }
    }

    /// What became of a command.
    pub(crate) fn replied(&mut self, n: u64, reply: &Reply) -> Goes {
        match reply {
            Reply::Outcome(Outcome::Rejected(Rejection::IdConflict)) | Reply::Forgotten => {
                return Goes::Anew;
            }
            Reply::Outcome(_) | Reply::Settled => self.open.retain(|open| open.n != n),
            Reply::Expected { n: expected } => match self.open.front().map(|open| open.n) {
                // It knows less of this device than the device knows of itself.
                Some(first) if *expected < first => return Goes::Anew,
                Some(_) => self.unsay(*expected, None),
                None => {}
            },
        }
        Goes::On
    }

    /// A command was not taken for what it is; saying it again would help nothing.
    pub(crate) fn refused_for_good(&mut self, n: u64) -> Goes {
        let Some(at) = self.open.iter().position(|open| open.n == n) else {
            return Goes::On;
        };
        let is_doubtful = self.open.get(at).is_some_and(|open| open.doubtful);
        if is_doubtful || at + 1 < self.open.len() {
            return Goes::Anew;
        }
        self.open.remove(at);
        self.last = n - 1;
        Goes::On
    }
}

#[cfg(test)]
mod tests {
    use chatcore::{ids::DialogId, ids::Seq, record::Accepted};

    use super::*;

    fn command() -> Command<Content> {
        let ask = chatcore::dialog::CustomerCommand::AskPerson {
            dialog: DialogId(1),
            queue: None,
        };
        Command::Customer(ask)
    }

    fn accepted() -> Reply {
        Reply::Outcome(Outcome::Accepted(Accepted {
            dialog: None,
            redacted: false,
            seq: Seq(1),
        }))
    }

    fn numbers(due: &[Due]) -> Vec<u64> {
        due.iter().map(|due| due.n).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_outcome_is_said_again_in_order() {
        let mut outgoing = Outgoing::default();
        for _ in 0..3 {
            outgoing.push(command(), "ask");
        }
        assert_eq!(numbers(&outgoing.due(2, Instant::now())), [1, 2]);
        assert_eq!(numbers(&outgoing.due(2, Instant::now())), [0; 0]);
        assert_eq!(outgoing.replied(1, &accepted()), Goes::On);
        assert_eq!(outgoing.heard_upto(), 1);
        assert_eq!(numbers(&outgoing.due(2, Instant::now())), [3]);
        outgoing.unsay(1, None);
        assert_eq!(numbers(&outgoing.due(2, Instant::now())), [2, 3]);
        tokio::time::advance(ANSWER * 2).await;
        assert_eq!(numbers(&outgoing.due(2, Instant::now())), [2, 3]);
        assert_eq!(outgoing.replied(2, &accepted()), Goes::On);
        assert_eq!(outgoing.replied(3, &Reply::Settled), Goes::On);
        assert!(outgoing.is_settled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_number_that_was_refused_is_free_again_if_nothing_hangs_on_it() {
        let mut outgoing = Outgoing::default();
        outgoing.push(command(), "ask");
        assert_eq!(numbers(&outgoing.due(3, Instant::now())), [1]);
        assert_eq!(outgoing.refused_for_good(1), Goes::On);
        outgoing.push(command(), "ask");
        outgoing.push(command(), "ask");
        assert_eq!(numbers(&outgoing.due(3, Instant::now())), [1, 2]);
        assert_eq!(outgoing.refused_for_good(1), Goes::Anew);
    }
}
