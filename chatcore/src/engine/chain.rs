//! The places of events: numbers and hashes.

use crate::{
    clock::Timestamp,
    content::Sealed,
    dialog::CustomerState,
    ids::{DialogId, Seq, StreamId},
    record::{self, Appended, ChainHash, Event, Position, StreamEvent},
};

/// The place of an event after `after`.
///
/// The hash covers the number, the time and the event, in MessagePack with named fields and
/// without the version byte: what is added to a format later is left out of events that do not
/// have it, so that their hash stays.
pub(crate) fn chained(after: Position, at: Timestamp, event: &Event<Sealed>) -> Position {
    let seq = after.seq.next();
    let hash = record::encoded(&(at, event)).map_or(ChainHash::default(), |bytes| {
        after.hash.then(seq, bytes.get(1..).unwrap_or_default())
    });
    Position { seq, hash }
}

/// The event at its place.
pub(super) fn link(after: Position, at: Timestamp, event: Event<Sealed>) -> StreamEvent<Sealed> {
    let Position { seq, hash } = chained(after, at, &event);
    let visibility = CustomerState::visibility(&event);
    StreamEvent {
        seq,
        hash,
        at,
        visibility,
        event,
    }
}

pub(super) fn position_of(event: &StreamEvent<Sealed>) -> Position {
    Position {
        seq: event.seq,
        hash: event.hash,
    }
}

/// The last event in the dialog that a command was about, or on the board.
pub(super) fn last_seq(appended: &[Appended], dialog: Option<DialogId>) -> Seq {
    let of_dialog = dialog.map(StreamId::Dialog);
    let in_dialog = appended
        .iter()
        .find(|a| of_dialog.as_ref() == Some(&a.stream));
    let on_board = || {
        appended
            .iter()
            .find(|a| matches!(a.stream, StreamId::Board(_)))
    };
    in_dialog
        .or_else(on_board)
        .map(|a| a.upto().seq)
        .unwrap_or_default()
}
