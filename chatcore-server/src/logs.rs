//! Logs: one line an event, as JSON or as text, to standard error.

use chatcore::error::{Error, ErrorKind, Result};
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::config::Logs;

/// Makes it this process's subscriber.
///
/// # Errors
/// `Invalid` for a level that can't be read, `Conflict` when the process has a subscriber already.
pub fn install(logs: &Logs) -> Result<()> {
    let levels: Targets = logs
        .level
        .parse()
        .map_err(|e| Error::new(ErrorKind::Invalid, "read the level of logs").with_source(e))?;
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry();
    let installed = if logs.json {
        registry
            .with(layer.json().flatten_event(true).with_filter(levels))
            .try_init()
    } else {
        registry.with(layer.with_filter(levels)).try_init()
    };
    installed.map_err(|e| {
        Error::new(ErrorKind::Conflict, "install the subscriber of logs").with_source(e)
    })
}
