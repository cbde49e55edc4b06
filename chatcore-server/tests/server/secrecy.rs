//! What people write, and their tokens, are in no log, no figure and no error, at any level.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{Client, get, request, token},
    process::Process,
};

/// Stands in everything that is written here.
const WORD: &str = "plaustrum";

/// Neither the word nor the secret part of a token stands there.
fn assert_clean(text: &str, what: &str, tokens: &[&str]) {
    assert!(!text.contains(WORD), "{what}: {text}");
    for token in tokens {
        let (_, signature) = token.rsplit_once('.').unwrap();
        assert!(!text.contains(signature), "{what}: {text}");
    }
}

#[tokio::test]
async fn neither_texts_nor_tokens_reach_logs_figures_or_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let server = Process::logging(&log, &["--data", data.to_str().unwrap()]).await;
    let (annas, olgas) = (token(&server, "Anna").await, token(&server, "Olga").await);
    let forged = format!("{}x", annas);
    let tokens = [annas.as_str(), olgas.as_str(), forged.as_str()];

    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    let open = json!({"open": {"channel": "web", "topic": null}});
    anna.command("anna", 1, open).await;
    let dialog = anna.reply(1).await["outcome"]["accepted"]["dialog"].clone();
    let body = json!({"text": WORD});
    let message =
        json!({"message": {"dialog": dialog, "body": body, "reply_to": null, "owner_epoch": null}});
    anna.command("anna", 2, message).await;
    anna.reply(2).await;
    // What is refused: by its state, by its rights, and as no frame at all.
    let edit = json!({"edit": {"dialog": dialog, "message": 1, "body": body, "owner_epoch": null}});
    anna.command("anna", 3, edit).await;
    assert!(anna.reply(3).await["outcome"]["rejected"].is_object());
    let note = json!({"note": {"dialog": dialog, "body": body}});
    anna.command("anna", 4, note).await;
    let mut errors = vec![anna.next("error").await];
    let frames = [
        format!(r#"{{"send": {{"target": "{WORD}", "n": 4}}}}"#),
        format!(r#"{{"{WORD}": {{}}}}"#),
        format!(r#"{{"follow": {{"stream": "{WORD}", "after": null}}}}"#),
        WORD.to_owned(),
    ];
    for frame in frames {
        anna.raw(Message::text(frame)).await;
        errors.push(anna.next("error").await);
    }
    let mut other = Client::socket(&server).await;
    other
        .say(&json!({"hello": {"token": forged, "device": "tab-2", "resume": {}}}))
        .await;
    errors.push(other.next("error").await);
    for error in errors {
        // The frame itself may be repeated to who sent it, and to nobody else.
        assert_clean(&error.to_string().replace(WORD, ""), "an error", &tokens);
    }

    let history = format!("/api/dialogs/{dialog}/events");
    let (status, page) = get(&server.address, &history, Some(&annas)).await;
    assert!(status == 200 && page.to_string().contains(WORD), "{page}");
    let (status, refused) = get(&server.address, &history, Some(&forged)).await;
    assert_eq!(status, 403, "{refused}");
    assert_clean(&refused.to_string(), "an error of HTTP", &tokens);
    let head = format!("POST /api/{WORD}?{WORD}={annas}\nauthorization: Bearer {annas}");
    let (_, _, answer) = request(&server.address, &head, WORD).await;
    assert_clean(&answer, "an answer to nothing", &tokens);
    let (_, _, figures) = request(&server.address, "GET /metrics", "").await;
    assert!(figures.contains("chatcore"), "{figures}");
    assert_clean(&figures, "a figure", &tokens);

    server.terminate().await;
    let mut server = server;
    assert!(server.ended().await);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("TRACE") || log.contains("DEBUG"),
        "it has all levels: {log}"
    );
    assert_clean(&log, "the log", &tokens);
}
