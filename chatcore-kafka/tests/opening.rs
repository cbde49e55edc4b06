//! Opening a journal: made once, found again, and refused when it is not the one that it was.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::Duration;

use chatcore::{
    error::{Error, ErrorKind},
    ids::{Offset, Partition},
    journal::{Delivery, Journal, Log},
};
use chatcore_kafka::{Kafka, KafkaConfig};
use common::{admin, make_topic, open};
use tokio::time::Instant;

const P0: Partition = Partition(0);

async fn refused(config: &KafkaConfig) -> Error {
    match Kafka::open(config.clone()).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

async fn append(journal: &dyn Journal, text: &'static str) -> Offset {
    let pending = journal.try_append(Log::Commands, P0, text.into()).unwrap();
    pending.await.unwrap().offset
}

#[tokio::test]
async fn nodes_that_begin_at_once_have_one_journal_and_find_it_again() {
    let Some(config) = common::config() else {
        return;
    };
    let nodes = (0..6).map(|_| open(config.clone()));
    let nodes = futures_util::future::join_all(nodes).await;
    let incarnation = nodes[0].journal().incarnation();
    for node in &nodes {
        assert_eq!(node.journal().incarnation(), incarnation);
    }
    append(&*nodes[0].journal(), "kept").await;
    drop(nodes);
    let again = open(config).await;
    assert_eq!(again.journal().incarnation(), incarnation);
    let bounds = again.journal().bounds(Log::Commands, P0).await.unwrap();
    assert_eq!(bounds, (Offset(0), Offset(1)));
}

#[tokio::test]
async fn a_topic_that_was_made_anew_is_refused() {
    let Some(config) = common::config() else {
        return;
    };
    let kafka = open(config.clone()).await;
    append(&*kafka.journal(), "lost").await;
    // Whoever appends or asks notes how far it is.
    kafka.journal().bounds(Log::Commands, P0).await.unwrap();
    drop(kafka);
    let topic = format!("{}.commands", config.prefix);
    // Dropped before it is answered, a client never answers.
    let admin = admin(&config);
    let gone = admin.delete_topics(&[&topic], &Default::default());
    gone.await.unwrap().remove(0).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;

    let missing = refused(&config).await;
    assert_eq!(missing.kind(), ErrorKind::Invalid, "{missing}");
    assert!(missing.to_string().contains("it is missing"), "{missing}");
    // Nor is it taken when somebody makes it anew.
    let partitions = i32::try_from(config.partitions).unwrap();
    let settings = [("message.timestamp.type", "LogAppendTime")];
    make_topic(&config, &topic, partitions, &settings).await;
    let emptied = refused(&config).await;
    assert_eq!(emptied.kind(), ErrorKind::Invalid, "{emptied}");
    assert!(emptied.to_string().contains(&topic), "{emptied}");
}

#[tokio::test]
async fn the_first_name_of_a_journal_counts_though_its_node_died_before_it_said_so_again() {
    let Some(config) = common::config() else {
        return;
    };
    let incarnation = open(config.clone()).await.journal().incarnation();
    let about = format!("{}.about", config.prefix);
    let other = r#"{"incarnation":7,"partitions":4}"#;
    common::produce_keyed(&config, &about, "journal", other).await;
    for _ in 0..2 {
        let again = open(config.clone()).await;
        assert_eq!(again.journal().incarnation(), incarnation);
    }
}

#[tokio::test]
async fn what_a_node_left_half_made_is_finished() {
    let Some(config) = common::config() else {
        return;
    };
    make_topic(
        &config,
        &format!("{}.about", config.prefix),
        1,
        &[("cleanup.policy", "compact")],
    )
    .await;
    let kafka = open(config).await;
    assert_eq!(append(&*kafka.journal(), "first").await, Offset(0));
}

#[tokio::test]
async fn a_trimmed_topic_is_the_same_one() {
    let Some(config) = common::config() else {
        return;
    };
    let kafka = open(config.clone()).await;
    let journal = kafka.journal();
    for _ in 0..3 {
        append(&*journal, "x").await;
    }
    journal.trim(Log::Commands, P0, Offset(3)).await.unwrap();
    drop((kafka, journal));
    let again = open(config).await;
    let bounds = again.journal().bounds(Log::Commands, P0).await.unwrap();
    assert_eq!(bounds, (Offset(3), Offset(3)));
    assert_eq!(append(&*again.journal(), "y").await, Offset(3));
}

#[tokio::test]
async fn another_number_of_partitions_is_refused() {
    let Some(mut config) = common::config() else {
        return;
    };
    drop(open(config.clone()).await);
    config.partitions += 1;
    let error = refused(&config).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("partitions"), "{error}");
}

#[tokio::test]
async fn a_topic_with_other_settings_is_refused_and_each_difference_is_told() {
    let Some(config) = common::config() else {
        return;
    };
    let name = format!("{}.commands", config.prefix);
    let partitions = i32::try_from(config.partitions).unwrap();
    make_topic(&config, &name, partitions, &[("cleanup.policy", "compact")]).await;
    let text = refused(&config).await.to_string();
    for difference in [
        "cleanup.policy is compact, expected delete",
        "message.timestamp.type is CreateTime, expected LogAppendTime",
    ] {
        assert!(text.contains(difference), "{text}");
    }
}

#[tokio::test]
async fn what_weakens_a_promise_is_told_and_not_refused() {
    let Some(config) = common::config() else {
        return;
    };
    let name = format!("{}.events", config.prefix);
    let partitions = i32::try_from(config.partitions).unwrap();
    let settings = [
        ("message.timestamp.type", "LogAppendTime"),
        ("retention.ms", "1000000"),
    ];
    make_topic(&config, &name, partitions, &settings).await;
    let kafka = open(config).await;
    let told = kafka.weaknesses().join("\n");
    assert!(
        told.contains("retention.ms is 1000000, expected -1"),
        "{told}"
    );
}

#[tokio::test]
async fn without_leave_to_make_topics_it_says_what_they_must_be_like() {
    let Some(mut config) = common::config() else {
        return;
    };
    config.create_topics = false;
    let error = refused(&config).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = error.to_string();
    for part in [
        "commands with 4 partitions",
        "message.timestamp.type=LogAppendTime",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn records_without_a_journal_are_nobodys() {
    let Some(config) = common::config() else {
        return;
    };
    let name = format!("{}.commands", config.prefix);
    let partitions = i32::try_from(config.partitions).unwrap();
    let settings = [("message.timestamp.type", "LogAppendTime")];
    make_topic(&config, &name, partitions, &settings).await;
    common::produce(&config, &name, "somebody's").await;
    let error = refused(&config).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.to_string().contains("nothing says of which journal"),
        "{error}"
    );
}

#[tokio::test]
async fn brokers_that_do_not_answer_are_waited_for_no_longer_than_said() {
    let mut config = KafkaConfig::new("127.0.0.1:1", "nobody");
    config.open_timeout = Duration::from_secs(1);
    let begun = Instant::now();
    let error = refused(&config).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_property_that_nobody_knows_is_refused_without_its_value() {
    let mut config = KafkaConfig::new("127.0.0.1:1", "nobody");
    let secret = chatcore_kafka::Property("hunter2".to_owned());
    config
        .properties
        .insert("no.such.property".to_owned(), secret);
    assert!(!format!("{config:?}").contains("hunter2"));
    let error = refused(&config).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.contains("no.such.property"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_member_refuses_the_record_of_another_journal() {
    let Some(config) = common::config() else {
        return;
    };
    let kafka = open(config.clone()).await;
    append(&*kafka.journal(), "ours").await;
    let mut other = config.clone();
    other.prefix.push_str("-other");
    let theirs = open(other).await;
    let topic = format!("{}.commands", config.prefix);
    common::produce_as(&config, &topic, theirs.journal().incarnation()).await;
    let mut member = kafka.journal().subscribe(Log::Commands, "g").await.unwrap();
    let error = loop {
        match member.next().await {
            Ok(Delivery::Records { records, .. }) => assert_eq!(records.len(), 1),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}
