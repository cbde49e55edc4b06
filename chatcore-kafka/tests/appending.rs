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
