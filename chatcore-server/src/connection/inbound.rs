//! The half of a connection that listens: frames of the client, one after another.

use std::time::Duration;

use chatcore::{
    error::{Error, ErrorKind},
    ids::Target,
    routing::{Bucket, SessionSender},
};
use tokio::{sync::mpsc, time::Instant};

use super::{Answer, convert::wrong};
use crate::{
    metrics::{Metric, count},
    protocol::{
        BROKEN_FRAMES_MAX, ClientFrame, Close, ErrorCode, ParseError, Secret, ServerFrame, Wrong,
        parse_frame,
    },
    server::Server,
};

/// Takes the frames of one client.
#[derive(Debug)]
pub(crate) struct Inbound {
    server: Server,
    sender: SessionSender,
    answers: mpsc::Sender<Answer>,
    broken: u8,
    frames: Bucket,
    refusals: Bucket,
}

impl Inbound {
    pub(super) fn new(
        server: Server,
        sender: SessionSender,
        answers: mpsc::Sender<Answer>,
    ) -> Self {
        let limits = server.options().frames;
        Self {
            server,
            sender,
            answers,
            broken: 0,
            frames: Bucket::new(limits.frames),
            refusals: Bucket::new(limits.refusals),
        }
    }

    /// Takes a frame. Waits while the session's window is full, so that the reader of the
    /// connection stops reading.
    ///
    /// # Errors
    /// Why the connection must end.
    pub(crate) async fn take(&mut self, text: &str) -> Result<(), Close> {
        let parsed = parse_frame(text);
        if let Err(after) = self.frames.take() {
            return self.refuse(too_many(parsed.ok(), after)).await;
        }
        match parsed {
            Ok(frame) => self.handle(frame).await,
            Err(error) => self.answer_broken(error).await,
        }
    }

    /// Tells the speaking half why the connection ends.
    pub(crate) async fn end(&self, close: Close) {
        // Fails when it has ended already, which is what is wanted.
        let _ = self.answers.send(Answer::End(close)).await;
    }

    async fn answer_broken(&mut self, error: ParseError) -> Result<(), Close> {
        self.broken += 1;
        self.refuse(Wrong::new(error.code, error.text)).await?;
        if self.broken >= BROKEN_FRAMES_MAX {
            return Err(Close::BrokenFrames);
        }
        Ok(())
    }

    async fn handle(&mut self, frame: ClientFrame) -> Result<(), Close> {
        self.server.meters().taken(&frame);
        match frame {
            ClientFrame::Send { target, n, command } => {
                let began = Instant::now();
                let sent = self.sender.send(target.clone(), n, command).await;
                self.server.meters().admitted(began.elapsed());
                self.tell_command(sent, target, n).await
            }
            ClientFrame::Settle { target, n } => {
                self.sender.acknowledge(target, n);
                Ok(())
            }
            ClientFrame::Cursor {
                dialog,
                delivered,
                read,
                ..
            } => self.tell(self.sender.cursor(dialog, delivered, read)).await,
            ClientFrame::Typing { dialog } => self.tell(self.sender.typing(dialog)).await,
            ClientFrame::Follow { stream, after } => {
                let followed = self.sender.follow(stream.0, after.map(Into::into));
                self.tell(followed).await
            }
            ClientFrame::Unfollow { stream } => self.tell(self.sender.unfollow(stream.0)).await,
            ClientFrame::Refresh { token } => self.refresh(&token).await,
            ClientFrame::Ping {} => {
                let now = self.server.now();
                self.answer(ServerFrame::Pong { now }).await
            }
            ClientFrame::Pong {} => Ok(()),
            ClientFrame::Hello(_) => {
                self.broken += 1;
                let text = "hello is the first frame and comes once; refresh brings a new token";
                self.refuse(Wrong::new(ErrorCode::HelloExpected, text))
                    .await
            }
        }
    }

    async fn refresh(&mut self, token: &Secret) -> Result<(), Close> {
        let identity = match self.server.authenticate(token).await {
            Ok(identity) => identity,
            Err(refusal) => return self.refuse(refusal.wrong).await,
        };
        match self.sender.refresh(identity.clone()) {
            Ok(()) => {
                let welcome = self.server.welcome(&self.sender, &identity);
                self.answer(ServerFrame::Welcome(welcome)).await
            }
            Err(error) => self.refuse(wrong(&error)).await,
        }
    }

    async fn tell(&mut self, done: Result<(), Error>) -> Result<(), Close> {
        match done {
            Ok(()) => Ok(()),
            // The speaking half tells why.
            Err(error) if error.kind() == ErrorKind::Closed => Ok(()),
            Err(error) => self.refuse(wrong(&error)).await,
        }
    }

    async fn tell_command(
        &mut self,
        done: Result<(), Error>,
        target: Target,
        n: u64,
    ) -> Result<(), Close> {
        let Err(error) = done else { return Ok(()) };
        if error.kind() == ErrorKind::Closed {
            return Ok(());
        }
        let refused = Wrong {
            target: Some(target),
            n: Some(n),
            ..wrong(&error)
        };
        self.refuse(refused).await
    }

    async fn refuse(&mut self, wrong: Wrong) -> Result<(), Close> {
        count(Metric::Refused, "code", wrong.code.name());
        let is_haste = wrong.code == ErrorCode::Overloaded;
        if is_haste && self.refusals.take().is_err() {
            return Err(Close::TooMany);
        }
        self.answer(ServerFrame::Error(wrong)).await
    }

    async fn answer(&self, frame: ServerFrame) -> Result<(), Close> {
        // The speaking half has ended: so does this one.
        let sent = self.answers.send(Answer::Frame(Box::new(frame))).await;
        sent.map_err(|_| Close::Done)
    }
}

/// A frame is not taken; the number of a command is free again.
fn too_many(frame: Option<ClientFrame>, after: Duration) -> Wrong {
    let (target, n) = match frame {
        Some(ClientFrame::Send { target, n, .. }) => (Some(target), Some(n)),
        _ => (None, None),
    };
    let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    Wrong {
        target,
        n,
        retry_after_ms: Some(after.max(1)),
        ..Wrong::new(ErrorCode::Overloaded, "too many frames of this session")
    }
}
