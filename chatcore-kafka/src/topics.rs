//! The topics of a journal: what they are like, made when they are missing, checked when not.

use std::{collections::BTreeMap, time::Duration};

use chatcore::error::{Error, ErrorKind, Result};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    config::FromClientConfig as _,
    error::{KafkaError, RDKafkaErrorCode as Code},
};

use tokio::time::Instant;

use crate::{
    config::KafkaConfig,
    error::{from_kafka, not_ours},
    patience::Patience,
    survey::Survey,
};

pub(crate) const COMMANDS: &str = "commands";
pub(crate) const EVENTS: &str = "events";
pub(crate) const SNAPSHOTS: &str = "snapshots";
pub(crate) const SHARED: &str = "shared";
pub(crate) const DEAD_LETTERS: &str = "dead-letters";
pub(crate) const ABOUT: &str = "about";

pub(crate) const OPEN: &str = "open the journal";
const TRY_EVERY: Duration = Duration::from_millis(500);
const ASK_MAX: Duration = Duration::from_secs(10);
/// How long all brokers may take to hear of a topic.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// What a topic must be like.
pub(crate) struct Wanted {
    pub(crate) name: &'static str,
    is_partitioned: bool,
    /// What nothing works without.
    must: &'static [(&'static str, &'static str)],
    /// What a promise rests on: another value is told, and not refused.
    should: &'static [(&'static str, &'static str)],
}

impl Wanted {
    pub(crate) fn partitions(&self, config: &KafkaConfig) -> usize {
        match self.is_partitioned {
            true => usize::try_from(config.partitions).unwrap_or(usize::MAX),
            false => 1,
        }
    }
}

/// Appended once, read by everybody, and forgotten when the core says so.
const LOG: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("message.timestamp.type", "LogAppendTime"),
];
const KEPT: &[(&str, &str)] = &[
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("unclean.leader.election.enable", "false"),
];
const TABLE: &[(&str, &str)] = &[("cleanup.policy", "compact")];
const SAFE: &[(&str, &str)] = &[("unclean.leader.election.enable", "false")];

pub(crate) const ALL: [Wanted; 6] = [
    // First: whoever finds the others finds out whose they are.
    Wanted {
        name: ABOUT,
        is_partitioned: false,
        must: TABLE,
        should: SAFE,
    },
    Wanted {
        name: COMMANDS,
        is_partitioned: true,
        must: LOG,
        should: KEPT,
    },
    Wanted {
        name: EVENTS,
        is_partitioned: true,
        must: LOG,
        should: KEPT,
    },
    Wanted {
        name: SNAPSHOTS,
        is_partitioned: true,
        must: TABLE,
        should: SAFE,
    },
    Wanted {
        name: SHARED,
        is_partitioned: false,
        must: TABLE,
        should: SAFE,
    },
    Wanted {
        name: DEAD_LETTERS,
        is_partitioned: false,
        must: TABLE,
        should: SAFE,
    },
];

/// Waits for the brokers, makes what is missing, and checks what is there. Answers the settings that
/// weaken a promise, in words. `is_begun` says whether [`ABOUT`] names a journal: all its topics were
/// there before it was named, so that none is made once it is.
///
/// # Errors
/// `Unavailable` when no broker answers in time; `Invalid` with each difference that nothing works
/// with, and for a journal that lost a topic; `NotFound` for a topic that is missing and may not be
/// made.
pub(crate) async fn prepare(
    config: &KafkaConfig,
    patience: &Patience,
    is_begun: impl AsyncFn() -> Result<bool>,
) -> Result<Vec<String>> {
    let admin =
        AdminClient::from_config(&config.plain()).map_err(|error| from_kafka(error, OPEN))?;
    let survey = Survey::new(config)?;
    let missing = patience.insist(OPEN, async || survey.missing().await);
    let missing = missing.await?;
    if !missing.is_empty() {
        // Asked after what is missing was: a journal that was named then had lost it before.
        let is_lost = !missing.contains(&ABOUT) && patience.insist(OPEN, is_begun).await?;
        match is_lost {
            true => all_are_there(config, &survey, patience).await?,
            false => {
                make(config, &admin, patience, &missing).await?;
                shown(config, &survey, patience).await?;
            }
        }
    }
    let settings = settings(config, &admin, patience).await?;
    let mut weak = config.weaknesses();
    weak.extend(compare(config, &settings)?);
    Ok(weak)
}

type Admin = AdminClient<DefaultClientContext>;

/// Gives each broker time to hear of all topics.
async fn all_are_there(config: &KafkaConfig, survey: &Survey, patience: &Patience) -> Result<()> {
    let until = Instant::now() + KNOWN_WITHIN;
    loop {
        let missing = patience.insist(OPEN, async || survey.missing().await);
        match missing.await?.first() {
            None => return Ok(()),
            Some(lost) if Instant::now() > until => {
                return Err(not_ours(config.topic(lost), "it is missing"));
            }
            Some(_) => tokio::time::sleep(TRY_EVERY).await,
        }
    }
}

async fn make(
    config: &KafkaConfig,
    admin: &Admin,
    patience: &Patience,
    missing: &[&'static str],
) -> Result<()> {
    if !config.create_topics {
        let mut error = Error::new(ErrorKind::NotFound, OPEN);
        for wanted in ALL.iter().filter(|wanted| missing.contains(&wanted.name)) {
            let settings = wanted.must.iter().chain(wanted.should);
            let settings: Vec<_> = settings
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            error = error.with_context(
                "missing",
                format!(
                    "{} with {} partitions and {}",
                    config.topic(wanted.name),
                    wanted.partitions(config),
                    settings.join(" ")
                ),
            );
        }
        return Err(error);
    }
    for wanted in ALL.iter().filter(|wanted| missing.contains(&wanted.name)) {
        let made = patience.insist(OPEN, async || make_one(config, admin, wanted).await);
        made.await?;
    }
    Ok(())
}

/// Waits until the brokers know what was made.
async fn shown(config: &KafkaConfig, survey: &Survey, patience: &Patience) -> Result<()> {
    let shown = patience.insist(OPEN, async || match survey.missing().await?.first() {
        None => Ok(()),
        Some(missing) => Err(Error::new(ErrorKind::Unavailable, OPEN)
            .with_context("topic", config.topic(missing))
            .with_context("cause", "it was made, and does not show up")),
    });
    shown.await
}

/// Makes it, unless somebody was quicker.
async fn make_one(config: &KafkaConfig, admin: &Admin, wanted: &Wanted) -> Result<()> {
    let in_sync = if config.replication > 2 { "2" } else { "1" };
    let name = config.topic(wanted.name);
    let count = i32::try_from(wanted.partitions(config)).unwrap_or(i32::MAX);
    let replication = TopicReplication::Fixed(i32::from(config.replication));
    let mut topic = NewTopic::new(&name, count, replication).set("min.insync.replicas", in_sync);
    for (name, value) in wanted.must.iter().chain(wanted.should) {
        topic = topic.set(name, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(ASK_MAX));
    let made = admin.create_topics([&topic], &options).await;
    for made in made.map_err(|error| from_kafka(error, OPEN))? {
        match made {
            Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                let error = KafkaError::AdminOp(code);
                return Err(from_kafka(error, OPEN).with_context("topic", name));
            }
        }
    }
    Ok(())
}

/// A topic's settings by name, or why they are not known.
type Settings = std::result::Result<BTreeMap<String, Option<String>>, String>;

/// Asks for the settings. Where there are several brokers, one that has not heard yet of a topic that
/// was made just now tells nothing of it: it is asked again, for a while.
async fn settings(
    config: &KafkaConfig,
    admin: &Admin,
    patience: &Patience,
) -> Result<Vec<Settings>> {
    let until = Instant::now() + KNOWN_WITHIN;
    loop {
        let all = patience.insist(OPEN, async || describe(config, admin).await);
        let all = all.await?;
        if all.iter().all(Settings::is_ok) || Instant::now() > until {
            return Ok(all);
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

/// The settings of each topic, in the order of [`ALL`].
async fn describe(config: &KafkaConfig, admin: &Admin) -> Result<Vec<Settings>> {
    let names: Vec<_> = ALL.iter().map(|wanted| config.topic(wanted.name)).collect();
    let asked: Vec<_> = names
        .iter()
        .map(|name| ResourceSpecifier::Topic(name))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(ASK_MAX));
    let described = admin.describe_configs(&asked, &options).await;
    let described = described.map_err(|error| from_kafka(error, OPEN))?;
    let settings = described.into_iter().map(|described| {
        let settings = described.map_err(|code| code.to_string())?;
        let settings: BTreeMap<_, _> = settings
            .entry_map()
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.value.clone()))
            .collect();
        // A refusal for one topic comes as this, too: the client does not hand on its code.
        match settings.is_empty() {
            true => Err("the broker tells none".to_owned()),
            false => Ok(settings),
        }
    });
    Ok(settings.collect())
}

/// Compares the settings: what nothing works with is an error that names all of it, what weakens a
/// promise is answered.
fn compare(config: &KafkaConfig, all: &[Settings]) -> Result<Vec<String>> {
    let (mut wrong, mut weak) = (Vec::new(), Vec::new());
    for (wanted, settings) in ALL.iter().zip(all) {
        let name = config.topic(wanted.name);
        let settings = match settings {
            Ok(settings) => settings,
            // Who may not ask is told, and goes on: the settings are the platform's.
            Err(why) => {
                weak.push(format!("{name}: its settings can't be read: {why}"));
                continue;
            }
        };
        let differs = |setting: &str, value: &str| {
            let is = settings.get(setting).cloned().flatten();
            (is.as_deref() != Some(value)).then(|| {
                format!(
                    "{name}: {setting} is {}, expected {value}",
                    is.unwrap_or_default()
                )
            })
        };
        wrong.extend(wanted.must.iter().filter_map(|(s, v)| differs(s, v)));
        weak.extend(wanted.should.iter().filter_map(|(s, v)| differs(s, v)));
        if config.replication > 2 {
            weak.extend(differs("min.insync.replicas", "2"));
        }
    }
    if wrong.is_empty() {
        return Ok(weak);
    }
    Err(Error::new(ErrorKind::Invalid, OPEN).with_context("topics", wrong.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_not_told_are_no_other_settings() {
        let config = KafkaConfig::new("k:9092", "chat");
        let silent: Settings = Err("the broker tells none".to_owned());
        let told = compare(&config, &vec![silent; ALL.len()]).unwrap();
        assert_eq!(told.len(), ALL.len());
        assert!(told[0].starts_with("chat.about: its settings can't be read"));
        let other = BTreeMap::from([("cleanup.policy".to_owned(), Some("delete".to_owned()))]);
        let refused = compare(&config, &vec![Ok(other); ALL.len()]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        let text = refused.to_string();
        assert!(
            text.contains("cleanup.policy is delete, expected compact"),
            "{text}"
        );
    }
}
