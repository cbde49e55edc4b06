//! Appending and committing beside what conformance asks.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use chatcore::{
    error::ErrorKind,
    ids::{Offset, Partition},
    journal::{Consumer, Delivery, Log},
};
use common::open;

const P0: Partition = Partition(0);

#[tokio::test]
async fn what_was_taken_is_durable_when_it_is_closed() {
    let Some(config) = common::config() else {
        return;
    };
    let kafka = open(config).await;
    let journal = kafka.journal();
    let append = |n: u32| journal.try_append(Log::Commands, P0, Bytes::from(n.to_string()));
    let taken: Vec<_> = (0..900).map(|n| append(n).unwrap()).collect();
    kafka.close(Duration::from_secs(20)).await;
    for (pending, offset) in taken.into_iter().zip(0..) {
        assert_eq!(pending.await.unwrap().offset, Offset(offset));
    }
    let late = append(900).unwrap_err();
    assert_eq!(late.error.kind(), ErrorKind::Closed);
    let ready = journal.ready(Log::Commands, P0).await;
    assert_eq!(ready.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_and_harms_nobody() {
    let Some(config) = common::config() else {
        return;
    };
    let kafka = open(config).await;
    let journal = kafka.journal();
    let huge = Bytes::from(vec![0; 8 * 1024 * 1024]);
    let before = journal
        .try_append(Log::Commands, P0, "before".into())
        .unwrap();
    let refused = journal
        .try_append(Log::Commands, P0, huge.clone())
        .unwrap_err();
    assert_eq!(refused.error.kind(), ErrorKind::Invalid);
    assert_eq!(refused.bytes, huge);
    let after = journal
        .try_append(Log::Commands, P0, "after".into())
        .unwrap();
    assert_eq!(before.await.unwrap().offset, Offset(0));
    assert_eq!(after.await.unwrap().offset, Offset(1));
}

#[tokio::test]
async fn append_times_are_those_of_the_broker() {
    let Some(config) = common::config() else {
        return;
    };
    let kafka = open(config).await;
    let journal = kafka.journal();
    let pending = journal.try_append(Log::Commands, P0, "x".into()).unwrap();
    let receipt = pending.await.unwrap();
    let read = journal.read(Log::Commands, P0, Offset(0), 1).await.unwrap();
    assert!(receipt.at.0 > 1_600_000_000_000, "{receipt:?}");
    assert_eq!(read.first().unwrap().at, receipt.at);
}

/// What a member is given first.
async fn first_records(member: &mut dyn Consumer) -> Vec<Offset> {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(60), member.next());
        if let Delivery::Records { records, .. } = next.await.unwrap().unwrap() {
            return records.into_iter().map(|record| record.offset).collect();
        }
    }
}

#[tokio::test]
async fn what_was_committed_outlives_a_member_that_does_not_say_goodbye() {
    let Some(config) = common::config() else {
        return;
    };
    let interval = config.commit_interval;
    let kafka = open(config).await;
    let journal = kafka.journal();
    for _ in 0..3 {
        let pending = journal.try_append(Log::Commands, P0, "x".into()).unwrap();
        pending.await.unwrap();
    }
    let mut member = journal.subscribe(Log::Commands, "g").await.unwrap();
    assert_eq!(first_records(&mut *member).await.first(), Some(&Offset(0)));
    member.commit(P0, Offset(2)).await.unwrap();
    let _ = tokio::time::timeout(10 * interval, member.next()).await;
    drop(member);
    let mut next = journal.subscribe(Log::Commands, "g").await.unwrap();
    assert_eq!(first_records(&mut *next).await, [Offset(2)]);
}

#[tokio::test]
async fn what_is_trimmed_under_a_member_is_an_error_and_never_skipped() {
    let Some(config) = common::config() else {
        return;
    };
    let kafka = open(config).await;
    let journal = kafka.journal();
    for _ in 0..3 {
        let pending = journal.try_append(Log::Commands, P0, "x".into()).unwrap();
        pending.await.unwrap();
    }
    let mut member = journal.subscribe(Log::Commands, "g").await.unwrap();
    first_records(&mut *member).await;
    member.commit(P0, Offset(1)).await.unwrap();
    member.leave().await.unwrap();
    journal.trim(Log::Commands, P0, Offset(2)).await.unwrap();
    let mut next = journal.subscribe(Log::Commands, "g").await.unwrap();
    let error = loop {
        match next.next().await {
            Ok(Delivery::Records { records, .. }) => panic!("skipped to {records:?}"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    // Whoever knows better goes on from there.
    next.seek(P0, Offset(2)).await.unwrap();
    assert_eq!(first_records(&mut *next).await, [Offset(2)]);
}

#[tokio::test]
async fn after_a_record_that_the_broker_refuses_nothing_is_there_that_was_taken_before_it_was_told()
{
    let Some(mut config) = common::config() else {
        return;
    };
    // More than the topic takes.
    let most = chatcore_kafka::Property("10000000".to_owned());
    config
        .properties
        .insert("message.max.bytes".to_owned(), most);
    let kafka = open(config).await;
    let journal = kafka.journal();
    let append = |bytes: Bytes| journal.try_append(Log::Commands, P0, bytes);
    let before = append("before".into()).unwrap();
    assert_eq!(before.await.unwrap().offset, Offset(0));
    let refused = append(Bytes::from(vec![0; 3_000_000])).unwrap();
    let after: Vec<_> = (0..100).map(|_| append("after".into()).unwrap()).collect();
    refused.await.unwrap_err();
    let mut gone = 0;
    for pending in after {
        gone += u32::from(pending.await.is_err());
    }
    assert_eq!(gone, 100, "a hole before what was taken after it");
    // Another client is made meanwhile.
    let again = loop {
        let room = tokio::time::timeout(Duration::from_secs(60), journal.ready(Log::Commands, P0));
        room.await.expect("a client").unwrap();
        match append("again".into()) {
            Ok(pending) => break pending,
            Err(refused) => assert_eq!(refused.error.kind(), ErrorKind::Overloaded),
        }
    };
    assert_eq!(again.await.unwrap().offset, Offset(1));
    let read = journal
        .read(Log::Commands, P0, Offset(0), 10)
        .await
        .unwrap();
    let texts: Vec<_> = read.iter().map(|record| &record.bytes[..]).collect();
    assert_eq!(texts, [&b"before"[..], b"again"]);
}
