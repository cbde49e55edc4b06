//! What has to be said to open a journal on Kafka.

use std::{collections::BTreeMap, time::Duration};

use chatcore::journal::Log;
use rdkafka::ClientConfig;

/// How to reach a journal on Kafka, and how it is made when it is not there yet.
///
/// ```
/// let config = chatcore_kafka::KafkaConfig::new("kafka-1:9092,kafka-2:9092", "bank.chat");
/// assert_eq!(config.partitions, 16);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KafkaConfig {
    /// Where brokers are found first: `host:port`, more after commas.
    pub bootstrap: String,
    /// Topics are called `PREFIX.commands`, `PREFIX.events` and so on, groups `PREFIX.GROUP`.
    pub prefix: String,
    /// How many partitions commands, events and snapshots have. Fixed once the topics are there.
    pub partitions: u32,
    /// How many copies a topic gets when it is created here.
    pub replication: u16,
    /// Whether topics that are not there are created. Otherwise their absence is an error that says
    /// what they must be like.
    pub create_topics: bool,
    /// Most records that are not durable yet, of `events` and of all else; past it appends are
    /// refused as overloaded.
    pub records_max: usize,
    /// Most bytes of them, likewise.
    pub bytes_max: usize,
    /// How long a record waits for others to go with. Zero is best for one broker; a few
    /// milliseconds save processor time where acknowledgements are replicated.
    pub linger: Duration,
    /// How long a record of `events` waits for others to go with. Nobody waits for it but the
    /// effects, which wait longer: people are told before.
    pub events_linger: Duration,
    /// How long brokers let readers of `events` wait for more to come. Those are the effects: bot,
    /// pushes, archive and others, each a reader of its own. Without it every single message has
    /// each of them ask again at once, which costs more than the message itself.
    pub events_wait: Duration,
    /// After so long without a sign of life a member of a group has left it. The brokers have
    /// bounds of their own for it, from 6 seconds on by default.
    pub session_timeout: Duration,
    /// How often the positions of groups are written.
    pub commit_interval: Duration,
    /// How long opening waits for brokers that do not answer.
    pub open_timeout: Duration,
    /// Properties of librdkafka for all clients; they win over what is set here. Among them TLS and
    /// SASL, as far as librdkafka was built with them. Values are never logged.
    pub properties: BTreeMap<String, Property>,
}

/// A value of a raw property; not shown in debug output, as it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Property(pub String);

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl KafkaConfig {
    /// The defaults, for these brokers and this prefix.
    #[must_use]
    pub fn new(bootstrap: &str, prefix: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            prefix: prefix.to_owned(),
            partitions: 16,
            replication: 1,
            create_topics: true,
            records_max: 100_000,
            bytes_max: 64 * 1024 * 1024,
            linger: Duration::ZERO,
            events_linger: Duration::from_millis(5),
            events_wait: Duration::from_millis(50),
            session_timeout: Duration::from_secs(6),
            commit_interval: Duration::from_millis(200),
            open_timeout: Duration::from_secs(60),
            properties: BTreeMap::new(),
        }
    }

    /// Properties that weaken a promise, in words.
    pub(crate) fn weaknesses(&self) -> Vec<String> {
        let is = |name: &str, value: &str| {
            let set = self.properties.get(name);
            set.is_some_and(|set| set.0.trim().eq_ignore_ascii_case(value))
        };
        let weak = [
            (
                is("security.protocol", "sasl_plaintext"),
                "security.protocol is sasl_plaintext: whoever is on the network reads all of it, expected sasl_ssl",
            ),
            (
                is("enable.ssl.certificate.verification", "false"),
                "enable.ssl.certificate.verification is false: anybody may be the broker, expected true",
            ),
            (
                is("ssl.endpoint.identification.algorithm", "none"),
                "ssl.endpoint.identification.algorithm is none: who has any certificate may be the broker, expected https",
            ),
        ];
        let weak = weak.into_iter().filter(|(is_so, _)| *is_so);
        weak.map(|(_, text)| text.to_owned()).collect()
    }

    /// What all clients have in common.
    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", "chatcore")
            .set("socket.nagle.disable", "true")
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("allow.auto.create.topics", "false");
        config
    }

    fn with_properties(&self, mut config: ClientConfig) -> ClientConfig {
        for (name, Property(value)) in &self.properties {
            config.set(name, value);
        }
        config
    }

    /// For asking, and for making topics.
    pub(crate) fn plain(&self) -> ClientConfig {
        self.with_properties(self.base())
    }

    /// Nothing is ever given up by time: what was taken stays in line, so that there is never a
    /// hole before what comes after it. One request at a time: with more, librdkafka takes several
    /// times the processor time while it waits for replicated acknowledgements.
    pub(crate) fn producer(&self, linger: Duration) -> ClientConfig {
        let mut config = self.base();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("enable.gapless.guarantee", "true")
            .set("max.in.flight.requests.per.connection", "1")
            .set("message.timeout.ms", "0")
            .set("retry.backoff.ms", "50")
            .set("queue.buffering.max.ms", linger.as_millis().to_string())
            // Ours are reached first: what is refused is refused in one place.
            .set(
                "queue.buffering.max.messages",
                (2 * self.records_max).to_string(),
            )
            .set(
                "queue.buffering.max.kbytes",
                (2 * self.bytes_max / 1024 + 1024).to_string(),
            );
        self.with_properties(config)
    }

    /// For reading up to the end without a group.
    pub(crate) fn reader(&self) -> ClientConfig {
        let mut config = self.without_group();
        // That the end is reached is told once so long nothing came.
        config.set("fetch.wait.max.ms", "10");
        self.with_properties(config)
    }

    /// For following a table without a group.
    pub(crate) fn follower(&self) -> ClientConfig {
        self.with_properties(self.without_group())
    }

    /// `group.id` must be there all the same; nothing joins it.
    fn without_group(&self) -> ClientConfig {
        let mut config = self.base();
        config
            .set("group.id", format!("{}.readers", self.prefix))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("check.crcs", "true")
            .set("fetch.error.backoff.ms", "50")
            .set("queued.min.messages", "1000")
            .set("queued.max.messages.kbytes", "4096");
        config
    }

    pub(crate) fn member(&self, log: Log, group: &str) -> ClientConfig {
        let mut config = self.base();
        if log == Log::Events {
            // So much that the time decides.
            config.set("fetch.min.bytes", "1000000").set(
                "fetch.wait.max.ms",
                self.events_wait.as_millis().to_string(),
            );
        }
        let session = self.session_timeout.as_millis();
        config
            .set("group.id", format!("{}.{group}", self.prefix))
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session.to_string())
            .set("heartbeat.interval.ms", (session / 6).max(1).to_string())
            // What `commit` notes is written now and then, before partitions go, and at the end.
            .set("enable.auto.commit", "true")
            .set(
                "auto.commit.interval.ms",
                self.commit_interval.as_millis().to_string(),
            )
            .set("enable.auto.offset.store", "false")
            // Never reset in silence.
            .set("auto.offset.reset", "error")
            .set("check.crcs", "true")
            .set("fetch.error.backoff.ms", "50")
            .set("queued.min.messages", "10000")
            .set("queued.max.messages.kbytes", "16384");
        self.with_properties(config)
    }

    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_that_open_what_is_closed_are_told() {
        let mut config = KafkaConfig::new("k:9092", "chat");
        let mut set = |name: &str, value: &str| {
            let value = Property(value.to_owned());
            config.properties.insert(name.to_owned(), value);
            config.weaknesses().len()
        };
        assert_eq!(set("security.protocol", "sasl_ssl"), 0);
        assert_eq!(set("security.protocol", "SASL_PLAINTEXT"), 1);
        assert_eq!(set("enable.ssl.certificate.verification", "false"), 2);
        assert_eq!(set("ssl.endpoint.identification.algorithm", "none"), 3);
    }
}
