//! What the sources make of each other, and that every mistake is named.

use std::fs;

use super::*;

fn load(flags: &[&str], variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let flags = std::iter::once("chatcore-server").chain(flags.iter().copied());
    let variables = variables
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    match Config::load(flags.map(str::to_owned), variables) {
        Ok(Asked::Run(config)) => Ok(*config),
        Ok(Asked::Say(text)) => panic!("said {text}"),
        Ok(Asked::DeadLetters(command)) => panic!("{command:?}"),
        Ok(Asked::Rebuild(command)) => panic!("{command:?}"),
        Ok(Asked::Redact(command)) => panic!("{command:?}"),
        Err(problems) => Err(problems.0),
    }
}

fn file(name: &str, text: &str) -> String {
    let path = std::env::temp_dir().join(format!("chatcore-{}-{name}.toml", std::process::id()));
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn the_demo_needs_nothing_else() {
    // Where tests run, the environment has more than the server's keys.
    let others = ["KAFKA", "KEYDB", "TOOLS_DIR", "CHROMIUM", "TEST_REQUIRE"];
    let others = others.map(|name| format!("CHATCORE_{name}"));
    let others = others.each_ref().map(|name| (name.as_str(), "x"));
    let config = load(&["--demo"], &others).unwrap();
    assert_eq!(config.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.storage, Storage::Folder("chatcore-data".into()));
    assert_eq!(config.desks.len(), 1);
    assert!(matches!(config.tokens, Tokens::Demo));
}

#[test]
fn a_demo_elsewhere_than_on_loopback_is_refused_unless_told_twice() {
    let flags = ["--demo", "--listen", "0.0.0.0:0"];
    let problems = load(&flags, &[]).unwrap_err();
    assert!(problems[0].starts_with("--listen: "), "{problems:?}");
    assert!(
        problems[0].contains("--demo-on-all-interfaces"),
        "{problems:?}"
    );
    assert!(load(&[&flags[..], &["--demo-on-all-interfaces"]].concat(), &[]).is_ok());
    assert!(load(&["--demo", "--listen", "[::1]:0"], &[]).is_ok());
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let path = file(
        "layers",
        "demo = true\nnode = \"f\"\npartitions = 3\ndrain_ms = 1000\n",
    );
    let variables = [
        ("CHATCORE_NODE", "e"),
        ("CHATCORE_PARTITIONS", "4"),
        ("CHATCORE_CONFIG", &path),
    ];
    let config = load(&["--node", "c"], &variables).unwrap();
    assert_eq!(config.node.as_str(), "c");
    assert_eq!(config.partitions.get(), 4);
    assert_eq!(config.drain_timeout, Duration::from_secs(1));
}

#[test]
fn every_problem_is_told_at_once_with_its_key_and_what_is_expected() {
    let path = file(
        "problems",
        "wrong = 1\nnode = \"a b\"\n[desks.main.queues.general]\ntitle = \"G\"\n\
         [desks.main.operators.olga]\nname = \"Olga\"\ncapacity = 2\nqueues = [\"cards\"]\n\
         [desks.second]\nqueues = {}\ngrace_ms = \"long\"\n",
    );
    let variables = [
        ("CHATCORE_PARTITIONS", "0"),
        ("CHATCORE_LISTN", "x"),
        ("CHATCORE_TEST_REQUIRE", "1"),
        ("CHATCORE_TOKEN_SECRET", "short-and-secret"),
    ];
    let flags = [
        "--config",
        &path,
        "--listen",
        "here",
        "--log-format",
        "xml",
        "--origins",
        "*",
    ];
    let problems = load(&flags, &variables).unwrap_err();
    let all = problems.join("\n");
    for expected in [
        "wrong in ",
        "node in ",
        "CHATCORE_PARTITIONS: `0` can't be used; expected a number from 1 to 4096",
        "CHATCORE_LISTN: there is no such key",
        "CHATCORE_TOKEN_SECRET: has 16 bytes; expected at least 32",
        "--listen: `here` can't be used; expected an address and port",
        "--log-format: `xml` is no format; expected json or text",
        "--origins: `*` can't be used; expected origins such as",
        "desks.main.operators.olga.queues: `cards` is not a queue of this desk",
        "desks.second.grace_ms: ",
    ] {
        assert!(all.contains(expected), "{expected} is not in:\n{all}");
    }
    assert!(!all.contains("short-and-secret"), "{all}");
    assert!(!all.contains("TEST_REQUIRE"), "{all}");
}

#[test]
fn without_the_demo_a_secret_is_needed() {
    let problems = load(&[], &[]).unwrap_err();
    assert!(problems[0].contains("--demo"), "{problems:?}");
    let path = file("secret", "0123456789abcdef0123456789abcdef\n");
    let config = load(&["--token-secret-file", &path], &[]).unwrap();
    let Tokens::Signed(rules) = config.tokens else {
        panic!("the demo's tokens are taken");
    };
    assert_eq!(rules.secret.len(), 32);
}

#[test]
fn public_keys_need_an_issuer_and_an_audience_and_no_secret_beside_them() {
    let needed = load(&["--token-keys-file", "/keys.json"], &[]).unwrap_err();
    let all = needed.join("\n");
    assert!(
        all.contains("token_issuer") && all.contains("token_audience"),
        "{all}"
    );
    let whole = [
        "--token-keys-file",
        "/keys.json",
        "--token-issuer",
        "https://login.bank.example",
        "--token-audience",
        "chatcore",
    ];
    let config = load(&whole, &[]).unwrap();
    let Tokens::Keys(rules) = config.tokens else {
        panic!("a secret is expected");
    };
    assert_eq!(rules.audience, "chatcore");
    let secret = "s".repeat(32);
    let beside = [whole.as_slice(), &["--token-secret", &secret]].concat();
    let both = load(&beside, &[]).unwrap_err().join("\n");
    assert!(both.contains("beside token_keys_file"), "{both}");
}

#[test]
fn help_and_version_are_said_and_an_unknown_flag_is_a_problem() {
    let said = Config::load(["chatcore-server".to_owned(), "--help".to_owned()], []);
    assert!(matches!(said, Ok(Asked::Say(text)) if text.contains("--demo-on-all-interfaces")));
    assert!(load(&["--dmo"], &[]).unwrap_err()[0].contains("--dmo"));
}

#[test]
fn dead_letters_take_the_folder_before_and_after_the_word() {
    let asked = |words: &[&str], variables: &[(&str, &str)]| {
        let words = ["chatcore-server"].iter().chain(words);
        let variables = variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        match Config::load(words.map(|word| (*word).to_owned()), variables) {
            Ok(Asked::DeadLetters(command)) => command,
            other => panic!("{other:?}"),
        }
    };
    let list = Action::List {
        after: None,
        limit: 100,
    };
    let before = asked(&["--data", "here", "dead-letters", "list"], &[]);
    assert_eq!(
        (before.storage, before.action),
        (Storage::Folder("here".into()), list)
    );
    assert_eq!((before.partitions, before.json), (8, false));
    let words = ["dead-letters", "replay", "7", "--data", "here", "--json"];
    let after = asked(&words, &[("CHATCORE_PARTITIONS", "3")]);
    assert_eq!(
        (after.storage, after.action),
        (Storage::Folder("here".into()), Action::Replay(7))
    );
    assert_eq!((after.partitions, after.json), (3, true));
    // No token, no desk: what only a running server needs is not asked for.
    let none = asked(&["dead-letters", "drop", "7"], &[]);
    assert_eq!(
        (none.storage, none.action),
        (Storage::Folder("chatcore-data".into()), Action::Drop(7))
    );
}

#[test]
fn views_to_be_built_again_are_named_or_watched() {
    let asked = |words: &[&str]| {
        let words = ["chatcore-server", "rebuild", "--data", "here"]
            .iter()
            .chain(words)
            .map(|word| (*word).to_owned());
        match Config::load(words, []) {
            Ok(Asked::Rebuild(command)) => Ok((command.which, command.partitions)),
            Err(problems) => Err(problems.0),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(asked(&[]), Ok((Which::Watch, 8)));
    assert_eq!(asked(&["--partition", "3"]), Ok((Which::One(3), 8)));
    assert_eq!(asked(&["--all"]), Ok((Which::From(0), 8)));
    let on = ["--all", "--from", "5", "--partitions", "16"];
    assert_eq!(asked(&on), Ok((Which::From(5), 16)));
    for wrong in [
        &["--all", "--partition", "3"][..],
        &["--from", "3"],
        &["--partition", "-1"],
        &["--ephemeral"],
    ] {
        assert!(asked(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_node_that_leaves_work_to_others_needs_storage_that_others_share() {
    assert_eq!(load(&["--demo"], &[]).unwrap().role, NodeRole::All);
    let problems = load(&["--demo", "--role", "both"], &[]).unwrap_err();
    assert_eq!(
        problems,
        ["--role: `both` can't be used; expected all, gateway or worker"]
    );
    for storage in [&["--demo"][..], &["--demo", "--ephemeral"]] {
        assert!(load(&[storage, &["--role", "all"]].concat(), &[]).is_ok());
        for role in ["gateway", "worker"] {
            let problems = load(storage, &[("CHATCORE_ROLE", role)]).unwrap_err();
            let [problem] = &problems[..] else {
                panic!("{problems:?}");
            };
            let expected = format!("CHATCORE_ROLE: `{role}` leaves work to other nodes");
            assert!(problem.starts_with(&expected), "{problem}");
            assert!(problem.contains("kafka_brokers and keydb_url"), "{problem}");
        }
    }
    if cfg!(all(feature = "kafka", feature = "keydb")) {
        let shared = [
            "--demo",
            "--kafka-brokers",
            "k:9092",
            "--keydb-url",
            "redis://r:6379",
        ];
        let worker = load(&[&shared[..], &["--role", "worker"]].concat(), &[]);
        assert_eq!(worker.unwrap().role, NodeRole::Worker);
    }
}

#[test]
fn a_kafka_and_a_keydb_go_together_and_their_secrets_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kafka.properties");
    let properties = "# for the bank\nsasl.username = chat\nsasl.password=hunter2\nhalf a secret\n";
    std::fs::write(&file, properties).unwrap();
    let words = |prefix: &str| {
        let file = file.to_str().unwrap();
        let words = [
            "chatcore-server",
            "--demo",
            "--kafka-brokers",
            "k:9092",
            "--keydb-url",
            "redis://:hunter2@r:6379",
            "--kafka-properties",
            file,
            "--prefix",
            prefix,
        ];
        words.map(str::to_owned)
    };
    let problems = Config::load(words("no spaces"), [])
        .unwrap_err()
        .to_string();
    for problem in ["line 4 of", "1 to 32 letters, digits and .-_"] {
        assert!(problems.contains(problem), "{problems}");
    }
    assert!(!problems.contains("hunter2") && !problems.contains("half a secret"));

    std::fs::write(&file, properties.replace("half a secret\n", "")).unwrap();
    let loaded = Config::load(words("bank.chat"), []);
    if cfg!(not(all(feature = "kafka", feature = "keydb"))) {
        let problems = loaded.unwrap_err().to_string();
        assert!(problems.contains("--features kafka,keydb"), "{problems}");
        return;
    }
    let Ok(Asked::Run(config)) = loaded else {
        panic!("{loaded:?}");
    };
    assert!(!format!("{config:?}").contains("hunter2"));
    let Storage::Shared(shared) = config.storage else {
        panic!("{:?}", config.storage);
    };
    assert_eq!(shared.properties["sasl.password"].0, "hunter2");
    assert_eq!(shared.properties["sasl.username"].0, "chat");
}

#[test]
fn a_certificate_and_its_key_go_together_and_the_key_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pem");
    std::fs::write(&file, "secret").unwrap();
    let file = file.to_str().unwrap();
    let shared = [
        "--demo",
        "--kafka-brokers",
        "k:9092",
        "--keydb-url",
        "rediss://r:6379",
    ];
    let certificate = ["--keydb-certificate", file];
    for (more, problem) in [
        (certificate, "is set without keydb_key; expected both"),
        (
            ["--keydb-key", file],
            "is set without keydb_certificate; expected both",
        ),
        (["--keydb-ca", "nowhere.pem"], "`nowhere.pem` can't be read"),
    ] {
        let problems = load(&[&shared[..], &more].concat(), &[]).unwrap_err();
        let problems = problems.join("; ");
        assert!(problems.contains(problem), "{problems}");
    }
    if cfg!(all(feature = "kafka", feature = "keydb")) {
        let words = [
            &shared[..],
            &certificate,
            &["--keydb-key", file, "--keydb-ca", file],
        ];
        let config = load(&words.concat(), &[]).unwrap();
        assert!(!format!("{config:?}").contains("Hidden(\"secret"));
        let Storage::Shared(shared) = config.storage else {
            panic!("{:?}", config.storage);
        };
        assert_eq!(shared.certificates.trusted.as_deref(), Some("secret"));
        assert_eq!(shared.certificates.identity.unwrap().1.0, "secret");
    }
}
