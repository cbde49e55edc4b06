//! Every command that is sent. KeyDB 6.3 has each of them, in the form in which it is used.

use redis::Cmd;

/// The commands that are used, by this crate and inside its scripts: what an ACL user must be
/// allowed. All are in KeyDB 6.3, Redis 6.2 and Valkey.
pub const COMMANDS: &[&str] = &[
    // Sent by the client library when it connects.
    "AUTH",
    "PING",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    // Sent by this crate.
    "EVALSHA",
    "GET",
    "HGET",
    "HSET",
    "INFO",
    "PUBLISH",
    "ROLE",
    "SCRIPT",
    "SET",
    "ZADD",
    "ZRANGEBYSCORE",
    "ZREM",
    "ZREVRANGEBYSCORE",
    // Inside scripts.
    "HDEL",
    "HINCRBY",
    "HLEN",
    "HMGET",
    "HSCAN",
    "LRANGE",
    "RPUSH",
    "SADD",
    "SCARD",
    "SPOP",
    "SREM",
    "TIME",
    "UNLINK",
    "ZREMRANGEBYSCORE",
    "ZSCORE",
];

/// Sent to Sentinels alone.
#[cfg(test)]
pub(crate) const TO_SENTINELS: &[&str] = &["SENTINEL"];

/// Begins a command. The only place where one is made, so that a test finds them all.
pub(crate) fn command(name: &'static str) -> Cmd {
    redis::cmd(name)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn texts(folder: &str, ending: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.display().to_string();
                if path.is_dir() {
                    folders.push(path);
                } else if name.ends_with(ending) {
                    found.push((name, fs::read_to_string(path).unwrap()));
                }
            }
        }
        assert!(!found.is_empty(), "no {ending} in {folder}");
        found
    }

    /// The names in `before("NAME"`, with either quote.
    fn named<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
        let after = text.split(before).skip(1);
        after
            .map(|rest| {
                let quote = rest.chars().next().filter(|c| "'\"".contains(*c));
                let quote = quote.unwrap_or_else(|| panic!("{before} without a literal name"));
                rest[1..].split(quote).next().unwrap()
            })
            .collect()
    }

    #[test]
    fn every_command_is_in_the_checked_list_and_all_of_the_list_is_used() {
        let mut used: BTreeSet<String> = ["AUTH", "PING", "SUBSCRIBE", "UNSUBSCRIBE"]
            .map(str::to_owned)
            .into();
        for (file, text) in texts("src/lua", ".lua") {
            assert!(!text.contains("redis.pcall"), "{file}: errors end a script");
            assert!(
                !text.starts_with("#!"),
                "{file}: KeyDB has no script headers"
            );
            used.extend(named(&text, "redis.call(").into_iter().map(str::to_owned));
        }
        for (file, text) in texts("src", ".rs") {
            if file.ends_with("command.rs") {
                continue;
            }
            assert!(!text.contains("redis::cmd"), "{file}: use command()");
            let sent = text.replace("fn command(", "");
            let sent = named(&sent, " command(")
                .into_iter()
                .chain(named(&sent, "(command("));
            let sent = sent.filter(|name| !TO_SENTINELS.contains(name));
            used.extend(sent.map(str::to_owned));
        }
        let listed: BTreeSet<String> = COMMANDS.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(used, listed);
    }

    /// What a look at KeyDB 6.3 found missing.
    #[test]
    fn nothing_is_listed_that_keydb_lacks() {
        let missing = [
            "BLMPOP",
            "LMPOP",
            "BZMPOP",
            "ZMPOP",
            "EVAL_RO",
            "EVALSHA_RO",
            "EXPIRETIME",
            "PEXPIRETIME",
            "FCALL",
            "FUNCTION",
            "LCS",
            "SINTERCARD",
            "ZINTERCARD",
            "SORT_RO",
            "SPUBLISH",
            "SSUBSCRIBE",
            "WAITAOF",
        ];
        assert!(missing.iter().all(|name| !COMMANDS.contains(name)));
    }
}
