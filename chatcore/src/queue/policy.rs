//! Who gets a dialog: the policies of automatic queues.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use super::{
    command::{Assignment, OperatorConfig, Wait},
    event::AssignmentReason,
    limits::NEXT_MAX,
};
use crate::{clock::Timestamp, ids::StaffId};

/// The name of [`LongestFree`].
pub const LONGEST_FREE: &str = "longest_free";
/// The name of [`LeastLoaded`].
pub const LEAST_LOADED: &str = "least_loaded";

/// A dialog that is about to be given to somebody.
#[derive(Debug, Clone, Copy)]
pub struct Offered<'a> {
    /// What is known of it.
    pub wait: &'a Wait,
    /// Added to its priority: its operator vanished.
    pub boost: u8,
    /// The time of the decision.
    pub at: Timestamp,
}

/// An operator who could take it: online, available, serving the queue, with a free slot.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Who.
    pub operator: &'a StaffId,
    /// The rules for this operator.
    pub config: &'a OperatorConfig,
    /// Slots taken; less than `config.capacity`.
    pub used: usize,
    /// Since when they have been free: they became available, gave up a dialog, or were granted
    /// one, whichever was last.
    pub free_since: Timestamp,
}

/// Chooses among operators who could take a dialog.
///
/// Synchronous and pure: a snapshot in, a decision out. The same arguments must always give the
/// same answer, in every process and version: no clock, no random numbers, no hash order, no
/// look-ups. A policy that shall behave differently takes another name. It must not panic.
///
/// The desk asks only about operators who may take the dialog, so that no policy can break the
/// order of the queue, the capacity, or the promise that nobody idles while a dialog waits.
///
/// ```
/// use std::{collections::BTreeMap, sync::Arc};
/// use chatcore::{
///     clock::Timestamp,
///     ids::StaffId,
///     queue::{AssignmentPolicy, Candidate, Offered, Policies},
/// };
///
/// /// Dialogs of high priority go to the senior operators first, whoever has most free slots.
/// #[derive(Debug)]
/// struct SeniorsFirst {
///     seniors: Vec<StaffId>,
/// }
///
/// impl AssignmentPolicy for SeniorsFirst {
///     fn name(&self) -> &str {
///         "seniors_first"
///     }
///
///     fn rank(&self, dialog: &Offered<'_>, candidates: &[Candidate<'_>]) -> Vec<usize> {
///         let mut best_first: Vec<usize> = (0..candidates.len()).collect();
///         best_first.sort_by_key(|&index| {
///             let candidate = &candidates[index];
///             let senior = self.seniors.contains(candidate.operator);
///             let wanted = dialog.wait.priority >= 50;
///             (senior != wanted, candidate.used, candidate.free_since)
///         });
///         best_first
///     }
/// }
///
/// let seniors = vec![StaffId::try_new("anna")?];
/// let policies = Policies::default().with_policy(Arc::new(SeniorsFirst { seniors }));
/// assert!(policies.names().any(|name| name == "seniors_first"));
/// # Ok::<(), chatcore::ids::InvalidId>(())
/// ```
pub trait AssignmentPolicy: fmt::Debug + Send + Sync + 'static {
    /// Its name, as in [`Assignment::Custom`] and in the reason of each grant.
    fn name(&self) -> &str;

    /// The candidates by their index, best first. There is at least one, and they come in the
    /// order of their ids. The first answer gets the dialog, the next four are kept in the reason.
    /// Those that are left out are not chosen; an index that is too high, or was named before, is
    /// skipped. When none is left, [`LongestFree`] chooses.
    fn rank(&self, dialog: &Offered<'_>, candidates: &[Candidate<'_>]) -> Vec<usize>;
}

/// Whoever has been free the longest; at the same time, by id.
#[derive(Debug, Clone, Copy, Default)]
pub struct LongestFree;

impl AssignmentPolicy for LongestFree {
    fn name(&self) -> &'static str {
        LONGEST_FREE
    }

    fn rank(&self, _: &Offered<'_>, candidates: &[Candidate<'_>]) -> Vec<usize> {
        ranked_by(candidates, |c| c.free_since)
    }
}

/// Whoever has the fewest dialogs; of those the one with most free slots, then the longest free,
/// then by id.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeastLoaded;

impl AssignmentPolicy for LeastLoaded {
    fn name(&self) -> &'static str {
        LEAST_LOADED
    }

    fn rank(&self, _: &Offered<'_>, candidates: &[Candidate<'_>]) -> Vec<usize> {
        ranked_by(candidates, |c| {
            let free = usize::from(c.config.capacity).saturating_sub(c.used);
            (c.used, Reverse(free), c.free_since)
        })
    }
}

/// The sort is stable, so that equals stay in the order of their ids.
fn ranked_by<K: Ord>(
    candidates: &[Candidate<'_>],
    key: impl Fn(&Candidate<'_>) -> K,
) -> Vec<usize> {
    let mut keyed: Vec<(K, usize)> = candidates.iter().map(key).zip(0..).collect();
    keyed.sort();
    keyed.into_iter().map(|(_, index)| index).collect()
}

/// The policies that a process knows: the two built-in ones and the embedder's, by name.
///
/// All processes that may own a desk must know the same. A queue that asks for an unknown one gets
/// [`LongestFree`], and each grant's reason says so.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    custom: BTreeMap<String, Arc<dyn AssignmentPolicy>>,
}

impl Policies {
    /// Adds one of the embedder's; of two with the same name the later counts. The built-in ones
    /// are not replaced by theirs.
    #[must_use]
    pub fn with_policy(mut self, policy: Arc<dyn AssignmentPolicy>) -> Self {
        self.custom.insert(policy.name().to_owned(), policy);
        self
    }

    /// The names of all, the built-in ones first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [LONGEST_FREE, LEAST_LOADED]
            .into_iter()
            .chain(self.custom.keys().map(String::as_str))
    }

    /// Asks the queue's policy. The first answer is the index of the chosen one.
    pub(super) fn choose(
        &self,
        assignment: &Assignment,
        dialog: &Offered<'_>,
        candidates: &[Candidate<'_>],
    ) -> Choice {
        let (wanted, policy): (&str, Option<&dyn AssignmentPolicy>) = match assignment {
            Assignment::Manual | Assignment::LongestFree => (LONGEST_FREE, Some(&LongestFree)),
            Assignment::LeastLoaded => (LEAST_LOADED, Some(&LeastLoaded)),
            Assignment::Custom(name) => (name, self.find(name)),
        };
        let answer =
            policy.map(|policy| cleaned(policy.rank(dialog, candidates), candidates.len()));
        let (ranking, fell_back) = match answer {
            Some(ranking) if !ranking.is_empty() => (ranking, false),
            _ => (LongestFree.rank(dialog, candidates), true),
        };
        let how = if fell_back { LONGEST_FREE } else { wanted };
        let mut ranking = ranking
            .into_iter()
            .filter_map(|index| candidates.get(index))
            .map(|candidate| candidate.operator.clone());
        Choice {
            operator: ranking.next(),
            reason: AssignmentReason {
                how: how.to_owned(),
                next: ranking.take(NEXT_MAX).collect(),
                instead_of: fell_back.then(|| wanted.to_owned()),
                ..AssignmentReason::default()
            },
        }
    }

    fn find(&self, name: &str) -> Option<&dyn AssignmentPolicy> {
        match name {
            LONGEST_FREE => Some(&LongestFree),
            LEAST_LOADED => Some(&LeastLoaded),
            _ => self.custom.get(name).map(AsRef::as_ref),
        }
    }
}

/// What a policy answered.
#[derive(Debug)]
pub(super) struct Choice {
    /// The first one; none only when there was no candidate.
    pub(super) operator: Option<StaffId>,
    /// Why, without the counts.
    pub(super) reason: AssignmentReason,
}

fn cleaned(ranking: Vec<usize>, candidates: usize) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    ranking
        .into_iter()
        .filter(|&index| index < candidates && seen.insert(index))
        .collect()
}

/// The guide's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/assignment-policy.md")]
struct Guide;
