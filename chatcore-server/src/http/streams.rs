//! The streaming fetch: the same frames where WebSocket is blocked, one a line.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use futures_util::stream;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, watch},
    time::timeout,
};
use tracing::Instrument as _;

use super::{accept::ConnectionPermit, answer::Failure, body};
use crate::{
    connection::{Inbound, Opened, Out, Outbound, parse_hello},
    metrics::{Metric, count},
    protocol::{Close, ErrorCode, FRAME_BYTES_MAX, HEARTBEAT_MS, ServerFrame},
    server::Server,
    trace,
};

/// Most bytes of one POST of frames.
const POST_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;
/// Chunks that wait for the network.
const CHUNKS_MAX: usize = 8;
/// How long a chunk may wait.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// The open streams of this node, by key.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<HashMap<String, Arc<Open>>>);

#[derive(Debug)]
struct Open {
    inbound: AsyncMutex<Inbound>,
    heard: watch::Sender<()>,
}

impl Streams {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Open>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a session: the body is a `hello` frame, the answer one frame a line.
#[cfg_attr(feature = "spec", utoipa::path(
    post, path = "/api/stream",
    request_body(content = String, description = "a hello frame", content_type = "application/json"),
    responses(
        (status = 200, body = String, content_type = "application/x-ndjson",
         description = "one frame a line; the first is welcome, with stream_key"),
        (status = "4XX", body = Failure),
    ),
))]
pub(super) async fn open(
    State(server): State<Server>,
    request: Request,
) -> Result<Response<Body>, Failure> {
    if server.is_draining() {
        let text = "this node is leaving; come back";
        return Err(Failure::new(ErrorCode::Unavailable, text));
    }
    let permit = request.extensions().get::<ConnectionPermit>().cloned();
    let headers = request.headers().clone();
    let text = body::text(request, FRAME_BYTES_MAX).await?;
    let hello = parse_hello(&text)?;
    let trace = trace::of(hello.traceparent.as_deref(), &headers);
    let traceparent = trace.as_ref().map(|trace| trace.0.clone());
    let Opened {
        inbound,
        outbound,
        mut welcome,
    } = server.open(hello, trace, "fetch").await?;
    let span = trace::span(welcome.session, &traceparent);
    let key = fresh_key()?;
    welcome.stream_key = Some(key.clone());
    let (heard, hearing) = watch::channel(());
    let inbound = AsyncMutex::new(inbound);
    server
        .streams()
        .all()
        .insert(key.clone(), Arc::new(Open { inbound, heard }));
    let (chunks, waiting) = mpsc::channel(CHUNKS_MAX);
    let speaker = Speaker { outbound, chunks };
    let first = ServerFrame::Welcome(welcome);
    let tasks = server.tasks().clone();
    tasks.spawn(async move {
        let _permit = permit;
        let close = speaker.run(first, hearing).instrument(span).await;
        count(Metric::Closed, "reason", close.name());
        server.streams().all().remove(&key);
    });
    let lines = stream::unfold(waiting, |mut waiting: mpsc::Receiver<Bytes>| async {
        let chunk = waiting.recv().await?;
        Some((Ok::<_, io::Error>(chunk), waiting))
    });
    let mut response = Body::from_stream(lines).into_response();
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("application/x-ndjson");
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that keep an answer until it is whole would keep this one for ever.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Takes frames of the client, one a line, in order. The key stands for the session: it is secret.
#[cfg_attr(feature = "spec", utoipa::path(
    post, path = "/api/stream/{stream_key}",
    params(("stream_key" = String, Path, description = "from welcome")),
    request_body(content = String, description = "frames, one a line", content_type = "application/x-ndjson"),
    responses((status = 204), (status = "4XX", body = Failure)),
))]
pub(super) async fn post(
    State(server): State<Server>,
    Path(key): Path<String>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let text = body::text(request, POST_BYTES_MAX).await?;
    let open = server.streams().all().get(&key).cloned();
    let gone = || {
        Failure::new(
            ErrorCode::NotFound,
            "this stream has ended; open another one",
        )
    };
    let open = open.ok_or_else(gone)?;
    open.heard.send_replace(());
    // One POST at a time: their frames keep their order.
    let mut inbound = open.inbound.lock().await;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if let Err(close) = inbound.take(line).await {
            inbound.end(close).await;
            return Err(gone());
        }
        open.heard.send_replace(());
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Writes what a session says into the answer.
struct Speaker {
    outbound: Outbound,
    chunks: mpsc::Sender<Bytes>,
}

impl Speaker {
    async fn run(mut self, first: ServerFrame, mut hearing: watch::Receiver<()>) -> Close {
        let two_beats = Duration::from_millis(2 * u64::from(HEARTBEAT_MS));
        let silence = async move {
            while let Ok(Ok(())) = timeout(two_beats, hearing.changed()).await {}
            Close::Silent
        };
        let mut silence = std::pin::pin!(silence);
        let mut next = Out::Frame(Box::new(first));
        loop {
            let close = match self.chunk(next) {
                Ok(chunk) => match self.send(chunk).await {
                    Ok(()) => None,
                    Err(close) => return close,
                },
                Err(close) => Some(close),
            };
            if let Some(close) = close {
                return self.farewell(close).await;
            }
            let outbound = &mut self.outbound;
            next = tokio::select! {
                out = outbound.next() => out,
                close = &mut silence => Out::End(close),
                () = self.chunks.closed() => return Close::Done,
            };
        }
    }

    /// This frame and what else is ready.
    fn chunk(&mut self, first: Out) -> Result<Bytes, Close> {
        let mut lines = Vec::new();
        self.outbound.texts(first, &mut lines)?;
        let mut chunk = String::new();
        for line in lines {
            chunk.push_str(&line);
            chunk.push('\n');
        }
        Ok(chunk.into())
    }

    async fn send(&self, chunk: Bytes) -> Result<(), Close> {
        tokio::select! {
            biased;
            sent = timeout(SEND_TIMEOUT, self.chunks.send(chunk)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Close::Done),
                Err(_) => Err(Close::TooSlow),
            },
            close = self.outbound.ended() => Err(close),
        }
    }

    async fn farewell(self, close: Close) -> Close {
        let frame = ServerFrame::Closed {
            code: close.code(),
            text: close.text().to_owned(),
        };
        if let Ok(line) = serde_json::to_string(&frame) {
            // The session has ended: whether this arrives changes nothing.
            let _ = timeout(SEND_TIMEOUT, self.chunks.send(format!("{line}\n").into())).await;
        }
        close
    }
}

/// 128 random bits.
fn fresh_key() -> Result<String, Failure> {
    let mut random = [0u8; 16];
    let failed = |_| Failure::new(ErrorCode::Internal, "no randomness at hand");
    getrandom::fill(&mut random).map_err(failed)?;
    Ok(random.iter().map(|b| format!("{b:02x}")).collect())
}
