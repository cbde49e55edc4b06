//! What the samples are made of.

use bytes::Bytes;
use chatcore::{
    clock::Timestamp,
    content::{ContentKind, Sealed},
    dialog::DialogSettings,
    ids::*,
    record::{ChainHash, Position},
};

pub(crate) fn customer(id: &str) -> CustomerId {
    CustomerId::try_new(id).unwrap()
}

pub(crate) fn staff(id: &str) -> StaffId {
    StaffId::try_new(id).unwrap()
}

pub(crate) fn desk() -> DeskId {
    DeskId::try_new("main").unwrap()
}

pub(crate) fn queue() -> QueueId {
    QueueId::try_new("cards").unwrap()
}

pub(crate) fn at_queue() -> QueueRef {
    QueueRef {
        desk: desk(),
        queue: queue(),
    }
}

pub(crate) fn channel() -> ChannelId {
    ChannelId::try_new("web").unwrap()
}

pub(crate) fn label(text: &str) -> Label {
    Label::try_new(text).unwrap()
}

pub(crate) fn device() -> DeviceId {
    DeviceId::try_new("tab-1").unwrap()
}

pub(crate) fn node() -> Node {
    Node {
        id: NodeId::try_new("node-1").unwrap(),
        epoch: NodeEpoch(1_700_000_000_000),
    }
}

pub(crate) const DIALOG: DialogId = DialogId(17);
pub(crate) const EPOCH: OwnerEpoch = OwnerEpoch(3);
pub(crate) const GRANT: GrantId = GrantId(9);
pub(crate) const AT: Timestamp = Timestamp(1_700_000_000_123);

pub(crate) fn position(seq: u64) -> Position {
    Position {
        seq: Seq(seq),
        hash: ChainHash(0x0123_4567_89ab_cdef ^ seq),
    }
}

pub(crate) fn body() -> Sealed {
    Sealed {
        kind: ContentKind::Text,
        chars: 5,
        bytes: Bytes::from_static(b"\x00seal\xff"),
    }
}

pub(crate) fn settings() -> DialogSettings {
    DialogSettings {
        queue: at_queue(),
        bot: false,
        priority: 7,
        reopen_ms: 86_400_000,
        wrap_up_ms: 300_000,
    }
}
