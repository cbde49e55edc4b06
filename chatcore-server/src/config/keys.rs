//! The keys: their names in the file, in the environment and on the command line.

use clap::{Arg, ArgAction, Command, value_parser};

/// A key of the configuration. `connections_max` in the file is `CHATCORE_CONNECTIONS_MAX` in the
/// environment and `--connections-max` on the command line.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// What its value is called in the help; none for a switch.
    pub value: Option<&'static str>,
    /// What it does, with its default.
    pub help: &'static str,
}

impl Key {
    /// Its name in the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("CHATCORE_{}", self.name.to_ascii_uppercase())
    }

    /// Its name on the command line, without the dashes before it.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

const fn key(name: &'static str, value: &'static str, help: &'static str) -> Key {
    Key {
        name,
        value: Some(value),
        help,
    }
}

const fn switch(name: &'static str, help: &'static str) -> Key {
    Key {
        name,
        value: None,
        help,
    }
}

/// Every key but `config` (the file itself) and `desks` (in the file only).
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    switch("demo", "Brings demo people with ready tokens; loopback only"),
    switch("demo_on_all_interfaces", "Lets the demo listen elsewhere than on loopback"),
    key("listen", "ADDRESS", "Where to listen; port 0 takes a free one [127.0.0.1:8080]"),
    key("tls_certificate_file", "FILE", "Has the certificates to show, in PEM; read again by itself; with tls_key_file [no TLS]"),
    key("tls_key_file", "FILE", "Has the key to the first of them, in PEM"),
    key("trusted_proxies", "LIST", "Whose X-Forwarded-For is believed: addresses or networks, by comma [none]"),
    key("data", "FOLDER", "Where everything is kept; with Kafka the archive alone [chatcore-data]"),
    switch("ephemeral", "Keeps everything in memory, until the process ends"),
    key("kafka_brokers", "LIST", "Keeps the journal on this Kafka, by host:port; with keydb_url"),
    key("kafka_properties", "FILE", "Properties of librdkafka for it, a line each: name=value"),
    key("kafka_replication", "NUMBER", "Copies of topics that are created [1]"),
    key("keydb_url", "URL", "Keeps the live view there: redis://… or redis+sentinel://…/NAME"),
    key("keydb_ca", "FILE", "Has whom to trust there with rediss://, in PEM [whom the system trusts]"),
    key("keydb_certificate", "FILE", "Has the certificate to show there, in PEM; with keydb_key"),
    key("keydb_key", "FILE", "Has the key to that certificate, in PEM"),
    key("prefix", "TEXT", "Begins the names of topics, groups and keys [chatcore]"),
    key("node", "NAME", "This process's name, another for each node [node-1]"),
    key("role", "ROLE", "What this node does: all, gateway or worker [all]"),
    key("token_keys_file", "FILE", "Has the public keys that tokens are signed with, a JSON Web Key Set; read again by itself"),
    key("token_secret_file", "FILE", "Has the secret that tokens are signed with (HS256), instead of keys"),
    key("token_secret", "SECRET", "The secret itself, for tests; a file is safer"),
    key("token_issuer", "TEXT", "The only iss that is taken [any]"),
    key("token_audience", "TEXT", "The only aud that is taken [none]"),
    key("origins", "LIST", "Origins of pages that may connect, by comma [the server's own host]"),
    key("connections_max", "NUMBER", "Most connections at a time [10000]"),
    key("connections_per_address", "NUMBER", "Most of them of one address [1000]"),
    key("sessions_per_person", "NUMBER", "Most sessions of one person on a node [32]"),
    key("command_burst", "NUMBER", "Commands that one person may send at once [128]"),
    key("commands_per_second", "NUMBER", "Commands a second of one person after that [50]"),
    key("command_kinds", "LIST", "Of some kinds fewer, KIND=AT_ONCE/A_MINUTE by comma [open=20/20]"),
    key("request_burst", "NUMBER", "Requests that one person may make at once [200]"),
    key("requests_per_second", "NUMBER", "Requests a second of one person after that [50]"),
    key("frame_burst", "NUMBER", "Frames that one session may send at once [512]"),
    key("frames_per_second", "NUMBER", "Frames a second of one session after that [200]"),
    key("refusals_per_minute", "NUMBER", "Refused so often for haste, a session is closed [300]"),
    key("tls_handshake_ms", "NUMBER", "How long a handshake of TLS may take, in milliseconds [5000]"),
    key("header_ms", "NUMBER", "How long a request's head may take, in milliseconds [5000]"),
    key("write_ms", "NUMBER", "How long a write may get nowhere, in milliseconds [10000]"),
    key("partitions", "NUMBER", "Partitions of a new journal; fixed when it is created [8]"),
    key("queue", "DESK/QUEUE", "Where dialogs wait that have no queue of their own [main/general]"),
    key("bot_rules", "FILE", "Rules of the bot [built in]"),
    key("redact_rules", "FILE", "What is taken out of what people write, in TOML [built in]"),
    key("drain_ms", "NUMBER", "How long leaving may take, in milliseconds [20000]"),
    key("log_format", "FORMAT", "json or text [text]"),
    key("log_level", "LEVEL", "off, error, warn, info, debug, trace, or levels by part [info]"),
];

/// Those that say which storage or rules are meant: of use after a subcommand, too.
const OF_SUBCOMMANDS: [&str; 12] = [
    "data",
    "ephemeral",
    "kafka_brokers",
    "kafka_properties",
    "kafka_replication",
    "keydb_ca",
    "keydb_certificate",
    "keydb_key",
    "keydb_url",
    "partitions",
    "prefix",
    "redact_rules",
];

/// What a key is when nobody sets it.
pub(super) fn default(name: &str) -> Option<&'static str> {
    Some(match name {
        "listen" => "127.0.0.1:8080",
        "kafka_replication" => "1",
        "prefix" => "chatcore",
        "node" => "node-1",
        "role" => "all",
        "connections_max" => "10000",
        "connections_per_address" => "1000",
        "command_burst" => "128",
        "commands_per_second" => "50",
        "sessions_per_person" => "32",
        "command_kinds" => "open=20/20",
        "request_burst" => "200",
        "requests_per_second" => "50",
        "frame_burst" => "512",
        "frames_per_second" => "200",
        "refusals_per_minute" => "300",
        "tls_handshake_ms" | "header_ms" => "5000",
        "write_ms" => "10000",
        "partitions" => "8",
        "queue" => "main/general",
        "drain_ms" => "20000",
        _ => return None,
    })
}

/// The command line.
pub(super) fn command() -> Command {
    let mut command = Command::new("chatcore-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A chat between a bank's customers and its operators")
        .after_help(
            "Every flag can stand in the file (a-b as a_b) or the environment (CHATCORE_A_B).",
        )
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help("A TOML file with any of these")
                .global(true),
        )
        .subcommand(dead_letters())
        .subcommand(rebuild())
        .subcommand(redact());
    for key in KEYS {
        let mut arg = Arg::new(key.name).long(key.flag()).help(key.help);
        if OF_SUBCOMMANDS.contains(&key.name) {
            arg = arg.global(true);
        }
        command = command.arg(match key.value {
            Some(value) => arg.value_name(value).action(ArgAction::Set),
            None => arg.action(ArgAction::SetTrue),
        });
    }
    command
}

/// `dead-letters`, with what can be done with them.
fn dead_letters() -> Command {
    let number = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("NUMBER")
            .value_parser(value_parser!(u64))
            .help(help)
    };
    let of_one = |name: &'static str, about: &'static str| {
        let which = Arg::new("number").value_parser(value_parser!(u64));
        Command::new(name)
            .about(about)
            .arg(which.required(true).help("As the list has it"))
    };
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    Command::new("dead-letters")
        .about("Looks after commands and events that could not be read, decided or delivered")
        .subcommand_required(true)
        .arg(json.global(true).help("One line of JSON instead of text"))
        .subcommand(
            Command::new("list")
                .about("Lists them: place, reason, and what is in them by kind and size")
                .arg(number("after", "Only those with a number above this one"))
                .arg(number("limit", "At most so many [100]").default_value("100")),
        )
        .subcommand(of_one("show", "Shows one, without what people wrote"))
        .subcommand(of_one(
            "replay",
            "Appends one of the engine as a new command, and forgets the letter",
        ))
        .subcommand(of_one("drop", "Forgets one: it is not tried again"))
}

/// `rebuild`, with what is built again.
fn rebuild() -> Command {
    let number = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("NUMBER")
            .value_parser(value_parser!(u32))
            .help(help)
    };
    let all = Arg::new("all").long("all").action(ArgAction::SetTrue);
    Command::new("rebuild")
        .about(
            "Shows how far the views are that are being built from the journal; has others built",
        )
        .arg(
            number(
                "partition",
                "Empties the view of this one, and has it built",
            )
            .conflicts_with("all"),
        )
        .arg(all.help("Does so with all partitions, one after the other"))
        .arg(number("from", "Begins with this one").requires("all"))
}

/// `redact`, with the cases to test the rules with.
fn redact() -> Command {
    let test = Arg::new("test").long("test").value_name("FILE");
    Command::new("redact")
        .about("Tests what is taken out of what people write")
        .arg(
            test.required(true)
                .help("Has cases, in TOML: what is said, what is stored"),
        )
}

/// The library's text without its own "error: ", which would stand twice.
pub(super) fn without_prefix(text: &str) -> String {
    text.strip_prefix("error: ")
        .unwrap_or(text)
        .trim_end()
        .to_owned()
}
