//! Within which bounds the store is used.

use std::time::Duration;

use chatcore::error::{Error, ErrorKind, Result};

use crate::{address::Address, tls::Tls};

/// Longest key prefix, in bytes: it stands in each key.
const PREFIX_BYTES_MAX: usize = 32;

/// Where the store is, and within which bounds it is used.
///
/// ```
/// use chatcore_keydb::Config;
///
/// let config = Config::new("redis://127.0.0.1:6379".parse()?, 12).with_prefix("chat");
/// config.check()?;
/// # Ok::<(), chatcore::error::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the store is.
    pub address: Address,
    /// Whom to trust and who this is, where the address has TLS. Default: whom the system trusts,
    /// and nobody in particular.
    pub tls: Option<Tls>,
    /// The number of partitions of the journal.
    pub partitions: u32,
    /// Begins each key and channel, so that several deployments can share a store. Default
    /// `chatcore`.
    pub prefix: String,
    /// Multiplexed connections to the primary. Default 4.
    pub connections: usize,
    /// Calls under way at once; more wait. Default 512.
    pub calls_max: usize,
    /// Longest wait to be one of these; past it a call is `Overloaded`. Default 1 s.
    pub entry_wait_max: Duration,
    /// Longest wait for a primary while there is none; past it a call is `Unavailable`, and nothing
    /// was done. Default 1 s.
    pub primary_wait_max: Duration,
    /// Longest time for one connection to be there, logged in. Default 1 s.
    pub connect_max: Duration,
    /// Longest time until a call is answered; past it the connections are given up, and what
    /// became of the calls is unknown. Default 1 s.
    pub answer_max: Duration,
    /// How often the primary is asked whether it still is the primary, and the Sentinels whether
    /// it still is this one. Default 1 s.
    pub watch_every: Duration,
    /// Longest wait for the store at the start. Default 30 s.
    pub start_max: Duration,
}

impl Config {
    /// This store, for a journal with this many partitions; all else by default.
    #[must_use]
    pub fn new(address: Address, partitions: u32) -> Self {
        Self {
            address,
            tls: None,
            partitions,
            prefix: "chatcore".to_owned(),
            connections: 4,
            calls_max: 512,
            entry_wait_max: Duration::from_secs(1),
            primary_wait_max: Duration::from_secs(1),
            connect_max: Duration::from_secs(1),
            answer_max: Duration::from_secs(1),
            watch_every: Duration::from_secs(1),
            start_max: Duration::from_secs(30),
        }
    }

    /// Another key prefix.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// With these certificates, where the address has TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// `Invalid`, with the name of the field.
    pub fn check(&self) -> Result<()> {
        let is_prefix = (1..=PREFIX_BYTES_MAX).contains(&self.prefix.len())
            && self
                .prefix
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let some_time = "expected more than zero";
        let fields = [
            (
                "tls",
                self.tls.is_none() || self.address.is_tls,
                "expected an address with rediss:// or rediss+sentinel://",
            ),
            ("partitions", self.partitions > 0, "expected one at least"),
            (
                "prefix",
                is_prefix,
                "expected 1 to 32 letters, digits and `._-`",
            ),
            (
                "connections",
                (1..=64).contains(&self.connections),
                "expected 1 to 64",
            ),
            (
                "calls_max",
                (1..=65_536).contains(&self.calls_max),
                "expected 1 to 65536",
            ),
            ("entry_wait_max", !self.entry_wait_max.is_zero(), some_time),
            (
                "primary_wait_max",
                !self.primary_wait_max.is_zero(),
                some_time,
            ),
            ("connect_max", !self.connect_max.is_zero(), some_time),
            ("answer_max", !self.answer_max.is_zero(), some_time),
            ("watch_every", !self.watch_every.is_zero(), some_time),
            ("start_max", !self.start_max.is_zero(), some_time),
        ];
        match fields.into_iter().find(|(_, is_good, _)| !is_good) {
            None => Ok(()),
            Some((field, _, expected)) => {
                Err(Error::new(ErrorKind::Invalid, "configure the store")
                    .with_context("field", field)
                    .with_context("why", expected))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_not_printed() {
        let address: Address = "redis://u:secret@a".parse().unwrap();
        let config = Config::new(address, 4);
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn bounds_are_checked() {
        let good = Config::new("redis://a".parse().unwrap(), 4);
        good.check().unwrap();
        let bad = good.clone().with_prefix("a{b}");
        assert!(bad.check().unwrap_err().to_string().contains("prefix"));
        let bad = Config {
            connections: 0,
            ..good
        };
        assert!(bad.check().unwrap_err().to_string().contains("connections"));
    }
}
