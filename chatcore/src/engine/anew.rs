//! Asking for the view of a partition to be built again, from outside of its owner.

use crate::{
    error::{Error, ErrorKind, Result},
    ids::{Fence, Partition},
    ports::Ports,
    store::{Mark, Rebuild},
};

const ASK: &str = "have a partition built again";
/// Its owner may take it again at the same moment, each time anew.
const TRIES: u32 = 10;

/// What came of asking for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anew {
    /// The view is empty now: the partition's owner, or its next one, builds it.
    Begun,
    /// It was not built already; nothing was changed.
    UnderWay,
}

/// Empties the view of a partition, so that whoever works for it builds it again from the journal,
/// as after the loss of the store. Until then its dialogs wait, and who comes anew is told so.
///
/// Safe beside nodes that run: the fence is taken first, so that the owner's next save is refused;
/// it notices within about a second, takes the partition over again, and finds it not built. What
/// it decided and did not publish is decided again, alike. Asked for again before it is built, this
/// changes nothing.
///
/// # Errors
/// `NotFound` for a partition that the journal does not have; `Invalid` for a view of another
/// journal, which this one could not give back; `Conflict` when owners keep taking the partition;
/// `Unavailable`.
///
/// # Cancellation
/// The partition may have been emptied, in part or whole; its owner builds it then.
pub async fn build_anew(ports: &Ports, partition: Partition) -> Result<Anew> {
    if partition.0 >= ports.journal.partitions() {
        return Err(Error::new(ErrorKind::NotFound, ASK)
            .with_context("partition", partition)
            .with_context("partitions", ports.journal.partitions()));
    }
    let (store, ours) = (&ports.partitions, ports.journal.incarnation());
    for _ in 0..TRIES {
        // Before the fence is taken: an owner that builds would have to begin again.
        let Some(stored) = built(ports, partition).await? else {
            return Ok(Anew::UnderWay);
        };
        if stored.incarnation != ours {
            return Err(Error::new(ErrorKind::Invalid, ASK)
                .with_context("partition", partition)
                .with_context("view of", stored.incarnation)
                .with_context("journal", ours)
                .with_context("do", "name the journal that the view was built from"));
        }
        let taken = store.take(partition, Fence(0)).await?;
        let empty = Mark {
            fence: taken.fence,
            incarnation: ours,
            trimmed: taken.trimmed,
            trial: taken.trial,
            ..Mark::default()
        };
        let begun = store.rebuild(partition, taken.fence, Rebuild::Begin(empty));
        match begun.await {
            Ok(()) => return Ok(Anew::Begun),
            // Its owner noticed the fence first, and took a higher one.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::Conflict, ASK)
        .with_context("partition", partition)
        .with_context("cause", "it is taken over again and again")
        .with_context("tries", TRIES))
}

/// Where it stands, if its view is whole.
async fn built(ports: &Ports, partition: Partition) -> Result<Option<Mark>> {
    let marks = ports.partitions.marks(&[partition]).await?;
    Ok(marks.into_iter().find(|mark| mark.built))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{chat::Chat, clock::SystemClock, engine::lag, ids::Incarnation, memory};

    const P0: Partition = Partition(0);

    async fn mark(ports: &Ports) -> Mark {
        ports.partitions.marks(&[P0]).await.unwrap().remove(0)
    }

    async fn stored(ports: &Ports, incarnation: Incarnation) -> Mark {
        let taken = ports.partitions.take(P0, Fence(0)).await.unwrap();
        let begun = Mark {
            incarnation,
            ..taken.clone()
        };
        let done = Rebuild::Done {
            incarnation,
            applied: begun.applied,
        };
        let store = &ports.partitions;
        for step in [Rebuild::Begin(begun), done] {
            store.rebuild(P0, taken.fence, step).await.unwrap();
        }
        mark(ports).await
    }

    #[tokio::test]
    async fn a_view_that_is_being_built_is_left_alone() {
        let ports = memory::ports(1, Arc::new(SystemClock));
        let taken = ports.partitions.take(P0, Fence(0)).await.unwrap();
        assert_eq!(build_anew(&ports, P0).await.unwrap(), Anew::UnderWay);
        assert_eq!(mark(&ports).await, taken, "its owner would begin again");
    }

    #[tokio::test]
    async fn its_owner_is_refused_from_then_on_and_asking_again_changes_nothing() {
        let ports = memory::ports(1, Arc::new(SystemClock));
        let owned = stored(&ports, ports.journal.incarnation()).await;
        assert_eq!(build_anew(&ports, P0).await.unwrap(), Anew::Begun);
        let empty = mark(&ports).await;
        assert!(!empty.built && empty.fence > owned.fence);
        let trimmed = ports.partitions.trim(P0, owned.fence, owned.trimmed).await;
        assert_eq!(trimmed.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(build_anew(&ports, P0).await.unwrap(), Anew::UnderWay);
        assert_eq!(mark(&ports).await, empty);
    }

    #[tokio::test]
    async fn a_view_of_another_journal_is_refused_and_stays() {
        let ports = memory::ports(1, Arc::new(SystemClock));
        let other = Incarnation(ports.journal.incarnation().0 ^ 1);
        let foreign = stored(&ports, other).await;
        let refused = build_anew(&ports, P0).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert_eq!(mark(&ports).await, foreign);
        let refused = build_anew(&ports, Partition(1)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_running_node_builds_it_again() {
        let ports = memory::ports(1, Arc::new(SystemClock));
        let chat = Chat::builder(ports.clone()).build().unwrap();
        let stop = CancellationToken::new();
        let until = async |is: fn(&Mark) -> bool| loop {
            let found = mark(&ports).await;
            if is(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let asked = async {
            let before = until(|mark| mark.built).await;
            assert_eq!(build_anew(&ports, P0).await.unwrap(), Anew::Begun);
            let after = until(|mark| mark.built).await;
            assert!(after.fence.0 > before.fence.0 + 1, "an owner took it");
            let rebuilds = chat.engine_stats().all();
            let rebuilds = rebuilds.iter().find(|(name, _)| *name == "rebuilds");
            assert_eq!(rebuilds.unwrap().1, 2, "at its beginning, and now");
            let lags = lag(&ports, Duration::from_secs(5)).await.unwrap();
            assert!(lags[0].is_built && lags[0].unapplied() == 0, "{lags:?}");
            stop.cancel();
        };
        let limit = Duration::from_secs(60);
        let both = async { tokio::join!(chat.run(stop.clone()), asked) };
        let (ran, ()) = tokio::time::timeout(limit, both).await.unwrap();
        ran.unwrap();
    }
}
