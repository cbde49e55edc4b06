//! Threads of our own for what librdkafka may take any time for, as goodbyes to brokers that are
//! away: no runtime waits for them when it ends.

use std::thread;

/// Does it on a thread of its own. Without one it is not done, and dropped, here.
pub(crate) fn aside(name: &str, act: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(act) {
        tracing::error!(%error, name, "no thread");
    }
}
