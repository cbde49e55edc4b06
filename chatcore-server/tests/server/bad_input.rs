//! What breaks a rule gets a stable code; the socket is closed only where the protocol can't go on.

use std::time::Duration;

use chatcore_server::identity::Role;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{Client, Heard, get, token},
    process::{LONG, Process},
    tokens::{claims, now, signer, signer_of},
};

/// A frame, and the code that answers it.
fn broken() -> Vec<(String, &'static str)> {
    let large = format!(r#"{{"typing": {{"dialog": 1}}}}{}"#, " ".repeat(60_000));
    assert!(large.len() < 65_536);
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let table = [
        ("{", "bad_frame"),
        ("", "bad_frame"),
        ("[]", "bad_frame"),
        ("null", "bad_frame"),
        (r#"{"ping": {}} {"ping": {}}"#, "bad_frame"),
        (r#"{"ping": {}, "pong": {}}"#, "bad_frame"),
        (r#"{"unknown": {}}"#, "bad_frame"),
        (r#"{"typing": {"dialog": "one"}}"#, "bad_frame"),
        (r#"{"typing": {"dialog": -1}}"#, "bad_frame"),
        (r#"{"typing": {"dialog": 1.5}}"#, "bad_frame"),
        (r#"{"typing": {"dialog": 1, "more": 1}}"#, "bad_frame"),
        (
            r#"{"follow": {"stream": "room/1", "after": null}}"#,
            "bad_frame",
        ),
        (
            r#"{"settle": {"target": {"customer": "a b"}, "n": 1}}"#,
            "bad_frame",
        ),
        (&deep, "too_deep"),
        (
            r#"{"hello": {"token": "t", "device": "d"}}"#,
            "hello_expected",
        ),
    ];
    table
        .iter()
        .map(|(text, code)| ((*text).to_owned(), *code))
        .collect()
}

#[tokio::test]
async fn a_broken_frame_is_answered_with_its_code_and_the_sixteenth_closes() {
    let server = Process::ephemeral().await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    for (text, code) in broken() {
        anna.raw(Message::text(text.clone())).await;
        let error = anna.next("error").await;
        assert_eq!(error["code"], code, "{text}");
        assert!(error["text"].as_str().unwrap().len() > 10, "{error}");
    }
    assert_eq!(broken().len(), 15);
    anna.say(&json!({"ping": {}})).await;
    anna.next("pong").await;
    anna.raw(Message::text("{")).await;
    assert_eq!(anna.close_code().await, Some(4510));
}

#[tokio::test]
async fn what_the_socket_can_not_carry_closes_it() {
    let server = Process::ephemeral().await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.raw(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(anna.close_code().await, Some(1003));
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.raw(Message::text("x".repeat(65_537))).await;
    assert_eq!(anna.close_code().await, Some(1009));
}

#[tokio::test]
async fn before_hello_nothing_else_is_taken() {
    let server = Process::ephemeral().await;
    for (first, code) in [
        (json!({"ping": {}}), "hello_expected"),
        (json!({"hello": {"token": "t"}}), "bad_frame"),
        (
            json!({"hello": {"token": "t", "device": "a b"}}),
            "bad_frame",
        ),
    ] {
        let mut client = Client::socket(&server).await;
        client.say(&first).await;
        assert_eq!(client.next("error").await["code"], code, "{first}");
        assert_eq!(client.close_code().await, Some(4500), "{first}");
    }
    let mut client = Client::socket(&server).await;
    client.raw(Message::binary(vec![1])).await;
    assert_eq!(client.close_code().await, Some(1003));
}

#[tokio::test]
async fn one_who_says_nothing_is_closed_within_the_deadline() {
    let server = Process::ephemeral().await;
    let mut silent = Client::socket(&server).await;
    assert_eq!(silent.close_code().await, Some(4408));
}

#[tokio::test]
async fn a_token_that_is_not_valid_is_told_why_and_closes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::on(folder.path()).await;
    let ours = signer_of(folder.path());
    let theirs = signer(vec![7; 32]);
    let good = ours.sign(claims(|_| {})).unwrap();
    let [_, body, _] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("{good}");
    };
    let table = [
        (
            "expired",
            ours.sign(claims(|c| c.exp = 1)).unwrap(),
            "expired",
            4401,
        ),
        (
            "foreign",
            theirs.sign(claims(|_| {})).unwrap(),
            "forbidden",
            4501,
        ),
        (
            "unsigned",
            format!("eyJhbGciOiJIUzI1NiJ9.{body}."),
            "forbidden",
            4501,
        ),
        (
            "alg none",
            format!("eyJhbGciOiJub25lIn0.{body}."),
            "forbidden",
            4501,
        ),
        ("no token", "x".to_owned(), "forbidden", 4501),
        (
            "of a life longer than revocations are kept",
            ours.sign(claims(|c| c.exp = now() + 32 * 24 * 3_600))
                .unwrap(),
            "forbidden",
            4501,
        ),
        (
            "of a service",
            ours.sign(claims(|c| c.role = Role::Service)).unwrap(),
            "forbidden",
            4501,
        ),
    ];
    for (what, token, code, close) in table {
        let mut client = Client::socket(&server).await;
        client
            .say(&json!({"hello": {"token": token, "device": "d"}}))
            .await;
        let error = client.next("error").await;
        assert_eq!(error["code"], code, "{what}");
        assert!(
            !error.to_string().contains(&token) || token == "x",
            "{what}: it is repeated"
        );
        assert_eq!(client.close_code().await, Some(close), "{what}");
        let (status, answer) = get(&server.address, "/api/me", Some(&token)).await;
        assert_eq!(answer["error"]["code"], code, "{what}: {status}");
    }
    let (status, _) = get(&server.address, "/api/me", Some(&good)).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_session_ends_when_its_token_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::on(folder.path()).await;
    let signer = signer_of(folder.path());
    let soon = signer.sign(claims(|c| c.exp = now() + 2)).unwrap();
    let mut anna = Client::socket(&server).await;
    anna.say(&json!({"hello": {"token": soon, "device": "d"}}))
        .await;
    anna.next("expiring").await;
    assert_eq!(anna.close_code().await, Some(4401));
}

#[tokio::test]
async fn anothers_dialog_and_a_stale_epoch_are_refused() {
    let server = Process::ephemeral().await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.command(
        "anna",
        1,
        json!({"open": {"channel": "web", "topic": null}}),
    )
    .await;
    let dialog = anna.reply(1).await["outcome"]["accepted"]["dialog"].clone();
    let stream = format!("dialog/{dialog}");
    let said = |epoch: Value| json!({"message": {"dialog": dialog, "body": {"text": "x"}, "reply_to": null, "owner_epoch": epoch}});

    let mut boris = Client::demo(&server, "Boris", "tab-1").await;
    boris.command("anna", 1, said(Value::Null)).await;
    let error = boris.next("error").await;
    assert_eq!(
        (&error["code"], &error["n"]),
        (&json!("forbidden"), &json!(1))
    );
    boris.command("boris", 1, said(Value::Null)).await;
    let reply = boris.reply(1).await;
    assert_eq!(reply["outcome"]["rejected"]["code"], "not_found");
    boris
        .say(&json!({"follow": {"stream": stream, "after": null}}))
        .await;
    assert_eq!(
        boris.next("left").await,
        json!({"stream": stream, "reason": "no_right"})
    );
    boris.say(&json!({"typing": {"dialog": dialog}})).await;
    assert_eq!(boris.next("error").await["code"], "forbidden");
    let token_of_boris = token(&server, "Boris").await;
    for path in [
        format!("/api/dialogs/{dialog}"),
        format!("/api/dialogs/{dialog}/events"),
    ] {
        let (status, answer) = get(&server.address, &path, Some(&token_of_boris)).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (403, &json!("forbidden")),
            "{path}"
        );
    }

    anna.command(
        "anna",
        2,
        json!({"ask_person": {"dialog": dialog, "queue": null}}),
    )
    .await;
    anna.reply(2).await;
    let mut olga = Client::demo(&server, "Olga", "tab-1").await;
    olga.event_or_reset("board/main", &dialog).await;
    olga.take("olga", &dialog).await;
    olga.event(&stream, |e| e["event"]["dialog"]["assigned"].is_object())
        .await;
    olga.command("anna", 1, said(json!(0))).await;
    let reply = olga.reply(1).await;
    assert_eq!(
        reply["outcome"]["rejected"]["code"], "stale_epoch",
        "{reply}"
    );
    olga.command("anna", 2, said(Value::Null)).await;
    assert_eq!(olga.next("error").await["code"], "invalid");
}

impl Client {
    /// Waits until the board shows the dialog as waiting, from its start or by an event.
    async fn event_or_reset(&mut self, stream: &str, dialog: &Value) {
        loop {
            let frame = self.frame().await;
            let state = frame["reset"]["board"]["waiting"].as_array();
            let events = frame["range"]["events"].as_array();
            let waits = |one: &Value| &one["wait"]["dialog"] == dialog;
            let happened = |e: &Value| waits(&e["event"]["board"]["waiting"]);
            let in_stream =
                frame["reset"]["stream"] == stream || frame["range"]["stream"] == stream;
            let found = state.is_some_and(|all| all.iter().any(waits))
                || events.is_some_and(|all| all.iter().any(happened));
            if in_stream && found {
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_slow_head_does_not_keep_its_connection() {
    let server = Process::ephemeral().await;
    let mut slow = TcpStream::connect(&server.address).await.unwrap();
    slow.write_all(b"GET /ws HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut slow, &mut rest);
    timeout(Duration::from_secs(30).min(LONG), read)
        .await
        .expect("it is cut off")
        .unwrap_or(0);
}

#[tokio::test]
async fn a_request_that_is_no_upgrade_is_told_what_was_expected() {
    let server = Process::ephemeral().await;
    let upgrade = "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    let table = [
        ("GET /ws".to_owned(), 426),
        (format!("GET /ws\nconnection: upgrade\r\n{upgrade}"), 400),
        (
            format!("GET /ws\nconnection: upgrade\r\n{upgrade}\r\nsec-websocket-protocol: other"),
            400,
        ),
        (
            format!(
                "GET /ws\nconnection: upgrade\r\n{upgrade}\r\nsec-websocket-protocol: chatcore.v1\r\norigin: http://evil.example"
            ),
            403,
        ),
    ];
    for (head, expected) in table {
        let (status, ..) = crate::client::request(&server.address, &head, "").await;
        assert_eq!(status, expected, "{head}");
    }
    let mut fine = Client::demo(&server, "Anna", "tab").await;
    assert!(matches!(fine.hear().await, Heard::Frame(_)));
}
