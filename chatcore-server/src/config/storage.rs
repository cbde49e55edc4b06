//! Where everything is kept.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::sources::Sources;

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In this folder, durably.
    Folder(PathBuf),
    /// In memory, until the process ends.
    Ephemeral,
    /// On a Kafka and a KeyDB that several nodes share.
    Shared(Shared),
}

/// What several nodes share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Brokers of the Kafka that has the journal: `host:port`, more after commas.
    pub brokers: String,
    /// librdkafka's properties.
    pub properties: BTreeMap<String, Hidden>,
    /// Copies of topics that are created.
    pub replication: u16,
    /// The KeyDB that has the live view.
    pub keydb: Hidden,
    /// Certificates for it, where its address has TLS.
    pub certificates: Certificates,
    /// Begins the names of topics, groups and keys.
    pub prefix: String,
    /// Has the archive; the same for all nodes.
    pub folder: PathBuf,
}

/// Whom to trust, and who this is, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Certificates {
    /// Authorities; those of the system if there are none.
    pub trusted: Option<String>,
    /// A certificate and its key.
    pub identity: Option<(String, Hidden)>,
}

/// A text that may be, or have, a secret: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// None if something is wrong with it.
pub(super) fn read(sources: &mut Sources) -> Option<Storage> {
    let folder = sources.take("data");
    let folder = PathBuf::from(folder.unwrap_or_else(|| "chatcore-data".to_owned()));
    let is_ephemeral = sources.switch("ephemeral");
    let keys = (sources.take("kafka_brokers"), sources.take("keydb_url"));
    let (brokers, keydb) = match keys {
        (None, None) if is_ephemeral => return Some(Storage::Ephemeral),
        (None, None) => return Some(Storage::Folder(folder)),
        (Some(brokers), Some(keydb)) => (brokers, keydb),
        (Some(_), None) => {
            sources.problem("kafka_brokers", "is set without keydb_url; expected both");
            return None;
        }
        (None, Some(_)) => {
            sources.problem("keydb_url", "is set without kafka_brokers; expected both");
            return None;
        }
    };
    if is_ephemeral {
        sources.problem("ephemeral", "is set beside kafka_brokers; expected one");
    }
    if cfg!(not(all(feature = "kafka", feature = "keydb"))) {
        sources.problem(
            "kafka_brokers",
            "can't be used by this build; expected one with --features kafka,keydb",
        );
    }
    let prefix = sources.take("prefix").unwrap_or_default();
    let is_fine = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if prefix.is_empty() || prefix.len() > 32 || !prefix.chars().all(is_fine) {
        sources.problem(
            "prefix",
            "can't be used; expected 1 to 32 letters, digits and .-_",
        );
    }
    let replication = sources.number("kafka_replication", 1..=100);
    let properties = properties(sources);
    let certificates = certificates(sources);
    Some(Storage::Shared(Shared {
        brokers,
        properties: properties?,
        replication: u16::try_from(replication?).ok()?,
        keydb: Hidden(keydb),
        certificates: certificates?,
        prefix,
        folder,
    }))
}

/// None if something is wrong with them.
fn certificates(sources: &mut Sources) -> Option<Certificates> {
    let mut read = |key| match sources.take(key) {
        None => Some(None),
        Some(path) => sources.file(key, &path).map(Some),
    };
    let trusted = read("keydb_ca");
    let both = (read("keydb_certificate"), read("keydb_key"));
    let identity = match (both.0?, both.1?) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some((certificate, Hidden(key))),
        (Some(_), None) => {
            sources.problem(
                "keydb_certificate",
                "is set without keydb_key; expected both",
            );
            return None;
        }
        (None, Some(_)) => {
            sources.problem(
                "keydb_key",
                "is set without keydb_certificate; expected both",
            );
            return None;
        }
    };
    Some(Certificates {
        trusted: trusted?,
        identity,
    })
}

fn properties(sources: &mut Sources) -> Option<BTreeMap<String, Hidden>> {
    let Some(path) = sources.take("kafka_properties") else {
        return Some(BTreeMap::new());
    };
    let text = sources.file("kafka_properties", &path)?;
    let mut properties = BTreeMap::new();
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((name, value)) => {
                let value = Hidden(value.trim().to_owned());
                properties.insert(name.trim().to_owned(), value);
            }
            // Not the line itself: it may be half of a secret.
            None => {
                let text = format!("line {number} of `{path}` is none; expected name=value");
                sources.problem("kafka_properties", &text);
            }
        }
    }
    Some(properties)
}
