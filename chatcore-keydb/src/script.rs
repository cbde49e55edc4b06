//! The scripts: each is one atomic step, loaded by its hash.

use std::sync::LazyLock;

use redis::Cmd;

use crate::command::command;

/// A script, as it stands in its file.
#[derive(Debug)]
pub(crate) struct Script {
    source: &'static str,
    hash: String,
}

impl Script {
    fn new(source: &'static str) -> Self {
        Self {
            source,
            hash: redis::Script::new(source).get_hash().to_owned(),
        }
    }

    /// Loads it.
    pub(crate) fn load(&self) -> Cmd {
        let mut load = command("SCRIPT");
        load.arg("LOAD").arg(self.source);
        load
    }

    /// Calls it with these keys; the arguments are added to what is answered.
    pub(crate) fn call<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Cmd {
        let keys: Vec<&str> = keys.into_iter().collect();
        let mut call = command("EVALSHA");
        call.arg(&self.hash).arg(keys.len()).arg(keys);
        call
    }
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident: $file:literal,)*) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: LazyLock<Script> =
                LazyLock::new(|| Script::new(include_str!(concat!("lua/", $file, ".lua"))));
        )*

        /// All of them.
        pub(crate) fn all() -> Vec<&'static Script> {
            vec![$(&$name),*]
        }
    };
}

scripts! {
    TAKE: "take",
    SAVE: "save",
    TRIM: "trim",
    REBUILD_BEGIN: "rebuild_begin",
    REBUILD_DONE: "rebuild_done",
    DUE: "due",
    PAGE: "page",
    UNFOLLOW: "unfollow",
    HEADS: "heads",
    LOAD: "load",
    LEASE: "lease",
    ALIVE: "alive",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_script_says_what_it_takes_and_answers_and_what_it_costs() {
        for script in all() {
            let head: Vec<&str> = script
                .source
                .lines()
                .take_while(|line| line.starts_with("--"))
                .collect();
            let head = head.join("\n");
            for part in ["-- Keys: ", "-- Arguments: ", "-- Reply: ", "-- O("] {
                assert!(head.contains(part), "{part} in\n{head}");
            }
        }
    }
}
