//! Dead letters of a real folder: listed, shown, replayed and dropped, with and without a server.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use chatcore::{
    clock::SystemClock,
    content::{ContentKind, Sealed},
    dialog::CustomerCommand,
    ids::{DeskId, DeviceId, DialogId, Participant, Partition, StaffId, Target, TenantId},
    journal::Log,
    record::{Command, CommandId, CommandRecord, encode},
};
use chatcore_embedded::{Embedded, Options};
use serde_json::Value;

use crate::process::{Process, said};

const SECRET: &str = "the customer said this";

async fn open(folder: &Path) -> Embedded {
    let options = Options::new(folder).with_partitions(8);
    Embedded::open(options, Arc::new(SystemClock))
        .await
        .unwrap()
}

/// A note for a customer that was written to a desk: it can be read, and never decided.
fn misdirected() -> Bytes {
    let body = Sealed {
        kind: ContentKind::Text,
        chars: u32::try_from(SECRET.len()).unwrap(),
        bytes: Bytes::from_static(SECRET.as_bytes()),
    };
    let command: Command<Sealed> = Command::Customer(CustomerCommand::Note {
        dialog: DialogId(8),
        body,
    });
    encode(&CommandRecord {
        tenant: TenantId::single(),
        trace: None,
        target: Target::Desk(DeskId::try_new("main").unwrap()),
        author: Participant::Staff(StaffId::try_new("olga").unwrap()),
        rights: None,
        assurance: None,
        id: CommandId::Client {
            device: DeviceId::try_new("tab-1").unwrap(),
            n: 1,
        },
        redaction: None,
        reply_to: None,
        digest: 7,
        settled: 0,
        body: encode(&command).unwrap(),
    })
    .unwrap()
}

/// A folder in whose journal are records that nobody can do anything with.
async fn with_poison(folder: &Path) {
    let embedded = open(folder).await;
    let journal = embedded.ports().journal;
    let desk = Target::Desk(DeskId::try_new("main").unwrap());
    let append = async |partition, bytes| {
        let pending = journal.try_append(Log::Commands, partition, bytes).unwrap();
        pending.await.unwrap()
    };
    append(desk.partition(8), misdirected()).await;
    append(Partition(0), Bytes::from_static(b"\x01 no record")).await;
    append(Partition(1), Bytes::from_static(b"\x01 nor this")).await;
    embedded.close().await.unwrap();
}

/// What the program answers as JSON.
async fn asked(folder: &Path, words: &[&str]) -> Result<Value, String> {
    let data = folder.to_str().unwrap();
    let words = [&["dead-letters"], words, &["--json", "--data", data]].concat();
    let (code, output, errors) = said(&words).await;
    assert!(!output.contains(SECRET) && !errors.contains(SECRET));
    match code {
        Some(0) => Ok(serde_json::from_str(&output).unwrap()),
        Some(1) => Err(errors),
        other => panic!("ended with {other:?}: {errors}"),
    }
}

async fn letters(folder: &Path) -> Vec<Value> {
    let list = asked(folder, &["list"]).await.unwrap();
    assert_eq!(list["letters"]["more"], false);
    list["letters"]["letters"].as_array().unwrap().clone()
}

/// Waits until there are so many.
async fn until(folder: &Path, count: usize) -> Vec<Value> {
    loop {
        let found = letters(folder).await;
        if found.len() == count {
            return found;
        }
        assert!(found.len() < count, "{found:?}");
    }
}

fn find<'a>(letters: &'a [Value], reason: &str) -> &'a Value {
    let found = letters.iter().find(|letter| letter["reason"] == reason);
    found.unwrap_or_else(|| panic!("no {reason} in {letters:?}"))
}

#[tokio::test]
async fn dead_letters_are_looked_after_while_the_server_runs_and_when_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let refused = asked(data, &["list"]).await.unwrap_err();
    assert!(refused.contains("there is no data folder"), "{refused}");
    with_poison(data).await;
    assert_eq!(
        letters(data).await,
        [Value::Null; 0],
        "nobody read them yet"
    );

    let server = Process::on(data).await;
    let found = until(data, 3).await;
    let letter = find(&found, "wrong_target");
    let what = &letter["what"];
    assert_eq!(what["target"], "desk/main");
    assert_eq!(what["author"], "staff/olga");
    assert_eq!(what["id"], "client tab-1 1");
    assert_eq!(what["kinds"][0], "customer.note");
    let body = &what["bodies"][0];
    assert_eq!(
        (&body["kind"], &body["chars"]),
        (&"text".into(), &SECRET.len().into())
    );
    let number = letter["number"].to_string();
    let shown = asked(data, &["show", &number]).await.unwrap();
    assert_eq!(shown["letter"], *letter);

    // It is a command again, that fails again: another letter, of the server's own.
    let replayed = asked(data, &["replay", &number]).await.unwrap();
    assert!(replayed["replayed"]["offset"].as_u64() > letter["offset"].as_u64());
    let found = until(data, 3).await;
    let again = find(&found, "wrong_target");
    assert_ne!(again["number"], letter["number"]);
    assert_eq!(again["what"]["id"], "internal");
    let gone = asked(data, &["show", &number]).await.unwrap_err();
    assert!(gone.contains("not_found"), "{gone}");
    let number = again["number"].to_string();
    asked(data, &["drop", &number]).await.unwrap();
    let found = until(data, 2).await;
    assert!(found.iter().all(|letter| letter["what"] == Value::Null));

    // After a kill the socket is still there, and nobody answers.
    server.kill().await;
    assert_eq!(letters(data).await, found);
    let number = found[0]["number"].to_string();
    asked(data, &["drop", &number]).await.unwrap();
    assert_eq!(letters(data).await, found[1..]);
    let number = found[1]["number"].to_string();
    asked(data, &["replay", &number]).await.unwrap();
    assert_eq!(letters(data).await, [Value::Null; 0]);

    let mut server = Process::on(data).await;
    assert_eq!(until(data, 1).await[0]["bytes"], found[1]["bytes"]);
    server.terminate().await;
    assert!(server.ended().await);
    assert!(!data.join("admin/socket").exists());
    assert_eq!(letters(data).await.len(), 1);
    let (code, text, _) = said(&["dead-letters", "list", "--data", data.to_str().unwrap()]).await;
    assert_eq!(code, Some(0));
    assert!(text.contains("not readable"), "{text}");
}

#[tokio::test]
async fn what_can_not_be_asked_is_told() {
    for (words, expected) in [
        (&["dead-letters"][..], "subcommand"),
        (&["dead-letters", "show"], "NUMBER"),
        (&["dead-letters", "drop", "all"], "all"),
        (
            &["dead-letters", "list", "--ephemeral"],
            "keeps no dead letters",
        ),
    ] {
        let (code, _, errors) = said(words).await;
        assert_eq!(code, Some(2), "{words:?}");
        assert!(
            errors.to_lowercase().contains(&expected.to_lowercase()),
            "{words:?}: {errors}"
        );
    }
}
