//! What must not be written down is not, and a bank can test its rules.

use std::{fs, path::Path};

use serde_json::json;

use crate::{
    client::Client,
    process::{Process, said},
};

/// Whether these bytes stand in any file of a folder.
fn is_in(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            return is_in(&entry.path(), text);
        }
        kind.is_file() && {
            let bytes = fs::read(entry.path()).unwrap();
            bytes.windows(text.len()).any(|w| w == text.as_bytes())
        }
    })
}

#[tokio::test]
async fn a_card_number_in_one_message_or_two_is_written_down_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::on(folder.path()).await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    let open = json!({"open": {"channel": "web", "topic": null}});
    anna.command("anna", 1, open).await;
    let dialog = anna.reply(1).await["outcome"]["accepted"]["dialog"].clone();
    let says = |text: &str| json!({"message": {"dialog": dialog, "body": {"text": text}, "reply_to": null, "owner_epoch": null}});
    for (n, text, redacted) in [
        (2, "whole: 4111 1111 1111 1111", json!(true)),
        (3, "first half: 5555 5555", json!(null)),
        (4, "second half: 5555 4444", json!(true)),
    ] {
        anna.command("anna", n, says(text)).await;
        let reply = anna.reply(n).await;
        assert_eq!(
            reply["outcome"]["accepted"]["redacted"], redacted,
            "{reply}"
        );
    }
    let stream = format!("dialog/{}", dialog);
    let is_withdrawn = |event: &serde_json::Value| event["event"]["dialog"]["deleted"].is_object();
    anna.event(&stream, is_withdrawn).await;
    server.kill().await;
    for stands in ["whole: 4111 11••", "second half: •••• ••••"] {
        assert!(is_in(folder.path(), stands), "`{stands}` is to be found");
    }
    for gone in ["1111 1111", "5555 4444"] {
        assert!(!is_in(folder.path(), gone), "`{gone}` was written down");
    }
}

#[tokio::test]
async fn a_bank_tests_its_rules_with_its_own_cases() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cases = file(
        "cases.toml",
        "[[case]]\nsay = \"contract AB123456\"\nstored = \"contract AB••••••\"\n",
    );
    let rules = file(
        "rules.toml",
        "[[patterns]]\nname = \"contract\"\nregex = '[A-Z]{2}\\d{6}'\nkeep = { first = 2 }\n",
    );
    let (code, output, _) = said(&["redact", "--test", &cases, "--redact-rules", &rules]).await;
    assert_eq!(
        (code, output.as_str()),
        (Some(0), "1 cases are as expected\n")
    );
    let (code, _, errors) = said(&["redact", "--test", &cases]).await;
    assert_eq!(code, Some(1));
    let expected = "case 1: `contract AB123456` is stored as `contract AB123456`";
    assert!(errors.contains(expected), "{errors}");
    let wrong = file("wrong.toml", "card = { first = 8 }\n");
    let (code, _, errors) = said(&["redact", "--test", &cases, "--redact-rules", &wrong]).await;
    assert_eq!(code, Some(2));
    assert!(errors.contains("expected 6 and 4 at most"), "{errors}");
}
