//! The store: the live view of the journal. It can be lost and is built again.

mod archive;
mod index;
mod lease;
mod partition;
mod stream;

pub use archive::{Archive, Segment};
pub use index::{Index, IndexEntry, IndexStore};
pub use lease::{LeaseStore, StoreIdentity};
pub use partition::{
    DueLine, Mark, PartitionBatch, PartitionStore, Rebuild, Saved, StoredDecision, Trial,
};
pub use stream::{Follow, FollowFrom, Followed, Page, ReadRange, StoredState, StreamStore};
