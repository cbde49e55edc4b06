//! Reading `events` as it counts: without what is void, and each cause once.

use crate::{
    ids::{Fence, Offset},
    record::{Decision, EventRecord},
};

/// Goes along the records of one partition of `events` and tells which decisions count.
///
/// Records with a lower fence after an owner's with a higher one are void; of two decisions with
/// one cause the first counts. Everybody who reads `events` must read it through this,
/// from the beginning or from a record before the first that is of use: begun at a void one, it
/// would count.
///
/// ```
/// use chatcore::{engine::Published, ids::Fence, record::EventRecord};
///
/// let mut published = Published::default();
/// assert!(published.take(EventRecord::Owner { fence: Fence(2) }).is_none());
/// assert_eq!(published.fence(), Fence(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Published {
    fence: Fence,
    last: Option<Offset>,
}

impl Published {
    /// As it stood when the decision with this cause was the last that counted.
    #[must_use]
    pub fn after(fence: Fence, last: Option<Offset>) -> Self {
        Self { fence, last }
    }

    /// The next record; the decision, if it counts.
    pub fn take(&mut self, record: EventRecord) -> Option<Box<Decision>> {
        match record {
            EventRecord::Owner { fence } => {
                self.fence = self.fence.max(fence);
                None
            }
            EventRecord::Decided { fence, decision } => {
                self.counts(fence, decision.cause).then_some(decision)
            }
        }
    }

    /// Whether the next record, of a decision with this cause, counts.
    pub(crate) fn counts(&mut self, fence: Fence, cause: Offset) -> bool {
        if fence < self.fence || self.last.is_some_and(|last| cause <= last) {
            return false;
        }
        // Whoever begins in the middle learns of the owner from what it published.
        self.fence = fence;
        self.last = Some(cause);
        true
    }

    /// The highest owner's fence so far.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// The cause of the last decision that counted.
    #[must_use]
    pub fn last(&self) -> Option<Offset> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing;

    fn decided(fence: u64, cause: u64) -> EventRecord {
        EventRecord::Decided {
            fence: Fence(fence),
            decision: Box::new(testing::decision(cause)),
        }
    }

    #[test]
    fn only_valid_decisions_count_and_each_cause_once() {
        let mut published = Published::default();
        let records = [
            (decided(1, 0), true),
            (decided(1, 0), false),
            (EventRecord::Owner { fence: Fence(2) }, false),
            (decided(1, 1), false),
            (decided(2, 1), true),
            (EventRecord::Owner { fence: Fence(1) }, false),
            (decided(2, 3), true),
            (decided(2, 2), false),
        ];
        for (index, (record, counts)) in records.into_iter().enumerate() {
            assert_eq!(published.take(record).is_some(), counts, "{index}");
        }
        assert_eq!(published.last(), Some(Offset(3)));
    }
}
