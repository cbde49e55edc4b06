//! Leaving in order, and what is refused at the start.

use serde_json::json;

use crate::{
    client::{Client, Heard, get},
    process::{Process, refused},
};

#[tokio::test]
async fn on_sigterm_sessions_are_told_to_reconnect_and_what_was_taken_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut server = Process::demo(&["--data", path, "--drain-ms", "8000"]).await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    server.terminate().await;
    let hint = anna.next("reconnect").await;
    assert!(hint["after_ms"].as_u64().unwrap() <= 4000, "{hint}");
    let (status, why) = get(&server.address, "/readyz", None).await;
    assert_eq!((status, &why["ready"]), (503, &json!(false)));
    assert!(
        why["why"][0].as_str().unwrap().starts_with("draining"),
        "{why}"
    );
    let (status, _) = get(&server.address, "/healthz", None).await;
    assert_eq!(status, 200);
    anna.command(
        "anna",
        1,
        json!({"open": {"channel": "web", "topic": null}}),
    )
    .await;
    let reply = anna.reply(1).await;
    assert_eq!(anna.close_code().await, Some(4412));
    assert!(server.ended().await, "the drain failed");

    let server = Process::on(folder.path()).await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.command(
        "anna",
        1,
        json!({"open": {"channel": "web", "topic": null}}),
    )
    .await;
    assert_eq!(anna.reply(1).await, reply);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = Process::demo(&["--ephemeral", "--drain-ms", "600000"]).await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    server.terminate().await;
    anna.next("reconnect").await;
    server.terminate().await;
    assert!(!server.ended().await);
    assert!(!matches!(anna.hear().await, Heard::Closed(Some(1000))));
}

#[tokio::test]
async fn a_demo_elsewhere_than_on_loopback_is_refused() {
    let (code, said) = refused(&["--demo", "--ephemeral", "--listen", "0.0.0.0:0"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--demo-on-all-interfaces"), "{said}");
}

#[tokio::test]
async fn without_any_configuration_it_says_what_is_missing() {
    let (code, said) = refused(&[]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("token_secret_file") && said.contains("--demo"),
        "{said}"
    );
}
