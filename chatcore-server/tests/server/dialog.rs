//! A dialog over sockets, and across the death of the server.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    client::{Client, get, token},
    process::Process,
};

fn open() -> Value {
    json!({"open": {"channel": "web", "topic": null}})
}

fn message(dialog: u64, text: &str) -> Value {
    json!({"message": {"dialog": dialog, "body": {"text": text}, "reply_to": null, "owner_epoch": null}})
}

fn accepted_dialog(reply: &Value) -> u64 {
    let accepted = &reply["outcome"]["accepted"];
    accepted["dialog"]
        .as_u64()
        .unwrap_or_else(|| panic!("{reply}"))
}

fn says(text: &str) -> impl Fn(&Value) -> bool {
    move |event| event["event"]["dialog"]["message"]["body"]["text"] == text
}

#[tokio::test]
async fn customer_and_operator_talk_and_the_dialog_outlives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::on(folder.path()).await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.command("anna", 1, open()).await;
    let first = anna.reply(1).await;
    let dialog = accepted_dialog(&first);
    let stream = format!("dialog/{dialog}");
    let mut olga = Client::demo(&server, "Olga", "tab-2").await;
    olga.next("reset").await;

    anna.command(
        "anna",
        2,
        json!({"ask_person": {"dialog": dialog, "queue": null}}),
    )
    .await;
    assert!(anna.reply(2).await["outcome"]["accepted"].is_object());
    let is_waiting = |e: &Value| e["event"]["board"]["waiting"]["wait"]["dialog"] == dialog;
    olga.event("board/main", is_waiting).await;
    olga.take("olga", &json!(dialog)).await;
    let assigned = anna
        .event(&stream, |e| e["event"]["dialog"]["assigned"].is_object())
        .await;
    let epoch = assigned["event"]["dialog"]["assigned"]["epoch"].clone();
    olga.event(&stream, |e| e["event"]["dialog"]["assigned"].is_object())
        .await;
    let mut answer = message(dialog, "good day");
    answer["message"]["owner_epoch"] = epoch;
    olga.command("anna", 1, answer).await;
    assert!(olga.reply(1).await["outcome"]["accepted"].is_object());
    anna.event(&stream, says("good day")).await;
    anna.command("anna", 3, message(dialog, "my card")).await;
    let third = anna.reply(3).await;
    olga.event(&stream, says("my card")).await;
    anna.event(&stream, says("my card")).await;
    the_supervisor_speaks_for_the_bank(&server, dialog, &mut anna).await;

    let (positions, events) = (anna.positions.clone(), anna.events.clone());
    server.kill().await;
    let server = Process::on(folder.path()).await;
    let mut anna = Client::socket(&server).await;
    let again = token(&server, "Anna").await;
    anna.hello(&again, "tab-1", &positions).await;
    anna.command("anna", 3, message(dialog, "my card")).await;
    assert_eq!(anna.reply(3).await, third, "an outcome changed");
    anna.command("anna", 4, message(dialog, "still here")).await;
    assert!(anna.reply(4).await["outcome"]["accepted"].is_object());
    anna.event(&stream, says("still here")).await;
    let twice = anna.events.keys().find(|key| events.contains_key(*key));
    assert_eq!(twice, None, "what was had before came again");
    assert!(
        anna.events.values().all(|e| !says("my card")(e)),
        "done twice"
    );
}

#[tokio::test]
async fn what_was_sent_into_a_kill_is_done_once_after_it() {
    const LAST: u64 = 60;
    let folder = tempfile::tempdir().unwrap();
    let server = Process::on(folder.path()).await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.command("anna", 1, open()).await;
    let dialog = accepted_dialog(&anna.reply(1).await);
    for n in 2..=LAST {
        anna.command("anna", n, message(dialog, &format!("number {n}")))
            .await;
    }
    // Some are decided, some durable, some under way, some not even read.
    let mut known = BTreeMap::new();
    while known.len() < 10 {
        let reply = anna.next("reply").await;
        known.insert(reply["n"].as_u64().unwrap(), reply["reply"].clone());
    }
    let positions = anna.positions.clone();
    server.kill().await;

    let server = Process::on(folder.path()).await;
    let token = token(&server, "Anna").await;
    let mut anna = Client::socket(&server).await;
    anna.hello(&token, "tab-1", &positions).await;
    for n in 2..=LAST {
        anna.command("anna", n, message(dialog, &format!("number {n}")))
            .await;
        let reply = anna.reply(n).await;
        assert!(reply["outcome"]["accepted"].is_object(), "{n}: {reply}");
        let before = known.get(&n).unwrap_or(&reply);
        assert_eq!(&reply, before, "the outcome of {n} changed");
    }
    let path = format!("/api/dialogs/{dialog}/events?after=0&limit=200");
    let (_, all) = crate::client::get(&server.address, &path, Some(&token)).await;
    let texts: Vec<_> = all["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["event"]["dialog"]["message"])
        .filter(|message| message["author"]["customer"] == "anna")
        .map(|message| message["body"]["text"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (2..=LAST).map(|n| format!("number {n}")).collect();
    assert_eq!(texts, expected, "missing, twice or out of order");
}

#[tokio::test]
async fn one_who_was_away_is_told_what_was_missed_and_another_tab_gets_the_same_dialog() {
    let server = Process::ephemeral().await;
    let mut first = Client::demo(&server, "Anna", "tab-1").await;
    first.command("anna", 1, open()).await;
    let dialog = accepted_dialog(&first.reply(1).await);
    let stream = format!("dialog/{dialog}");
    first.command("anna", 2, message(dialog, "one")).await;
    first.reply(2).await;
    first.event(&stream, says("one")).await;
    let positions = first.positions.clone();
    drop(first);

    let mut second = Client::demo(&server, "Anna", "tab-2").await;
    second.command("anna", 1, open()).await;
    assert_eq!(accepted_dialog(&second.reply(1).await), dialog);
    second.command("anna", 2, message(dialog, "two")).await;
    second.reply(2).await;

    let token = token(&server, "Anna").await;
    let mut back = Client::socket(&server).await;
    back.hello(&token, "tab-1", &positions).await;
    back.event(&stream, says("two")).await;
    assert!(
        back.events.values().all(|event| !says("one")(event)),
        "what was had came again"
    );

    let mut other = positions.clone();
    other.insert(
        stream.clone(),
        json!({"seq": 1, "hash": "0123456789abcdef"}),
    );
    let mut strange = Client::socket(&server).await;
    strange.hello(&token, "tab-3", &other).await;
    loop {
        let reset = strange.next("reset").await;
        if reset["stream"] == stream.as_str() {
            break assert_eq!(reset["reason"], "mismatch");
        }
    }
}

#[tokio::test]
async fn a_number_too_high_is_told_from_where_to_send_again() {
    let server = Process::ephemeral().await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.command("anna", 7, open()).await;
    assert_eq!(anna.reply(7).await, json!({"expected": {"n": 1}}));
    anna.command("anna", 1, open()).await;
    let first = anna.reply(1).await;
    anna.command(
        "anna",
        1,
        json!({"open": {"channel": "mobile", "topic": null}}),
    )
    .await;
    let conflict = anna.reply(1).await;
    assert_eq!(
        conflict["outcome"]["rejected"]["code"], "id_conflict",
        "{first}"
    );
}

#[tokio::test]
async fn a_second_server_on_the_folder_is_refused_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Process::on(folder.path()).await;
    let path = folder.path().to_str().unwrap();
    let flags = ["--demo", "--listen", "127.0.0.1:0", "--data", path];
    let (code, said) = crate::process::refused(&flags).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("open the embedded database"), "{said}");
}

#[tokio::test]
async fn a_token_is_refreshed_and_pings_are_answered() {
    let server = Process::ephemeral().await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.say(&json!({"ping": {}})).await;
    assert!(anna.next("pong").await["now"].is_i64());
    let token = token(&server, "Anna").await;
    anna.say(&json!({"refresh": {"token": token}})).await;
    assert_eq!(anna.next("welcome").await["who"]["customer"], "anna");
    let boris = crate::client::token(&server, "Boris").await;
    anna.say(&json!({"refresh": {"token": boris}})).await;
    assert_eq!(anna.next("error").await["code"], "forbidden");
    anna.hello_again().await;
}

impl Client {
    async fn hello_again(&mut self) {
        let frame = json!({"hello": {"token": "t", "device": "d", "resume": BTreeMap::<String, Value>::new()}});
        self.say(&frame).await;
        assert_eq!(self.next("error").await["code"], "hello_expected");
    }
}

/// In a dialog of their desk; nobody else does.
async fn the_supervisor_speaks_for_the_bank(server: &Process, dialog: u64, anna: &mut Client) {
    let mut sofia = Client::demo(server, "Sofia", "tab-3").await;
    sofia.next("reset").await;
    let body = json!({"text": "the cards are slow today"});
    let emergency = json!({"emergency": {"dialog": dialog, "incident": "cards", "body": body}});
    sofia.command("anna", 1, emergency.clone()).await;
    assert!(sofia.reply(1).await["outcome"]["accepted"].is_object());
    anna.event(&format!("dialog/{dialog}"), |e| {
        e["event"]["dialog"]["emergency"]["body"] == body
    })
    .await;
    anna.command("anna", 4, emergency).await;
    let error = anna.next("error").await;
    assert_eq!(error["code"], "forbidden", "{error}");
}

#[tokio::test]
async fn a_list_says_how_a_dialog_ended() {
    let server = Process::ephemeral().await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.command("anna", 1, open()).await;
    let dialog = accepted_dialog(&anna.reply(1).await);
    let token = token(&server, "Anna").await;
    let listed = async |outcome: Value| {
        loop {
            let path = "/api/customers/anna/dialogs";
            let (status, list) = get(&server.address, path, Some(&token)).await;
            assert_eq!(status, 200, "{list}");
            if list["dialogs"][0]["dialog"] == dialog {
                assert_eq!(list["dialogs"][0]["outcome"], outcome, "{list}");
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    listed(Value::Null).await;
    let close = json!({"close": {"dialog": dialog, "owner_epoch": null, "outcome": "ended"}});
    anna.command("anna", 2, close).await;
    assert!(anna.reply(2).await["outcome"]["accepted"].is_object());
    listed(json!("ended")).await;
    anna.command("anna", 3, json!({"reopen": {"dialog": dialog}}))
        .await;
    assert!(anna.reply(3).await["outcome"]["accepted"].is_object());
    listed(Value::Null).await;
}

#[tokio::test]
async fn notes_about_a_customer_are_read_by_staff_who_see_the_dialog() {
    let server = Process::ephemeral().await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.command("anna", 1, open()).await;
    let dialog = accepted_dialog(&anna.reply(1).await);
    let mut sofia = Client::demo(&server, "Sofia", "tab-3").await;
    sofia.next("reset").await;
    let body = json!({"text": "prefers to be called"});
    let about = json!({"note_customer": {"dialog": dialog, "body": body}});
    sofia.command("anna", 1, about.clone()).await;
    assert!(sofia.reply(1).await["outcome"]["accepted"].is_object());
    let path = format!("/api/dialogs/{dialog}/notes");
    let read = async |who: &str| {
        let token = token(&server, who).await;
        get(&server.address, &path, Some(&token)).await
    };
    let (status, notes) = read("Sofia").await;
    assert_eq!(status, 200, "{notes}");
    let note = &notes["notes"][0];
    assert_eq!((&note["note"], &note["body"]), (&json!(1), &body));
    assert_eq!(note["author"], json!({"staff": "sofia"}));
    // Not hers, and not an operator's who sees no dialog of hers.
    for other in ["Anna", "Olga"] {
        let (status, answer) = read(other).await;
        assert_eq!(status, 403, "{answer}");
    }
    anna.command("anna", 2, about).await;
    let error = anna.next("error").await;
    assert_eq!(error["code"], "forbidden", "{error}");
}
