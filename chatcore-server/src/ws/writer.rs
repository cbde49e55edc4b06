//! The task that writes to a socket. A send is never given up half-way and then tried again: it
//! ends, or the socket does.

use std::{pin::pin, time::Duration};

use futures_util::{FutureExt as _, Sink, SinkExt as _, stream::SplitSink};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tokio_util::sync::CancellationToken;

use super::Socket;
use crate::{
    connection::{Out, Outbound},
    metrics::{Metric, count},
    protocol::{Close, ServerFrame},
};

/// How long what is written may take to leave.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Frames that are written before a flush.
const BATCH_MAX: usize = 64;

/// Writes what a session says.
pub(super) struct Writer {
    sink: SplitSink<Socket, Message>,
    outbound: Outbound,
    ended: CancellationToken,
}

impl Writer {
    pub(super) fn new(
        sink: SplitSink<Socket, Message>,
        outbound: Outbound,
        ended: CancellationToken,
    ) -> Self {
        Self {
            sink,
            outbound,
            ended,
        }
    }

    /// Writes this, and then what there is until the end. Then the reader ends too.
    pub(super) async fn run(mut self, first: Out) {
        let _end = self.ended.clone().drop_guard();
        let mut next = first;
        let close = loop {
            match Box::pin(self.batch(next)).await {
                Ok(()) => next = self.outbound.next().await,
                Err(Some(close)) => break close,
                Err(None) => return count(Metric::Closed, "reason", "lost"),
            }
        };
        count(Metric::Closed, "reason", close.name());
        // The session has ended: whether the close frame arrives changes nothing.
        let farewell = timeout(SEND_TIMEOUT, self.sink.send(close_message(close)));
        let _ = Box::pin(farewell).await;
    }

    /// Writes this and what else is ready, and flushes.
    async fn batch(&mut self, first: Out) -> Result<(), Option<Close>> {
        let mut out = Some(first);
        let mut written = 0;
        let mut end = None;
        while let Some(next) = out {
            match next {
                Out::End(close) => {
                    end = Some(close);
                    break;
                }
                frame => written += self.feed(frame).await?,
            }
            out = if written < BATCH_MAX {
                self.outbound.ready()
            } else {
                None
            };
        }
        let Self { sink, outbound, .. } = self;
        within(sink.flush(), outbound).await?;
        end.map_or(Ok(()), |close| Err(Some(close)))
    }

    async fn feed(&mut self, frame: Out) -> Result<usize, Option<Close>> {
        let mut lines = Vec::new();
        self.outbound.texts(frame, &mut lines).map_err(Some)?;
        let count = lines.len();
        let Self { sink, outbound, .. } = self;
        for line in lines {
            within(sink.feed(Message::Text(line)), outbound).await?;
        }
        Ok(count)
    }
}

/// Ends with the send, with its time limit, or with the session.
async fn within(
    send: impl Future<Output = Result<(), Error>>,
    outbound: &Outbound,
) -> Result<(), Option<Close>> {
    let mut send = pin!(send);
    // Most often there is room, and no timer is made.
    if let Some(sent) = send.as_mut().now_or_never() {
        return sent.map_err(|_| None);
    }
    tokio::select! {
        biased;
        sent = timeout(SEND_TIMEOUT, send) => match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(None),
            Err(_) => Err(Some(Close::TooSlow)),
        },
        close = outbound.ended() => Err(Some(close)),
    }
}

/// A last frame and the close frame, to one who has no session. Whether both were sent.
pub(super) async fn say_last<S>(sink: &mut S, frame: &ServerFrame, close: Close) -> bool
where
    S: Sink<Message, Error = Error> + Unpin,
{
    count(Metric::Closed, "reason", close.name());
    let Ok(text) = serde_json::to_string(frame) else {
        return false;
    };
    let both = async {
        sink.feed(Message::text(text)).await?;
        sink.send(close_message(close)).await
    };
    matches!(timeout(SEND_TIMEOUT, both).await, Ok(Ok(())))
}

fn close_message(close: Close) -> Message {
    Message::Close(Some(CloseFrame {
        code: CloseCode::from(close.code()),
        reason: close.text().into(),
    }))
}
