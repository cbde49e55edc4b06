//! What the server tells about itself, and what in it does not go with our promises.

use chatcore::error::{Error, ErrorKind, Result};
use redis::{Pipeline, Value};

use crate::{
    command::command,
    error::unexpected,
    reply::{bytes, text},
};

const ASK: &str = "ask the server about itself";

/// The server as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerFigures {
    /// Connections of all its clients.
    pub connected_clients: u64,
    /// How many it takes; none when it does not tell.
    pub clients_max: Option<u64>,
    /// Bytes in use.
    pub memory_bytes: u64,
    /// How many it may use; 0 without a bound.
    pub memory_bytes_max: u64,
}

/// The answers to `INFO`, of some sections.
#[derive(Debug)]
pub(crate) struct Info(String);

impl Info {
    /// Asks for these sections, one command each: older servers take no more.
    pub(crate) fn questions(sections: &[&'static str]) -> Pipeline {
        let mut questions = Pipeline::with_capacity(sections.len());
        for section in sections {
            let mut info = command("INFO");
            info.arg(section);
            questions.add_command(info);
        }
        questions
    }

    pub(crate) fn read(answers: Vec<Value>) -> Result<Self> {
        let mut all = String::new();
        for answer in answers {
            let found = bytes(ASK, answer)?.unwrap_or_default();
            all.push_str(&text(ASK, found)?);
            all.push('\n');
        }
        Ok(Self(all))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.trim())
    }

    /// What must be there.
    pub(crate) fn text(&self, name: &'static str) -> Result<&str> {
        self.get(name)
            .ok_or_else(|| unexpected(ASK, "no such line").with_context("line", name))
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    pub(crate) fn figures(&self) -> ServerFigures {
        ServerFigures {
            connected_clients: self.number("connected_clients").unwrap_or_default(),
            clients_max: self.number("maxclients"),
            memory_bytes: self.number("used_memory").unwrap_or_default(),
            memory_bytes_max: self.number("maxmemory").unwrap_or_default(),
        }
    }

    /// What weakens a promise, each with what to do about it.
    ///
    /// # Errors
    /// `Invalid` for what can't work at all.
    pub(crate) fn findings(&self, has_sentinels: bool) -> Result<Vec<&'static str>> {
        if self.get("redis_mode") == Some("cluster") {
            return Err(Error::new(ErrorKind::Invalid, "use the store")
                .with_context("found", "cluster mode")
                .with_context("do", "use a primary with Sentinel instead"));
        }
        let mut findings = Vec::new();
        let evicts = self
            .get("maxmemory_policy")
            .is_some_and(|p| p != "noeviction");
        if evicts && self.number("maxmemory").unwrap_or_default() > 0 {
            findings.push(
                "the store evicts keys when its memory is full, which leaves holes in the view: \
                 set maxmemory-policy to noeviction",
            );
        }
        if !has_sentinels {
            return Ok(findings);
        }
        if self.get("min_slaves_good_slaves").is_none() {
            findings.push(
                "a primary that is cut off from its replicas takes writes that will be lost: set \
                 min-replicas-to-write to 1 and min-replicas-max-lag to 2",
            );
        }
        let version = self.get("redis_version").unwrap_or_default();
        let major = version
            .split('.')
            .next()
            .and_then(|v| v.parse::<u32>().ok());
        if major.is_some_and(|major| major < 7) {
            findings.push(
                "servers before version 7 do not check min-replicas-to-write inside scripts: a \
                 primary that is cut off takes writes that will be lost, until its nodes notice",
            );
        }
        Ok(findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(info: &str, has_sentinels: bool) -> Vec<&'static str> {
        Info(info.replace('\n', "\r\n"))
            .findings(has_sentinels)
            .unwrap()
    }

    #[test]
    fn what_weakens_a_promise_is_found() {
        let good = "redis_version:7.2.4\nredis_mode:standalone\nmaxmemory:100\n\
                    maxmemory_policy:noeviction\nmin_slaves_good_slaves:2\n";
        assert!(findings(good, true).is_empty());
        let lone = good.replace("min_slaves_good_slaves:2\n", "");
        assert!(findings(&lone, false).is_empty());
        assert!(findings(&lone, true)[0].contains("min-replicas-to-write"));
        let evicts = good.replace("noeviction", "allkeys-lru");
        assert!(findings(&evicts, true)[0].contains("maxmemory-policy"));
        let unbounded = evicts.replace("maxmemory:100", "maxmemory:0");
        assert!(findings(&unbounded, true).is_empty());
        let keydb = good.replace("7.2.4", "6.3.4");
        assert!(findings(&keydb, true)[0].contains("inside scripts"));
    }

    #[test]
    fn cluster_mode_is_refused() {
        let error = Info("redis_mode:cluster\r\n".to_owned())
            .findings(true)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
