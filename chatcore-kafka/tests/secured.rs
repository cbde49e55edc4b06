//! Brokers that speak TLS, and ask who comes: by a certificate, or by a password.
#![cfg(feature = "tls")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::Duration;

use chatcore::{
    error::{Error, ErrorKind},
    ids::{Offset, Partition},
    journal::Log,
};
use chatcore_kafka::{Kafka, KafkaConfig, Property};

/// Who may log in, see `xtask/src/services/kafka.rs`.
const USER: &str = "chatcore";
const PASSWORD: &str = "tests-only";

/// The configuration for one of the listeners; none where there is none.
fn config(listener: &str, properties: &[(&str, &str)]) -> Option<KafkaConfig> {
    let mut config = common::config()?;
    let named = [listener, "CHATCORE_TEST_CERTIFICATES"].map(std::env::var);
    let [Ok(brokers), Ok(folder)] = named else {
        panic!(
            "{listener} and CHATCORE_TEST_CERTIFICATES must be named (cargo xtask services with)"
        );
    };
    if brokers.is_empty() {
        println!("skipped: the Kafka that was given has no {listener}");
        return None;
    }
    config.bootstrap = brokers;
    // What fails here fails at once.
    config.open_timeout = Duration::from_secs(20);
    for (name, value) in properties {
        let value = value.replace("FOLDER", &folder);
        config
            .properties
            .insert((*name).to_owned(), Property(value));
    }
    Some(config)
}

const WITH_CERTIFICATE: [(&str, &str); 4] = [
    ("security.protocol", "ssl"),
    ("ssl.ca.location", "FOLDER/ca.pem"),
    ("ssl.certificate.location", "FOLDER/client.pem"),
    ("ssl.key.location", "FOLDER/client.key"),
];

fn with_password(
    mechanism: &'static str,
    password: &'static str,
) -> [(&'static str, &'static str); 5] {
    [
        ("security.protocol", "sasl_ssl"),
        ("ssl.ca.location", "FOLDER/ca.pem"),
        ("sasl.mechanisms", mechanism),
        ("sasl.username", USER),
        ("sasl.password", password),
    ]
}

async fn works(config: KafkaConfig) {
    const P0: Partition = Partition(0);
    let kafka = common::open(config).await;
    let journal = kafka.journal();
    let pending = journal
        .try_append(Log::Commands, P0, "sealed".into())
        .unwrap();
    assert_eq!(pending.await.unwrap().offset, Offset(0));
    let read = journal
        .read(Log::Commands, P0, Offset(0), 10)
        .await
        .unwrap();
    assert_eq!(read[0].bytes, "sealed");
    kafka.close(Duration::from_secs(10)).await;
}

async fn refused(mut config: KafkaConfig) -> Error {
    config.open_timeout = Duration::from_secs(5);
    match Kafka::open(config).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn both_show_a_certificate() {
    let Some(config) = config("CHATCORE_TEST_KAFKA_TLS", &WITH_CERTIFICATE) else {
        return;
    };
    works(config).await;
}

#[tokio::test]
async fn without_a_certificate_nobody_is_let_in() {
    let Some(config) = config("CHATCORE_TEST_KAFKA_TLS", &WITH_CERTIFICATE[..2]) else {
        return;
    };
    let error = refused(config).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("ssl://"), "{error}");
}

#[tokio::test]
async fn a_broker_that_nobody_vouches_for_is_not_talked_to() {
    let Some(mut config) = config("CHATCORE_TEST_KAFKA_TLS", &WITH_CERTIFICATE) else {
        return;
    };
    let other = config.properties["ssl.ca.location"]
        .0
        .replace("ca.pem", "other.pem");
    config
        .properties
        .insert("ssl.ca.location".to_owned(), Property(other));
    let error = refused(config).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(
        error.to_string().contains("certificate verify failed"),
        "{error}"
    );
}

#[tokio::test]
async fn a_password_is_said_plainly_inside_tls() {
    let Some(config) = config(
        "CHATCORE_TEST_KAFKA_SASL",
        &with_password("PLAIN", PASSWORD),
    ) else {
        return;
    };
    works(config).await;
}

#[tokio::test]
async fn a_password_is_proven_and_not_said() {
    let properties = with_password("SCRAM-SHA-512", PASSWORD);
    let Some(config) = config("CHATCORE_TEST_KAFKA_SASL", &properties) else {
        return;
    };
    works(config).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_at_once_and_not_shown() {
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let properties = with_password(mechanism, "hunter2");
        let Some(config) = config("CHATCORE_TEST_KAFKA_SASL", &properties) else {
            return;
        };
        let error = refused(config).await;
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error}");
    }
}
