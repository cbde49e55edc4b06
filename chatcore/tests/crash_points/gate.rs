//! A gate in front of every effect of one engine: it counts them, and at one of them the fault
//! happens.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use chatcore::error::{Error, ErrorKind};
use tokio::sync::watch;

/// What happens at the chosen effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is done any more, until somebody opens the gate again: a process that died, or one
    /// that was paused.
    Stop,
    /// The effect does not happen and is told as failed.
    FailBefore,
    /// The effect happens and is told as failed.
    FailAfter,
}

/// What an effect does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Happens.
    Go,
    /// See [`Fault::FailBefore`].
    FailBefore,
    /// See [`Fault::FailAfter`].
    FailAfter,
}

pub(crate) struct Gate {
    at: usize,
    fault: Fault,
    passed: AtomicUsize,
    is_hit: AtomicBool,
    open: watch::Sender<bool>,
    names: Mutex<Vec<&'static str>>,
    /// Runs when the fault happens, before anything else does.
    on_hit: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gate(at {}, {:?})", self.at, self.fault)
    }
}

impl Gate {
    /// With the fault at the effect of this number.
    pub(crate) fn new(at: usize, fault: Fault, on_hit: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            at,
            fault,
            passed: AtomicUsize::new(0),
            is_hit: AtomicBool::new(false),
            open: watch::channel(true).0,
            names: Mutex::default(),
            on_hit: Box::new(on_hit),
        }
    }

    /// Without a fault.
    pub(crate) fn none() -> Self {
        Self::new(usize::MAX, Fault::Stop, || {})
    }

    /// The effects that came to the gate, by name.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.names.lock().unwrap().clone()
    }

    /// Whether the fault has happened.
    pub(crate) fn is_hit(&self) -> bool {
        self.is_hit.load(Ordering::SeqCst)
    }

    /// Lets go on what was stopped.
    pub(crate) fn release(&self) {
        self.open.send_replace(true);
    }

    /// Waits while the gate is shut.
    pub(crate) async fn opened(&self) {
        let mut open = self.open.subscribe();
        let _ = open.wait_for(|open| *open).await;
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Comes to the gate with an effect; what is stopped waits here.
    pub(crate) async fn pass(&self, name: &'static str) -> Pass {
        self.opened().await;
        match self.arrive(name) {
            None => {
                self.opened().await;
                Pass::Go
            }
            Some(pass) => pass,
        }
    }

    /// Comes to the gate with an effect that can't wait; none when it is stopped.
    pub(crate) fn pass_now(&self, name: &'static str) -> Option<Pass> {
        if !self.is_open() {
            return None;
        }
        self.arrive(name)
    }

    fn arrive(&self, name: &'static str) -> Option<Pass> {
        self.names.lock().unwrap().push(name);
        if self.passed.fetch_add(1, Ordering::SeqCst) != self.at {
            return Some(Pass::Go);
        }
        (self.on_hit)();
        self.is_hit.store(true, Ordering::SeqCst);
        match self.fault {
            Fault::Stop => {
                self.open.send_replace(false);
                None
            }
            Fault::FailBefore => Some(Pass::FailBefore),
            Fault::FailAfter => Some(Pass::FailAfter),
        }
    }
}

/// What a failed effect answers.
pub(crate) fn unavailable(operation: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, operation).with_context("cause", "the test's fault")
}
