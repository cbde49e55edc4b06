//! A Kafka to test with.
#![allow(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "each test uses some of it, and fails by panicking"
)]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use chatcore::{
    clock::{Clock as _, SystemClock},
    conformance::PARTITIONS,
    ids::Incarnation,
    memory,
    ports::Ports,
};
use chatcore_kafka::{Kafka, KafkaConfig};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

/// How to reach the brokers, with a prefix that nobody had; none when there are none, unless
/// `CHATCORE_TEST_REQUIRE` says that there must be.
pub(crate) fn config() -> Option<KafkaConfig> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Ok(bootstrap) = std::env::var("CHATCORE_KAFKA") else {
        let is_required = std::env::var("CHATCORE_TEST_REQUIRE").is_ok_and(|v| v == "1");
        assert!(!is_required, "CHATCORE_KAFKA must name a Kafka");
        println!("skipped: CHATCORE_KAFKA names no Kafka (cargo xtask services up)");
        return None;
    };
    let now = SystemClock.now().0;
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let prefix = format!("test-{now}-{}-{next}", std::process::id());
    let mut config = KafkaConfig::new(&bootstrap, &prefix);
    config.partitions = PARTITIONS;
    config.records_max = 1_000;
    // As in production, where there are enough brokers for it.
    config.replication = if bootstrap.split(',').count() < 3 {
        1
    } else {
        3
    };
    Some(config)
}

pub(crate) async fn open(config: KafkaConfig) -> Kafka {
    Kafka::open(config).await.expect("an open journal")
}

/// Ports whose journal and tables are on Kafka.
pub(crate) async fn fresh() -> Option<Ports> {
    let kafka = open(config()?).await;
    Some(Ports {
        journal: kafka.journal(),
        snapshots: kafka.snapshots(),
        shared: kafka.shared(),
        dead_letters: kafka.dead_letters(),
        ..memory::ports(PARTITIONS, Arc::new(SystemClock))
    })
}

pub(crate) fn admin(config: &KafkaConfig) -> AdminClient<DefaultClientContext> {
    client(config).create().expect("an admin client")
}

fn client(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.bootstrap);
    client
}

/// Makes a topic as somebody else would.
pub(crate) async fn make_topic(
    config: &KafkaConfig,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) {
    let mut topic = NewTopic::new(
        name,
        partitions,
        TopicReplication::Fixed(i32::from(config.replication)),
    );
    for (name, value) in settings {
        topic = topic.set(name, value);
    }
    let made = admin(config)
        .create_topics([&topic], &AdminOptions::new())
        .await;
    for made in made.expect("an answer") {
        made.expect("a topic");
    }
}

/// Appends to partition 0 as somebody else would.
pub(crate) async fn produce(config: &KafkaConfig, topic: &str, text: &str) {
    send(
        config,
        BaseRecord::<str, str>::to(topic).partition(0).payload(text),
    )
    .await;
}

/// Sets the value of a key in partition 0 as somebody else would.
pub(crate) async fn produce_keyed(config: &KafkaConfig, topic: &str, key: &str, value: &str) {
    let record = BaseRecord::<str, str>::to(topic).partition(0);
    send(config, record.key(key).payload(value)).await;
}

/// Appends to partition 0 as a node of another journal would.
pub(crate) async fn produce_as(config: &KafkaConfig, topic: &str, incarnation: Incarnation) {
    let headers = OwnedHeaders::new().insert(Header {
        key: "journal",
        value: Some(&incarnation.0.to_be_bytes()),
    });
    let record = BaseRecord::<str, str>::to(topic)
        .partition(0)
        .payload("theirs");
    send(config, record.headers(headers)).await;
}

async fn send(config: &KafkaConfig, record: BaseRecord<'_, str, str>) {
    let producer: BaseProducer = client(config).create().expect("a producer");
    assert!(producer.send(record).is_ok());
    let flushed =
        tokio::task::spawn_blocking(move || producer.flush(std::time::Duration::from_secs(20)));
    flushed
        .await
        .expect("a thread")
        .expect("an appended record");
}
