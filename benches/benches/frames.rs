//! Frames: one read, one written.
#![allow(
    clippy::unwrap_used,
    reason = "a bench that can't build its world has nothing to measure"
)]

use std::{hint::black_box, sync::Arc};

use chatcore::{
    clock::Timestamp,
    content::Content,
    dialog::DialogEvent,
    ids::{CustomerId, DialogId, Participant, Seq, StreamId},
    record::{ChainHash, Event, Position, StreamEvent, Visibility},
};
use chatcore_server::protocol::{ServerFrame, parse_frame};
use criterion::{Criterion, criterion_group, criterion_main};

fn read(c: &mut Criterion) {
    let text = format!(
        r#"{{"send":{{"target":{{"customer":"anna"}},"n":4,"command":{{"customer":{{"message":{{"dialog":17,"body":{{"text":"{}"}},"reply_to":null,"owner_epoch":null}}}}}}}}}}"#,
        "x".repeat(120)
    );
    assert!(parse_frame(&text).is_ok());
    c.bench_function("frame: a message is read", |b| {
        b.iter(|| parse_frame(black_box(&text)));
    });
}

fn write(c: &mut Criterion) {
    let at = |seq| Position {
        seq: Seq(seq),
        hash: ChainHash(seq),
    };
    let event = StreamEvent {
        seq: Seq(9),
        hash: ChainHash(9),
        at: Timestamp(1_790_000_000_000),
        visibility: Visibility::Everyone,
        event: Event::Dialog(DialogEvent::Message {
            author: Participant::Customer(CustomerId::try_new("anna").unwrap()),
            body: Content::Text("x".repeat(120)),
            reply_to: None,
            assurance: None,
        }),
    };
    let frame = ServerFrame::Range {
        stream: StreamId::Dialog(DialogId(17)).into(),
        after: at(8),
        upto: at(9),
        events: vec![Arc::new(event)],
    };
    c.bench_function("frame: a range with a message is written", |b| {
        b.iter(|| serde_json::to_string(black_box(&frame)));
    });
}

criterion_group!(benches, read, write);
criterion_main!(benches);
