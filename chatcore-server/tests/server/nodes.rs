//! Several nodes on one Kafka and one KeyDB, as processes.

use std::path::Path;

use chatcore::{ids::Partition, journal::Log};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::{
    client::{Client, get, request, token},
    process::{Process, refused, said, terminated_after},
};

/// What all nodes of a deployment have in common.
pub(crate) struct Deployment {
    folder: tempfile::TempDir,
    pub(crate) kafka: String,
    pub(crate) keydb: String,
    pub(crate) prefix: String,
}

impl Deployment {
    /// None when there is no Kafka or no KeyDB, unless there must be.
    pub(crate) fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let named = ["CHATCORE_KAFKA", "CHATCORE_KEYDB"].map(|name| std::env::var(name).ok());
        let [Some(kafka), Some(keydb)] = named else {
            let is_required = std::env::var("CHATCORE_TEST_REQUIRE").is_ok_and(|v| v == "1");
            assert!(
                !is_required,
                "CHATCORE_KAFKA and CHATCORE_KEYDB must name them"
            );
            return None;
        };
        let own = folder.path().file_name().unwrap().to_str().unwrap();
        let prefix = format!("nodes{}", own.replace('.', "-"));
        Some(Self {
            folder,
            kafka,
            keydb,
            prefix,
        })
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn node(&self, name: &str) -> Process {
        self.node_as(name, "all").await
    }

    async fn node_as(&self, name: &str, role: &str) -> Process {
        Process::demo(&[
            "--node",
            name,
            "--role",
            role,
            // Who leaves has its people leave at once.
            "--drain-ms",
            "8000",
            "--data",
            self.folder().to_str().unwrap(),
            "--kafka-brokers",
            &self.kafka,
            "--keydb-url",
            &self.keydb,
            "--prefix",
            &self.prefix,
            "--partitions",
            "4",
        ])
        .await
    }
}

fn message(dialog: u64, text: &str, epoch: &Value) -> Value {
    json!({"message": {"dialog": dialog, "body": {"text": text}, "reply_to": null, "owner_epoch": epoch}})
}

fn says(text: &str) -> impl Fn(&Value) -> bool {
    move |event| event["event"]["dialog"]["message"]["body"]["text"] == text
}

fn is_accepted(reply: &Value) -> bool {
    reply["outcome"]["accepted"].is_object()
}

/// A customer and an operator who have a dialog, and what they said in it.
pub(crate) struct Talk {
    anna: Client,
    olga: Client,
    dialog: u64,
    epoch: Value,
    said: Vec<String>,
}

impl Talk {
    /// The customer comes at one node, the operator at another.
    pub(crate) async fn begin(annas: &Process, olgas: &Process) -> Self {
        let mut anna = Client::demo(annas, "Anna", "tab-1").await;
        anna.command(
            "anna",
            1,
            json!({"open": {"channel": "web", "topic": null}}),
        )
        .await;
        let opened = anna.reply(1).await;
        let dialog = opened["outcome"]["accepted"]["dialog"].as_u64().unwrap();
        let mut olga = Client::demo(olgas, "Olga", "tab-2").await;
        olga.next("reset").await;
        let ask = json!({"ask_person": {"dialog": dialog, "queue": null}});
        anna.command("anna", 2, ask).await;
        assert!(is_accepted(&anna.reply(2).await));
        let is_waiting = |e: &Value| e["event"]["board"]["waiting"]["wait"]["dialog"] == dialog;
        olga.event("board/main", is_waiting).await;
        olga.take("olga", &json!(dialog)).await;
        let is_assigned = |e: &Value| e["event"]["dialog"]["assigned"].is_object();
        let stream = format!("dialog/{dialog}");
        let assigned = anna.event(&stream, is_assigned).await;
        olga.event(&stream, is_assigned).await;
        Self {
            anna,
            olga,
            dialog,
            epoch: assigned["event"]["dialog"]["assigned"]["epoch"].clone(),
            said: Vec::new(),
        }
    }

    /// One says something, then the other; both see both.
    pub(crate) async fn go_on(&mut self) {
        self.ask().await;
        self.answer().await;
    }

    /// The customer sends something; whether it arrives is not waited for.
    async fn ask(&mut self) {
        let count = self.said.len() as u64 / 2;
        let ask = message(self.dialog, &format!("question {count}"), &Value::Null);
        self.anna.command("anna", count + 3, ask).await;
    }

    /// It arrives, and the operator answers.
    async fn answer(&mut self) {
        let stream = format!("dialog/{}", self.dialog);
        let count = self.said.len() as u64 / 2;
        let (question, answer) = (format!("question {count}"), format!("answer {count}"));
        assert!(is_accepted(&self.anna.reply(count + 3).await));
        self.olga.event(&stream, says(&question)).await;
        let reply = message(self.dialog, &answer, &self.epoch);
        self.olga.command("anna", count + 1, reply).await;
        assert!(is_accepted(&self.olga.reply(count + 1).await));
        self.anna.event(&stream, says(&answer)).await;
        self.said.extend([question, answer]);
    }

    /// The customer comes back at another node, from where they were.
    async fn anna_moves(&mut self, to: &Process) {
        let seen = self.anna.events.clone();
        resume(&mut self.anna, ("Anna", "tab-1"), to).await;
        self.go_on().await;
        let twice = self.anna.events.keys().find(|key| seen.contains_key(*key));
        assert_eq!(twice, None, "what was had before came again");
    }

    /// The same of the operator.
    async fn olga_moves(&mut self, to: &Process) {
        resume(&mut self.olga, ("Olga", "tab-2"), to).await;
        self.go_on().await;
    }

    /// A node is asked to leave, and they go on talking until it has. Whoever sits there must have
    /// moved before it closes.
    async fn until_ended(&mut self, mut node: Process) {
        let ended = TaskTracker::new().spawn(async move { node.ended().await });
        while !ended.is_finished() {
            self.go_on().await;
        }
        assert!(ended.await.unwrap(), "the drain failed");
    }

    /// All that was said is there once and in order.
    pub(crate) async fn check(&self, at: &Process) {
        let path = format!("/api/dialogs/{}/events?after=0&limit=200", self.dialog);
        let (_, all) = get(&at.address, &path, Some(&token(at, "Anna").await)).await;
        let texts: Vec<_> = all["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| &event["event"]["dialog"]["message"])
            .filter(|message| message["author"] != "bot")
            .filter_map(|message| message["body"]["text"].as_str())
            .collect();
        assert_eq!(texts, self.said, "missing, twice or out of order");
    }
}

#[tokio::test]
async fn the_two_sides_of_a_dialog_sit_on_different_nodes_and_any_node_may_die() {
    let Some(deployment) = Deployment::new() else {
        return;
    };
    let one = deployment.node("node-1").await;
    let two = deployment.node("node-2").await;
    let three = deployment.node("node-3").await;
    let mut talk = Talk::begin(&one, &two).await;
    for _ in 0..3 {
        talk.go_on().await;
    }
    three.kill().await;
    for _ in 0..3 {
        talk.go_on().await;
    }
    one.kill().await;
    talk.anna_moves(&two).await;
    let one = deployment.node("node-1").await;
    talk.anna_moves(&one).await;
    for _ in 0..3 {
        talk.go_on().await;
    }
    talk.check(&two).await;
    talk.check(&one).await;
}

/// A person comes back at another node, from where they were.
async fn resume(client: &mut Client, (name, device): (&str, &str), to: &Process) {
    let positions = client.positions.clone();
    let token = token(to, name).await;
    *client = Client::socket(to).await;
    client.hello(&token, device, &positions).await;
}

#[tokio::test]
async fn gateways_and_workers_may_die_while_people_talk() {
    let Some(deployment) = Deployment::new() else {
        return;
    };
    let one = deployment.node_as("gateway-1", "gateway").await;
    let two = deployment.node_as("gateway-2", "gateway").await;
    let first = deployment.node_as("worker-1", "worker").await;
    let second = deployment.node_as("worker-2", "worker").await;
    for node in [&one, &two, &first, &second] {
        let (status, why) = get(&node.address, "/readyz", None).await;
        assert_eq!((status, &why["ready"]), (200, &json!(true)), "{why}");
    }
    let (status, failure) = get(&first.address, "/api/me", None).await;
    assert_eq!(
        (status, &failure["error"]["code"]),
        (503, &json!("unavailable"))
    );

    let mut talk = Talk::begin(&one, &two).await;
    for _ in 0..3 {
        talk.go_on().await;
    }
    talk.ask().await;
    first.kill().await;
    talk.answer().await;
    for _ in 0..3 {
        talk.go_on().await;
    }
    talk.ask().await;
    one.kill().await;
    resume(&mut talk.anna, ("Anna", "tab-1"), &two).await;
    // It may have arrived, and has no answer: the same once more.
    talk.ask().await;
    talk.answer().await;
    // What is there is worked off by nobody until a worker comes back.
    second.kill().await;
    talk.ask().await;
    let third = deployment.node_as("worker-1", "worker").await;
    talk.answer().await;
    talk.check(&two).await;
    drop(third);
}

#[tokio::test]
async fn nodes_are_restarted_one_after_another_while_people_talk() {
    let Some(deployment) = Deployment::new() else {
        return;
    };
    let one = deployment.node("node-1").await;
    let two = deployment.node_as("node-2", "gateway").await;
    let three = deployment.node_as("node-3", "worker").await;
    let mut talk = Talk::begin(&one, &two).await;
    talk.go_on().await;

    one.terminate().await;
    talk.anna.next("reconnect").await;
    talk.anna_moves(&two).await;
    talk.until_ended(one).await;
    let one = deployment.node("node-1").await;
    talk.go_on().await;

    two.terminate().await;
    talk.anna.next("reconnect").await;
    talk.anna_moves(&one).await;
    talk.olga_moves(&one).await;
    talk.until_ended(two).await;
    let two = deployment.node_as("node-2", "gateway").await;
    talk.anna_moves(&two).await;

    three.terminate().await;
    talk.until_ended(three).await;
    let three = deployment.node_as("node-3", "worker").await;
    for _ in 0..3 {
        talk.go_on().await;
    }
    talk.check(&one).await;
    talk.check(&two).await;
    drop(three);
}

#[tokio::test]
async fn all_nodes_may_die_and_come_back() {
    let Some(deployment) = Deployment::new() else {
        return;
    };
    let one = deployment.node("node-1").await;
    let two = deployment.node("node-2").await;
    let mut talk = Talk::begin(&one, &two).await;
    talk.go_on().await;
    one.kill().await;
    two.kill().await;
    let one = deployment.node("node-1").await;
    let olga = token(&one, "Olga").await;
    let positions = talk.olga.positions.clone();
    talk.olga = Client::socket(&one).await;
    talk.olga.hello(&olga, "tab-2", &positions).await;
    talk.anna_moves(&one).await;
    talk.check(&one).await;
}

#[tokio::test]
async fn dead_letters_are_looked_after_beside_the_nodes() {
    let Some(deployment) = Deployment::new() else {
        return;
    };
    let one = deployment.node("node-1").await;
    let mut config = chatcore_kafka::KafkaConfig::new(&deployment.kafka, &deployment.prefix);
    config.partitions = 4;
    let kafka = chatcore_kafka::Kafka::open(config).await.unwrap();
    let poison = bytes::Bytes::from_static(b"\x01 no record");
    let appended = kafka
        .journal()
        .try_append(Log::Commands, Partition(0), poison);
    appended.unwrap().await.unwrap();
    let asked = async |words: &[&str]| {
        let storage = [
            "--json",
            "--partitions",
            "4",
            "--prefix",
            &deployment.prefix,
        ];
        let services = [
            "--kafka-brokers",
            &deployment.kafka,
            "--keydb-url",
            &deployment.keydb,
        ];
        let words = [&["dead-letters"], words, &storage, &services].concat();
        let (code, output, errors) = said(&words).await;
        assert_eq!(code, Some(0), "{errors}");
        serde_json::from_str::<Value>(&output).unwrap()
    };
    let letter = loop {
        let listed = asked(&["list"]).await;
        if let Some(letter) = listed["letters"]["letters"].get(0) {
            break letter.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(letter["partition"], 0, "{letter}");
    let number = letter["number"].to_string();
    assert!(asked(&["drop", &number]).await["dropped"].is_object());
    assert_eq!(asked(&["list"]).await["letters"]["letters"], json!([]));
    drop(one);
}

#[tokio::test]
async fn a_node_tells_the_figures_of_its_services_and_of_all_partitions() {
    let Some(deployment) = Deployment::new() else {
        return;
    };
    let one = deployment.node("node-1").await;
    let is_whole = async || {
        let (_, lag) = get(&one.address, "/lag", None).await;
        let all = lag["partitions"].as_array().cloned().unwrap_or_default();
        all.len() == 4
            && all
                .iter()
                .all(|p| p["built"] == true && p["unapplied"] == 0)
    };
    let begun = tokio::time::timeout(crate::process::LONG, async {
        while !is_whole().await {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    begun.await.expect("all partitions have an owner");
    let (_, _, figures) = request(&one.address, "GET /metrics", "").await;
    let figure = |name: &str| {
        let line = figures.lines().find_map(|line| line.strip_prefix(name));
        let value = line.and_then(|rest| rest.trim().parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("{name} is not in:\n{figures}"))
    };
    assert!(figure("chatcore_keydb_up ") == 1.0);
    assert!(figure("chatcore_keydb_connections ") >= 1.0);
    assert!(figure("chatcore_keydb_calls{state=\"idle\"} ") >= 1.0);
    assert!(figure("chatcore_keydb_calls{state=\"waiting\"} ") >= 0.0);
    assert!(figure("chatcore_keydb_connects_total ") >= 1.0);
    assert!(figure("chatcore_keydb_calls_refused_total ") >= 0.0);
    assert!(figure("chatcore_keydb_clients ") < figure("chatcore_keydb_clients_max "));
    assert!(figure("chatcore_keydb_memory_bytes ") > 0.0);
    assert!(
        figure("chatcore_kafka_pending_records ") < figure("chatcore_kafka_pending_records_max ")
    );
    assert!(figure("chatcore_kafka_producers_replaced_total ") == 0.0);
    let engine = "chatcore_kafka_assigned_partitions{group=\"engine\"} ";
    assert!(figure(engine) == 4.0);
}

#[tokio::test]
async fn services_that_do_not_go_together_are_refused_at_the_start() {
    let (code, said) = refused(&["--demo", "--kafka-brokers", "127.0.0.1:1"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("is set without keydb_url; expected both"),
        "{said}"
    );
    let (_, said) = refused(&["--demo", "--keydb-url", "redis://127.0.0.1:1"]).await;
    assert!(
        said.contains("is set without kafka_brokers; expected both"),
        "{said}"
    );
}

#[tokio::test]
async fn a_node_that_waits_for_its_services_leaves_when_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let services = [
        "--kafka-brokers",
        "127.0.0.1:1",
        "--keydb-url",
        "redis://127.0.0.1:1",
    ];
    let flags = [
        &services[..],
        &["--data", folder, "--listen", "127.0.0.1:0"],
    ]
    .concat();
    assert!(terminated_after("waiting for Kafka", &flags).await);
}
