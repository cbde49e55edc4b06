//! What one person and one session may take: refused with when to come back, and closed when that
//! is not heeded.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{Client, get, token},
    process::Process,
};

fn open() -> Value {
    json!({"open": {"channel": "web", "topic": null}})
}

async fn limited(flags: &[&str]) -> Process {
    Process::demo(&[&["--ephemeral"], flags].concat()).await
}

#[tokio::test]
async fn frames_over_the_rate_are_refused_and_a_flood_is_closed() {
    let flags = ["--frame-burst", "3", "--frames-per-second", "1"];
    let refusals = ["--refusals-per-minute", "4"];
    let server = limited(&[&flags[..], &refusals].concat()).await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    for _ in 0..3 {
        anna.say(&json!({"ping": {}})).await;
        anna.next("pong").await;
    }
    anna.command("anna", 1, open()).await;
    let error = anna.next("error").await;
    assert_eq!(
        (&error["code"], &error["n"]),
        (&json!("overloaded"), &json!(1))
    );
    let after = error["retry_after_ms"].as_u64().unwrap();
    assert!((1..=1_000).contains(&after), "{error}");
    tokio::time::sleep(std::time::Duration::from_millis(after)).await;
    anna.command("anna", 1, open()).await;
    let reply = anna.reply(1).await;
    assert!(reply["outcome"]["accepted"].is_object(), "{reply}");
    for _ in 0..20 {
        // It may be closed before the last of them.
        if anna
            .try_raw(Message::text(r#"{"ping": {}}"#))
            .await
            .is_err()
        {
            break;
        }
    }
    assert_eq!(anna.close_code().await, Some(4429));
    let mut again = Client::demo(&server, "Anna", "tab-1").await;
    again.say(&json!({"ping": {}})).await;
    again.next("pong").await;
}

#[tokio::test]
async fn dialogs_are_opened_at_their_own_rate_over_all_sessions() {
    let server = limited(&["--command-kinds", "open=1/1"]).await;
    let mut first = Client::demo(&server, "Anna", "tab-1").await;
    let mut second = Client::demo(&server, "Anna", "tab-2").await;
    first.command("anna", 1, open()).await;
    let reply = first.reply(1).await;
    assert!(reply["outcome"]["accepted"].is_object(), "{reply}");
    second.command("anna", 1, open()).await;
    let error = second.next("error").await;
    assert_eq!(
        (&error["code"], &error["n"]),
        (&json!("overloaded"), &json!(1))
    );
    let after = error["retry_after_ms"].as_u64().unwrap();
    assert!((30_000..=60_000).contains(&after), "{error}");
    let mut boris = Client::demo(&server, "Boris", "tab-1").await;
    boris.command("boris", 1, open()).await;
    let reply = boris.reply(1).await;
    assert!(reply["outcome"]["accepted"].is_object(), "{reply}");
}

#[tokio::test]
async fn a_person_has_so_many_sessions_and_others_are_not_kept_out() {
    let server = limited(&["--sessions-per-person", "2"]).await;
    let first = Client::demo(&server, "Anna", "tab-1").await;
    let _second = Client::demo(&server, "Anna", "tab-2").await;
    let token = token(&server, "Anna").await;
    let hello = json!({"hello": {"token": token, "device": "tab-3"}});
    let mut third = Client::socket(&server).await;
    third.say(&hello).await;
    let error = third.next("error").await;
    assert_eq!(error["code"], "overloaded", "{error}");
    assert_eq!(error["retry_after_ms"], 5_000, "{error}");
    assert_eq!(third.close_code().await, Some(4429));
    let _boris = Client::demo(&server, "Boris", "tab-1").await;
    drop(first);
    loop {
        let mut again = Client::socket(&server).await;
        again.say(&hello).await;
        if again.frame().await.get("welcome").is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn requests_of_a_person_are_bounded() {
    let server = limited(&["--request-burst", "2", "--requests-per-second", "1"]).await;
    let anna = token(&server, "Anna").await;
    for _ in 0..2 {
        let (status, body) = get(&server.address, "/api/me", Some(&anna)).await;
        assert_eq!(status, 200, "{body}");
    }
    let (status, body) = get(&server.address, "/api/me", Some(&anna)).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (429, &json!("overloaded")),
        "{body}"
    );
    let after = body["error"]["retry_after_ms"].as_u64().unwrap();
    assert!((1..=1_000).contains(&after), "{body}");
    let boris = token(&server, "Boris").await;
    let (status, body) = get(&server.address, "/api/me", Some(&boris)).await;
    assert_eq!(status, 200, "{body}");
}
