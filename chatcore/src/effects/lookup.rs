//! What effects look up in the view about an event that they run for.
//!
//! The journal told them of the event. The view may have lost it since, or a server that is not the
//! primary any more may answer in its place: what lacks the event is no answer, and is waited for.

use crate::{
    content::Sealed,
    dialog::DialogEvent,
    error::{Error, ErrorKind, Result},
    ids::{ChannelId, DialogId, Seq, StreamId},
    record::{Event, Position, StreamEvent},
    store::{ReadRange, StreamStore},
};

/// Events read at a time.
const PAGE_MAX: usize = 200;

/// The channel that a dialog was opened on.
///
/// # Errors
/// `Rebuilding` when the view does not have the dialog: it lost writes, and has them again soon.
pub(super) async fn channel_of(streams: &dyn StreamStore, dialog: DialogId) -> Result<ChannelId> {
    let stream = StreamId::Dialog(dialog);
    let range = ReadRange {
        stream: stream.clone(),
        after: Seq(0),
        upto: Seq(1),
        limit: 1,
    };
    let page = streams.read(range).await.map_err(pauses)?;
    match page.events.first().map(|event| &event.event) {
        Some(Event::Dialog(DialogEvent::Opened { channel, .. })) => Ok(channel.clone()),
        Some(_) => {
            let error = Error::new(ErrorKind::Corrupt, "find how a dialog began");
            Err(error.with_context("stream", stream))
        }
        None => Err(lacks(&stream, Seq(1))),
    }
}

/// The events of `(after, upto]`.
///
/// # Errors
/// `Rebuilding` when the view does not have just the event `upto`.
pub(super) async fn read_up_to(
    streams: &dyn StreamStore,
    stream: &StreamId,
    after: Seq,
    upto: Position,
) -> Result<Vec<StreamEvent<Sealed>>> {
    let mut events: Vec<StreamEvent<Sealed>> = Vec::new();
    let mut last = after;
    while last < upto.seq {
        let range = ReadRange {
            stream: stream.clone(),
            after: last,
            upto: upto.seq,
            limit: PAGE_MAX,
        };
        let page = streams.read(range).await.map_err(pauses)?;
        if page.events.is_empty() || page.after.seq != last {
            return Err(lacks(stream, upto.seq));
        }
        last = page.upto().seq;
        events.extend(page.events);
    }
    match events.last() {
        Some(event) if event.hash != upto.hash => Err(lacks(stream, upto.seq)),
        _ => Ok(events),
    }
}

/// What an effect answers when the store or the journal can't be reached: that pauses it, however
/// long it lasts, and is none of the tries after which it is given up.
pub(super) fn pauses(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unavailable => {
            Error::new(ErrorKind::Rebuilding, error.operation()).with_source(error)
        }
        _ => error,
    }
}

fn lacks(stream: &StreamId, seq: Seq) -> Error {
    Error::new(ErrorKind::Rebuilding, "read what was published")
        .with_context("stream", stream)
        .with_context("missing", seq)
}
