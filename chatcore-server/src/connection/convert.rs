//! From what a session is told to frames, and from errors to what a client may read.

use chatcore::{
    error::{Error, Retry},
    routing::{CloseCode, LeftReason, ResetReason, SessionEvent, StreamState},
};

use crate::protocol::{
    BoardState, Close, DialogBrief, ErrorCode, Left, ResetWhy, ServerFrame, StreamReset, Wrong,
};

/// The frame that tells it, or that the session has ended.
pub(super) fn frame(event: SessionEvent) -> Result<ServerFrame, Close> {
    Ok(match event {
        SessionEvent::Durable { target, n } => ServerFrame::Durable { target, n },
        SessionEvent::Reply { target, n, reply } => ServerFrame::Reply { target, n, reply },
        SessionEvent::Refused { target, n, error } => ServerFrame::Error(Wrong {
            target: Some(target),
            n: Some(n),
            ..wrong(&error)
        }),
        SessionEvent::Range {
            stream,
            after,
            upto,
            events,
            memo: _,
        } => ServerFrame::Range {
            stream: stream.into(),
            after,
            upto,
            events,
        },
        SessionEvent::Reset {
            stream,
            position,
            reason,
            state,
        } => {
            let (board, dialog) = match state {
                StreamState::Customer => (None, None),
                StreamState::Dialog(view) => (None, Some(DialogBrief::from(*view))),
                StreamState::Board(board) => (Some(BoardState::from(&*board)), None),
            };
            ServerFrame::Reset(Box::new(StreamReset {
                stream: stream.into(),
                position,
                reason: why_reset(reason),
                board,
                dialog,
            }))
        }
        SessionEvent::Cursors { dialog, cursors } => ServerFrame::Cursors { dialog, cursors },
        SessionEvent::Typing {
            dialog,
            participant,
        } => ServerFrame::Typing {
            dialog,
            participant,
        },
        SessionEvent::Presence { dialog, presence } => ServerFrame::Presence { dialog, presence },
        SessionEvent::Place { dialog, place } => ServerFrame::Place { dialog, place },
        SessionEvent::Left { stream, reason } => ServerFrame::Left {
            stream: stream.into(),
            reason: why_left(reason),
        },
        SessionEvent::Waiting {
            stream,
            kind,
            retry_after,
        } => ServerFrame::Error(Wrong {
            stream: Some(stream.into()),
            retry_after_ms: u64::try_from(retry_after.as_millis()).ok(),
            ..Wrong::new(kind.into(), "the stream has to wait; it goes on by itself")
        }),
        SessionEvent::Expiring { at } => ServerFrame::Expiring { at },
        SessionEvent::Closed { code } => return Err(why_closed(code)),
        other => {
            tracing::error!(event = ?std::mem::discriminant(&other), "an event without a frame");
            return Err(Close::Internal);
        }
    })
}

/// What a client may read of an error: what it can change, and never what is behind us.
pub(crate) fn wrong(error: &Error) -> Wrong {
    let code = ErrorCode::from(error.kind());
    let text = match code {
        ErrorCode::Invalid | ErrorCode::Forbidden | ErrorCode::NotFound => error.to_string(),
        ErrorCode::Overloaded => "too much at once; try again later".to_owned(),
        ErrorCode::Rebuilding => "being built again; try again later".to_owned(),
        ErrorCode::Unavailable => "can't be told now; send the same again later".to_owned(),
        _ => "something went wrong here; it was logged".to_owned(),
    };
    if code == ErrorCode::Internal {
        tracing::error!(%error, "an internal error reached a client");
    }
    let retry_after_ms = match (error.retry(), code) {
        (Retry::Safe { after }, _) => u64::try_from(after.as_millis()).ok(),
        (_, ErrorCode::Unavailable) => Some(RETRY_AFTER_MS),
        _ => None,
    };
    Wrong {
        retry_after_ms,
        ..Wrong::new(code, text)
    }
}

const RETRY_AFTER_MS: u64 = 1_000;

pub(super) fn why_closed(code: CloseCode) -> Close {
    match code {
        CloseCode::Done => Close::Done,
        CloseCode::Expired => Close::Expired,
        CloseCode::Slow => Close::TooSlow,
        CloseCode::Draining => Close::Draining,
        CloseCode::Revoked => Close::Revoked,
        CloseCode::Unsure => Close::Unsure,
        _ => Close::Internal,
    }
}

fn why_left(reason: LeftReason) -> Left {
    match reason {
        LeftReason::NoRight => Left::NoRight,
        LeftReason::Unfollowed => Left::Unfollowed,
        LeftReason::TooMany => Left::TooMany,
    }
}

fn why_reset(reason: ResetReason) -> ResetWhy {
    match reason {
        ResetReason::Start => ResetWhy::Start,
        ResetReason::Mismatch => ResetWhy::Mismatch,
        ResetReason::Behind => ResetWhy::Behind,
    }
}
