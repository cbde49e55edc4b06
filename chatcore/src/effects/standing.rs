//! How `events` stood where an effect begins to read them.

use crate::{
    engine::Published,
    error::Result,
    ids::{Offset, Partition},
    journal::{Journal, Log},
    record::{EventRecord, decode},
};

/// Records that are looked at before the first one. Whoever has lost a partition notices it by its
/// first receipt: so many are the most that it can have on their way then, all of them void.
const LOOK_BACK: u64 = 1_024;

/// Which owner counts from `upto` on, and which decision was the last.
///
/// Begun without it, an effect would take what a former owner published late for valid, and then
/// pass over what the present one decided in its place.
///
/// # Errors
/// As the journal's.
pub(super) async fn standing(
    journal: &dyn Journal,
    partition: Partition,
    upto: Offset,
) -> Result<Published> {
    let (first, _) = journal.bounds(Log::Events, partition).await?;
    let mut next = Offset(upto.0.saturating_sub(LOOK_BACK)).max(first);
    let mut published = Published::default();
    while next < upto {
        let limit = usize::try_from(upto.0 - next.0).unwrap_or(usize::MAX);
        let records = journal.read(Log::Events, partition, next, limit).await?;
        let Some(last) = records.last() else { break };
        next = last.offset.next();
        for record in records.iter().filter(|record| record.offset < upto) {
            // What can't be read is told when it is read in earnest, and is no owner's.
            if let Ok(record) = decode::<EventRecord>(&record.bytes) {
                published.take(record);
            }
        }
    }
    Ok(published)
}
