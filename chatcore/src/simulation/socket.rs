//! A socket: what is between a device and its session. It breaks without a word.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{runtime::Handle, sync::Notify};

use super::clock::WorldTime;
use crate::{
    clock::{Clock as _, Timestamp},
    content::Content,
    error::Error,
    identity::Identity,
    ids::{DialogId, Seq, Target},
    record::Command,
    routing::{Session, SessionEvent, SessionEvents, SessionSender},
};

/// What the network takes in for a device that reads nothing.
const UNREAD_MAX: usize = 32;

/// What a device says.
#[derive(Debug)]
pub(super) enum Said {
    Send {
        target: Target,
        n: u64,
        command: Command<Content>,
    },
    Acknowledge {
        target: Target,
        n: u64,
    },
    Cursor {
        dialog: DialogId,
        upto: Seq,
    },
    Typing(DialogId),
    Refresh(Box<Identity>),
}

/// What a device is told.
#[derive(Debug)]
pub(super) enum Told {
    Event {
        event: Box<SessionEvent>,
        handed_at: Timestamp,
    },
    NotTaken {
        target: Target,
        n: u64,
        error: Error,
    },
    /// Nothing more comes.
    Gone,
}

/// A socket, held at both ends.
#[derive(Debug, Default)]
pub(super) struct Socket {
    said: Mutex<VecDeque<Said>>,
    told: Mutex<VecDeque<Told>>,
    speaks: Notify,
    reads: Notify,
    cut: AtomicBool,
}

impl Socket {
    pub(super) fn say(&self, said: Said) {
        let mut all = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_back(said);
        drop(all);
        self.speaks.notify_one();
    }

    /// Reads all that has arrived.
    pub(super) fn read(&self) -> VecDeque<Told> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let read = std::mem::take(&mut *told);
        drop(told);
        if !read.is_empty() {
            self.reads.notify_one();
        }
        read
    }

    /// Breaks it; what was under way is lost.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
        self.speaks.notify_one();
        self.reads.notify_one();
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    fn tell(&self, told: Told) {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_back(told);
    }

    fn is_full(&self) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() >= UNREAD_MAX
    }

    fn next_said(&self) -> Option<Said> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.pop_front()
    }
}

/// Tells the device that nothing more comes, however its task ended.
struct Ends(Arc<Socket>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.tell(Told::Gone);
    }
}

/// Carries what is said and told, as a server's connection does, on two tasks of the node.
pub(super) fn serve(session: Session, node: &Handle, time: Arc<WorldTime>) -> Arc<Socket> {
    let socket = Arc::new(Socket::default());
    let (sender, events) = session.split();
    // Made before its task first runs: the node may die before that.
    let ends = Ends(Arc::clone(&socket));
    node.spawn(write(ends, (sender.clone(), events), time));
    node.spawn(listen(Arc::clone(&socket), sender));
    socket
}

async fn write(
    ends: Ends,
    (sender, mut events): (SessionSender, SessionEvents),
    time: Arc<WorldTime>,
) {
    let socket = &ends.0;
    loop {
        // A socket that takes nothing is closed all the same when the session ends.
        let mut has_ended = false;
        while socket.is_full() && !socket.is_cut() && !has_ended {
            tokio::select! {
                biased;
                () = socket.reads.notified() => {}
                _ = sender.closed() => has_ended = true,
            }
        }
        let event = tokio::select! {
            biased;
            event = events.next() => event,
            () = socket.reads.notified() => {
                if socket.is_cut() {
                    return;
                }
                continue;
            }
        };
        match event {
            Some(event) if !socket.is_cut() => socket.tell(Told::Event {
                event: Box::new(event),
                handed_at: time.now(),
            }),
            _ => return,
        }
    }
}

async fn listen(socket: Arc<Socket>, sender: SessionSender) {
    loop {
        let speaks = socket.speaks.notified();
        while let Some(said) = socket.next_said() {
            if socket.is_cut() {
                return;
            }
            match said {
                Said::Send { target, n, command } => {
                    let sent = sender.send(target.clone(), n, command).await;
                    if let Err(error) = sent {
                        socket.tell(Told::NotTaken { target, n, error });
                    }
                }
                Said::Acknowledge { target, n } => sender.acknowledge(target, n),
                // Refused when there is no right any more; nothing depends on it.
                Said::Cursor { dialog, upto } => drop(sender.cursor(dialog, upto, upto)),
                Said::Typing(dialog) => drop(sender.typing(dialog)),
                // Refused when it was revoked meanwhile: then the session ends by itself.
                Said::Refresh(identity) => drop(sender.refresh(*identity)),
            }
        }
        if socket.is_cut() {
            return;
        }
        tokio::select! {
            biased;
            () = speaks => {}
            _ = sender.closed() => return,
        }
    }
}
