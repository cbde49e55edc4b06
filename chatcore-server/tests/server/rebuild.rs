//! Views that are built again from the journal, as they are asked for on the command line.

use serde_json::json;

use crate::{
    client::{Client, get, token},
    process::{Process, said},
};

#[tokio::test]
async fn a_folders_views_are_built_again_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut server = Process::on(folder.path()).await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    let open = json!({"open": {"channel": "web", "topic": "cards"}});
    anna.command("anna", 1, open.clone()).await;
    let opened = anna.reply(1).await;
    let dialog = opened["outcome"]["accepted"]["dialog"].clone();
    let events = format!("/api/dialogs/{dialog}/events?after=0&limit=200");
    // What the bot says to it is there, too.
    let history = async |server: &Process| {
        loop {
            let (status, all) =
                get(&server.address, &events, Some(&token(server, "Anna").await)).await;
            if status == 200 && all["events"].as_array().is_some_and(|all| all.len() >= 2) {
                return all;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let before = history(&server).await;
    let (code, _, errors) = said(&["rebuild", "--all", "--data", path]).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("must be stopped first"), "{errors}");
    server.terminate().await;
    assert!(server.ended().await);

    let (code, told, errors) = said(&["rebuild", "--data", path]).await;
    assert_eq!(
        (code, told.as_str()),
        (Some(0), "every view is built\n"),
        "{errors}"
    );
    let (code, _, errors) = said(&["rebuild", "--partition", "8", "--data", path]).await;
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("there is no partition 8; the last one is 7"),
        "{errors}"
    );
    for _again in 0..2 {
        let (code, told, errors) = said(&["rebuild", "--all", "--data", path]).await;
        assert_eq!(code, Some(0), "{errors}");
        assert_eq!(told.lines().count(), 8, "{told}");
        assert!(
            told.starts_with("partition 0: is built when the server starts\n"),
            "{told}"
        );
    }
    let server = Process::on(folder.path()).await;
    assert_eq!(
        history(&server).await,
        before,
        "nothing is missing or twice"
    );
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.command("anna", 1, open).await;
    assert_eq!(anna.reply(1).await, opened, "it is not opened once more");
}

#[cfg(all(feature = "kafka", feature = "keydb"))]
mod beside_nodes {
    use crate::{
        client::request,
        nodes::{Deployment, Talk},
        process::{Process, said},
    };

    async fn rebuild(deployment: &Deployment, words: &[&str]) -> String {
        let services = [
            "--kafka-brokers",
            &deployment.kafka,
            "--keydb-url",
            &deployment.keydb,
            "--prefix",
            &deployment.prefix,
            "--partitions",
            "4",
        ];
        let words = [&["rebuild"], words, &services].concat();
        let (code, told, errors) = said(&words).await;
        assert_eq!(code, Some(0), "{errors}");
        told
    }

    async fn rebuilds(node: &Process) -> u64 {
        let (_, _, figures) = request(&node.address, "GET /metrics", "").await;
        let line = figures
            .lines()
            .find_map(|line| line.strip_prefix("chatcore_engine_rebuilds_total "));
        line.unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn views_are_built_again_by_the_nodes_that_run_while_people_talk() {
        let Some(deployment) = Deployment::new() else {
            return;
        };
        let one = deployment.node("node-1").await;
        let two = deployment.node("node-2").await;
        let mut talk = Talk::begin(&one, &two).await;
        for _ in 0..3 {
            talk.go_on().await;
        }
        let before = rebuilds(&one).await + rebuilds(&two).await;
        assert_eq!(rebuild(&deployment, &[]).await, "every view is built\n");
        let told = rebuild(&deployment, &["--partition", "2"]).await;
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines[0], "partition 2: its view is empty now");
        assert!(
            lines.last().unwrap().starts_with("partition 2: built in "),
            "{told}"
        );
        talk.go_on().await;
        let told = rebuild(&deployment, &["--all"]).await;
        for n in 0..4 {
            let on = format!("partition {n}: ended early, `rebuild --all --from {n}` goes on");
            assert!(told.contains(&on), "{told}");
            assert!(
                told.contains(&format!("partition {n}: built in ")),
                "{told}"
            );
        }
        talk.go_on().await;
        assert_eq!(rebuilds(&one).await + rebuilds(&two).await, before + 5);
        assert_eq!(rebuild(&deployment, &[]).await, "every view is built\n");
        talk.check(&one).await;
        talk.check(&two).await;
    }
}
