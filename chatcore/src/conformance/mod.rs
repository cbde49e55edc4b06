//! The suites that every implementation of a port must pass: one function a promise.
//!
//! Each function gets fresh ports with [`PARTITIONS`] partitions, whose journal is full with at most
//! 100,000 records of 1 KiB and whose inboxes with fewer than 100,000 short frames, and panics when the promise is
//! not kept. A backend stamps them all as tests of its own:
//!
//! ```
//! # #[allow(unused)] mod backend {
//! async fn fresh() -> chatcore::ports::Ports {
//!     use chatcore::{clock::SystemClock, conformance::PARTITIONS, memory, ports::Ports};
//!
//!     let clock = std::sync::Arc::new(SystemClock);
//!     let journal = memory::MemoryJournal::bounded(PARTITIONS, clock.clone(), 1_000);
//!     Ports { journal: std::sync::Arc::new(journal), ..memory::ports(PARTITIONS, clock) }
//! }
//!
//! chatcore::conformance_tests!(fresh().await);
//! # }
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a suite fails by panicking"
)]

pub mod archive;
pub mod inbox;
pub mod index;
pub mod journal;
pub mod lease;
pub mod partition;
mod samples;
pub mod stream;
pub mod tables;

/// How many partitions the ports under test have.
pub const PARTITIONS: u32 = 4;

/// Stamps every promise as a test. The argument is an expression that makes fresh ports; it may
/// await, and return when there is nothing to test with. A backend of some ports alone names them:
/// `conformance_tests!(journal, tables: fresh().await)`.
#[macro_export]
macro_rules! conformance_tests {
    ($($port:ident),+ : $fresh:expr) => {
        $($crate::conformance_tests!(@$port $fresh);)+
    };
    (@journal $fresh:expr) => {
        $crate::conformance_tests!(@stamp journal $fresh;
            appends_keep_the_order_of_calls,
            append_times_never_go_back,
            an_append_to_an_unknown_partition_is_refused_with_its_bytes,
            logs_and_partitions_are_apart,
            a_consumer_starts_at_the_committed_offset,
            a_group_shares_the_partitions_without_overlap,
            partitions_are_handed_over_when_a_member_leaves,
            groups_have_positions_of_their_own,
            a_commit_without_the_partition_is_a_conflict,
            seek_moves_the_position,
            a_paused_partition_is_silent_and_skips_nothing,
            a_dropped_next_skips_nothing,
            a_read_ends_at_the_end,
            ready_waits_until_there_is_room,
            trimmed_records_are_not_found,
        );
    };
    (@tables $fresh:expr) => {
        $crate::conformance_tests!(@stamp tables $fresh;
            the_newest_snapshot_wins_and_can_be_removed,
            snapshots_are_apart_by_partition,
            shared_changes_have_one_order,
            a_shared_change_wakes_its_reader,
            a_dead_letter_is_kept_once,
        );
    };
    (@partition $fresh:expr) => {
        $crate::conformance_tests!(@stamp partition $fresh;
            taking_raises_the_fence,
            a_fresh_store_is_not_built,
            a_save_moves_applied_and_nothing_else_does,
            a_save_from_another_position_is_a_conflict_and_writes_nothing,
            a_save_with_an_old_fence_is_a_conflict,
            a_save_of_another_incarnation_is_a_conflict,
            batches_of_different_partitions_are_independent,
            the_outbox_keeps_decisions_until_they_are_trimmed,
            a_rebuild_puts_nothing_into_the_outbox_that_was_trimmed,
            a_snapshot_replaces_the_tail,
            due_lines_are_replaced_and_come_in_order,
            a_rebuild_forgets_and_is_not_built_until_done,
            a_rebuild_is_done_only_with_all_that_was_put,
            follow_ups_received_are_kept,
        );
    };
    (@stream $fresh:expr) => {
        $crate::conformance_tests!(@stamp stream $fresh;
            what_is_saved_is_read_back_in_pages,
            following_reads_what_came_before_and_a_save_sees_the_route_after,
            follow_and_save_are_serial,
            a_tail_gives_the_newest,
            an_unfollowed_stream_has_no_route,
            a_node_without_a_lease_has_no_route,
            a_stream_that_is_not_built_answers_rebuilding,
            an_empty_stream_has_head_zero,
            cursors_only_grow,
            a_stream_that_was_forgotten_is_read_from_the_archive,
            of_a_forgotten_stream_nothing_is_left_but_the_archive,
            a_stream_is_forgotten_after_the_decisions_of_its_batch,
            reading_across_the_archives_end_leaves_no_hole,
        );
    };
    (@lease $fresh:expr) => {
        $crate::conformance_tests!(@stamp lease $fresh;
            a_lease_is_alive_until_it_is_closed,
            renewing_never_creates_a_lease,
            a_lease_lapses,
        );
    };
    (@inbox $fresh:expr) => {
        $crate::conformance_tests!(@stamp inbox $fresh;
            a_frame_reaches_its_node_only,
            a_frame_to_nobody_is_not_found,
            an_overflow_is_told_as_a_gap,
        );
    };
    (@index $fresh:expr) => {
        $crate::conformance_tests!(@stamp index $fresh;
            a_list_is_newest_first_and_pages,
            a_later_entry_replaces_the_earlier,
        );
    };
    (@archive $fresh:expr) => {
        $crate::conformance_tests!(@stamp archive $fresh;
            a_segment_may_come_twice,
            a_hole_is_not_covered,
            past_the_end_there_is_no_position,
        );
    };
    (@stamp $port:ident $fresh:expr; $($case:ident,)*) => {
        mod $port {
            #[allow(unused_imports, reason = "the expression may need the names around it")]
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    $crate::conformance::$port::$case($fresh).await;
                }
            )*
        }
    };
    ($fresh:expr) => {
        $crate::conformance_tests!(
            journal, tables, partition, stream, lease, inbox, index, archive: $fresh
        );
    };
}
