//! Events as sessions have them: opened once per node, shared by all sessions there.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

use crate::{
    content::{Content, Sealed},
    error::{ErrorKind, Result},
    identity::BodySealer,
    ids::{CustomerId, StreamId},
    record::{Access, Appended, Event, Position, StreamEvent},
    store::Page,
};

/// What one event without a body counts in a session's buffer, in bytes.
const EVENT_BYTES: usize = 160;

/// Consecutive events of one stream, opened: a frame or a page.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The position before the first.
    pub after: Position,
    /// All events of the range in order, those that not everybody may see included.
    pub events: Vec<Arc<StreamEvent<Content>>>,
    /// Who may see the stream after them, if told with them.
    pub access: Option<Access>,
    /// What they count in a session's buffer.
    pub bytes: usize,
    /// What a transport made of the whole.
    pub made: Made,
}

/// What a transport made of a frame, by audience: customers, staff.
#[derive(Clone, Default)]
pub struct Made([OnceLock<Bytes>; 2]);

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It holds what people wrote.
        f.debug_struct("Made").finish_non_exhaustive()
    }
}

/// A range that is told alike to all of an audience: what a transport makes of it for the first of
/// them is of use to all others of this node.
#[derive(Debug, Clone)]
pub struct Memo {
    frame: Arc<Opened>,
    staff: bool,
}

impl Memo {
    pub(crate) fn new(frame: Arc<Opened>, staff: bool) -> Self {
        Self { frame, staff }
    }

    /// What was made of it, if somebody has made it already.
    #[must_use]
    pub fn made(&self) -> Option<&Bytes> {
        self.slot().get()
    }

    /// Keeps what was made of it; the first stays.
    pub fn keep(&self, made: Bytes) {
        // Another session was faster, and made the same.
        let _ = self.slot().set(made);
    }

    fn slot(&self) -> &OnceLock<Bytes> {
        let Made([customers, staff]) = &self.frame.made;
        if self.staff { staff } else { customers }
    }
}

impl Opened {
    /// The position after the last event.
    #[must_use]
    pub fn upto(&self) -> Position {
        self.events.last().map_or(self.after, |e| Position {
            seq: e.seq,
            hash: e.hash,
        })
    }

    /// Whether the events follow one another from `after` on.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let mut seq = self.after.seq;
        self.events.iter().all(|event| {
            seq = seq.next();
            event.seq == seq
        })
    }

    /// Opens a frame.
    ///
    /// # Errors
    /// `Unavailable` when a key is not at hand; the frame counts as lost then.
    pub fn frame(sealer: &dyn BodySealer, frame: &Appended) -> Result<Self> {
        let customer = customer_of(&frame.access);
        Ok(Self {
            access: Some(frame.access.clone()),
            ..Self::events(sealer, customer, frame.after, frame.events.iter().cloned())?
        })
    }

    /// Opens a page; `customer` is whose the stream is, if a customer's.
    ///
    /// # Errors
    /// `Unavailable` when a key is not at hand.
    pub fn page(
        sealer: &dyn BodySealer,
        customer: Option<&CustomerId>,
        page: Page,
    ) -> Result<Self> {
        Self::events(sealer, customer, page.after, page.events.into_iter())
    }

    fn events(
        sealer: &dyn BodySealer,
        customer: Option<&CustomerId>,
        after: Position,
        events: impl ExactSizeIterator<Item = StreamEvent<Sealed>>,
    ) -> Result<Self> {
        let mut bytes = 0;
        let mut opened = Vec::with_capacity(events.len());
        for event in events {
            bytes += EVENT_BYTES;
            let body = |sealed: Sealed| {
                bytes += sealed.bytes.len();
                open_body(sealer, customer, &sealed)
            };
            let what = match event.event {
                Event::Dialog(dialog) => Event::Dialog(dialog.try_map_bodies(body)?),
                Event::Customer(customer) => Event::Customer(customer),
                Event::Board(board) => Event::Board(board),
            };
            opened.push(Arc::new(StreamEvent {
                seq: event.seq,
                hash: event.hash,
                at: event.at,
                visibility: event.visibility,
                event: what,
            }));
        }
        Ok(Self {
            after,
            events: opened,
            access: None,
            bytes,
            made: Made::default(),
        })
    }
}

/// Whose body key opens the events of a stream with this access.
#[must_use]
pub(crate) fn customer_of(access: &Access) -> Option<&CustomerId> {
    match access {
        Access::Dialog { customer, .. } | Access::Customer(customer) => Some(customer),
        Access::Board(_) => None,
    }
}

/// Whose stream it is, as far as its name tells.
#[must_use]
pub(crate) fn customer_in_name(stream: &StreamId) -> Option<&CustomerId> {
    match stream {
        StreamId::Customer(customer) => Some(customer),
        StreamId::Dialog(_) | StreamId::Board(_) => None,
    }
}

/// A body that can't be opened any more must not stop the stream: what it said is gone.
pub(crate) fn open_body(
    sealer: &dyn BodySealer,
    customer: Option<&CustomerId>,
    sealed: &Sealed,
) -> Result<Content> {
    let Some(customer) = customer else {
        return Ok(Content::Erased);
    };
    match sealer.open(customer, sealed) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Content::Erased),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::error!(%error, "a body can't be opened");
            Ok(Content::Erased)
        }
        other => other,
    }
}
