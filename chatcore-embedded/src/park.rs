//! Waiting on a thread that has no runtime.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::time::Instant;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks this thread until the future is ready; `None` when the time is up before.
pub(crate) fn wait<F: Future>(future: F, until: Option<Instant>) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        match until {
            None => thread::park(),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                thread::park_timeout(left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn a_wait_ends_with_what_comes_or_when_the_time_is_up() {
        let (send, mut receive) = mpsc::channel::<u8>(1);
        let soon = Instant::now() + Duration::from_millis(20);
        assert_eq!(wait(receive.recv(), Some(soon)), None);
        assert!(Instant::now() >= soon);
        let other = thread::spawn(move || wait(receive.recv(), None));
        send.blocking_send(7).unwrap();
        assert_eq!(other.join().unwrap(), Some(Some(7)));
    }
}
