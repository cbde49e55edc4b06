//! The half of a connection that speaks: what the session is told, answers, signs of life, and the
//! farewell of a node that leaves.

use std::{collections::BTreeMap, pin::Pin, time::Duration};

use bytes::Bytes;
use chatcore::{
    ids::Target,
    record::{Position, Reply},
    routing::{Memo, SessionEvent, SessionEvents, SessionSender},
};
use futures_util::future::OptionFuture;
use tokio::{
    sync::mpsc,
    time::{Instant, Sleep, sleep},
};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{Answer, convert};
use crate::{
    metrics::OpenSession,
    protocol::{Close, HEARTBEAT_MS, ServerFrame},
    server::Server,
};

/// What is to be sent next.
#[derive(Debug)]
pub(crate) enum Out {
    /// A frame.
    Frame(Box<ServerFrame>),
    /// A range that others are sent too.
    Shared(Box<ServerFrame>, Memo),
    /// The end; nothing comes after it.
    End(Close),
}

/// Speaks to one client.
#[derive(Debug)]
pub(crate) struct Outbound {
    server: Server,
    events: SessionEvents,
    sender: SessionSender,
    answers: mpsc::Receiver<Answer>,
    spoke: Instant,
    leaving: Option<Instant>,
    /// Ends when this node begins to leave; none once that was told.
    drain: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Rings at the next beat or earlier: what is said in between moves no timer.
    alarm: Pin<Box<Sleep>>,
    /// The highest number of each target that was told to be durable.
    durable: BTreeMap<Target, u64>,
    held: Option<Box<ServerFrame>>,
    _open: OpenSession,
}

const HEARTBEAT: Duration = Duration::from_millis(HEARTBEAT_MS as u64);
/// Targets whose durable numbers are remembered.
const TARGETS_MAX: usize = 256;
/// A text longer than this is cut where a range allows it.
const TEXT_BYTES_MAX: usize = 256 * 1024;

impl Outbound {
    pub(super) fn new(
        server: Server,
        (sender, events): (SessionSender, SessionEvents),
        answers: mpsc::Receiver<Answer>,
        open: OpenSession,
    ) -> Self {
        Self {
            drain: Some(Box::pin(server.drains())),
            alarm: Box::pin(sleep(HEARTBEAT)),
            server,
            events,
            sender,
            answers,
            spoke: Instant::now(),
            leaving: None,
            durable: BTreeMap::new(),
            held: None,
            _open: open,
        }
    }

    /// What is to be sent next; waits for it. May be dropped: nothing is lost.
    pub(crate) async fn next(&mut self) -> Out {
        if let Some(frame) = self.held.take() {
            return Out::Frame(frame);
        }
        let out = self.wait().await;
        self.spoke = Instant::now();
        match out {
            Out::Frame(frame) => Out::Frame(self.in_order(frame)),
            other => other,
        }
    }

    /// An outcome means that its command is durable, and may be told before the journal's own word
    /// has arrived here; clients hear `durable` first all the same.
    fn in_order(&mut self, frame: Box<ServerFrame>) -> Box<ServerFrame> {
        match &*frame {
            ServerFrame::Durable { target, n } => self.told(target, *n),
            // What was too high is durable and will never be decided: it tells nothing of those below.
            ServerFrame::Reply {
                target,
                reply: Reply::Expected { n },
                ..
            } => {
                self.durable.insert(target.clone(), n.saturating_sub(1));
            }
            ServerFrame::Reply {
                target,
                n,
                reply: Reply::Outcome(_),
            } if self.durable.get(target).is_none_or(|told| told < n) => {
                let (target, n) = (target.clone(), *n);
                self.told(&target, n);
                self.held = Some(frame);
                return Box::new(ServerFrame::Durable { target, n });
            }
            _ => {}
        }
        frame
    }

    fn told(&mut self, target: &Target, n: u64) {
        if self.durable.len() >= TARGETS_MAX {
            // At worst `durable` is told twice.
            self.durable.clear();
        }
        let told = self.durable.entry(target.clone()).or_default();
        *told = (*told).max(n);
    }

    async fn wait(&mut self) -> Out {
        loop {
            let due = self.leaving.unwrap_or(self.spoke + HEARTBEAT);
            if self.alarm.deadline() > due || self.alarm.is_elapsed() {
                self.alarm.as_mut().reset(due);
            }
            let drain = OptionFuture::from(self.drain.as_mut());
            tokio::select! {
                biased;
                answer = self.answers.recv() => return answered(answer),
                event = self.events.next() => return told(event),
                Some(()) = drain => return self.leave(),
                () = &mut self.alarm => {}
            }
            // Rung early when something was said since it was set.
            if Instant::now() >= due {
                return match self.leaving {
                    Some(_) => Out::End(Close::Draining),
                    None => Out::Frame(Box::new(ServerFrame::Ping {})),
                };
            }
        }
    }

    /// The node leaves: a hint first, the end later.
    fn leave(&mut self) -> Out {
        self.drain = None;
        let after = self.server.reconnect_after();
        self.leaving = Some(Instant::now() + self.server.farewell());
        let after_ms = u64::try_from(after.as_millis()).unwrap_or_default();
        Out::Frame(Box::new(ServerFrame::Reconnect { after_ms }))
    }

    /// Waits for the end of the session, whatever is still to be sent: after it nothing more may be
    /// handed to the client.
    pub(crate) async fn ended(&self) -> Close {
        convert::why_closed(self.sender.closed().await)
    }

    /// The frame as JSON, counted.
    ///
    /// # Errors
    /// How to end: of [`Out::End`], or because the frame can't be written.
    pub(crate) fn texts(&self, out: Out, lines: &mut Vec<Utf8Bytes>) -> Result<(), Close> {
        if let Out::Frame(frame) | Out::Shared(frame, _) = &out {
            self.server.meters().told(frame);
        }
        texts(out, lines)
    }

    /// What can be sent at once. An end is left to [`next`](Self::next).
    pub(crate) fn ready(&mut self) -> Option<Out> {
        if let Some(frame) = self.held.take() {
            return Some(Out::Frame(frame));
        }
        let out = match self.answers.try_recv() {
            Ok(answer) => answered(Some(answer)),
            Err(_) => told(Some(self.events.try_next()?)),
        };
        self.spoke = Instant::now();
        Some(match out {
            Out::Frame(frame) => Out::Frame(self.in_order(frame)),
            other => other,
        })
    }
}

fn answered(answer: Option<Answer>) -> Out {
    match answer {
        Some(Answer::Frame(frame)) => Out::Frame(frame),
        Some(Answer::End(close)) => Out::End(close),
        None => Out::End(Close::Done),
    }
}

fn told(mut event: Option<SessionEvent>) -> Out {
    let memo = match &mut event {
        Some(SessionEvent::Range { memo, .. }) => memo.take(),
        _ => None,
    };
    match event.map(convert::frame) {
        Some(Ok(frame)) => match memo {
            Some(memo) => Out::Shared(Box::new(frame), memo),
            None => Out::Frame(Box::new(frame)),
        },
        Some(Err(close)) => Out::End(close),
        None => Out::End(Close::Done),
    }
}

/// A range that became long is cut in several that join. What others are sent too is written once,
/// and not even copied for each.
fn texts(out: Out, texts: &mut Vec<Utf8Bytes>) -> Result<(), Close> {
    let (frame, memo) = match out {
        Out::End(close) => return Err(close),
        Out::Frame(frame) => (frame, None),
        Out::Shared(frame, memo) => (frame, Some(memo)),
    };
    let Some(memo) = memo else {
        return cut(*frame, texts);
    };
    let made = memo.made().cloned();
    if let Some(text) = made.and_then(|bytes| Utf8Bytes::try_from(bytes).ok()) {
        texts.push(text);
        return Ok(());
    }
    let before = texts.len();
    cut(*frame, texts)?;
    if let [text] = texts.get(before..).unwrap_or_default() {
        memo.keep(text.clone().into());
    }
    Ok(())
}

fn cut(frame: ServerFrame, texts: &mut Vec<Utf8Bytes>) -> Result<(), Close> {
    let text = json(&frame)?;
    match frame {
        ServerFrame::Range {
            stream,
            after,
            upto,
            mut events,
        } if text.len() > TEXT_BYTES_MAX && events.len() > 1 => {
            let second = events.split_off(events.len() / 2);
            let middle = events.last().map_or(after, |event| Position {
                seq: event.seq,
                hash: event.hash,
            });
            let part = |after, upto, events| ServerFrame::Range {
                stream: stream.clone(),
                after,
                upto,
                events,
            };
            cut(part(after, middle, events), texts)?;
            cut(part(middle, upto, second), texts)
        }
        _ => {
            texts.push(text);
            Ok(())
        }
    }
}

/// Most frames are shorter as JSON, and written without growing.
const USUAL_BYTES: usize = 1_024;

fn json(frame: &ServerFrame) -> Result<Utf8Bytes, Close> {
    let mut json = Vec::with_capacity(USUAL_BYTES);
    let written = serde_json::to_writer(&mut json, frame).map_err(|error| error.to_string());
    let text = written
        .and_then(|()| Utf8Bytes::try_from(Bytes::from(json)).map_err(|error| error.to_string()));
    text.map_err(|error| {
        tracing::error!(error, "a frame can't be written as JSON");
        Close::Internal
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chatcore::{
        clock::Timestamp,
        content::Content,
        dialog::DialogEvent,
        ids::{DialogId, Participant, Seq, StreamId},
        record::{ChainHash, Event, Position, StreamEvent, Visibility},
    };

    use super::*;

    #[test]
    fn a_long_range_is_cut_in_parts_that_join() {
        let at = |seq| Position {
            seq: Seq(seq),
            hash: ChainHash(seq),
        };
        let event = |seq| {
            Arc::new(StreamEvent {
                seq: Seq(seq),
                hash: ChainHash(seq),
                at: Timestamp(0),
                visibility: Visibility::Everyone,
                event: Event::Dialog(DialogEvent::Message {
                    author: Participant::Bot,
                    body: Content::Text("x".repeat(30_000)),
                    reply_to: None,
                    assurance: None,
                }),
            })
        };
        let frame = ServerFrame::Range {
            stream: StreamId::Dialog(DialogId(1)).into(),
            after: at(0),
            // Two events after the last visible one are hidden.
            upto: at(42),
            events: (1..=40).map(event).collect(),
        };
        let mut parts = Vec::new();
        texts(Out::Frame(Box::new(frame)), &mut parts).unwrap();
        assert!(parts.len() >= 4);
        let (mut last, mut seen) = (at(0), 0);
        for part in parts {
            assert!(part.len() <= TEXT_BYTES_MAX);
            let frame = serde_json::from_str(&part).unwrap();
            let ServerFrame::Range {
                after,
                upto,
                events,
                ..
            } = frame
            else {
                panic!("{part}");
            };
            assert_eq!(after, last);
            (last, seen) = (upto, seen + events.len());
        }
        assert_eq!((last, seen), (at(42), 40));
    }
}
