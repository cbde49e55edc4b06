//! The core crate reaches no socket, HTTP, Kafka or Redis crate, however indirectly.

use anyhow::{Context, Result};

use super::Finding;
use crate::process::output;
use crate::project::Project;

/// A package whose name is one of these, or begins with one and a dash, is out of bounds.
/// `mio` and `socket2` come with tokio's sockets.
const FORBIDDEN: [&str; 17] = [
    "axum",
    "bb8",
    "fred",
    "http",
    "hyper",
    "mio",
    "native-tls",
    "openssl",
    "rdkafka",
    "redb",
    "redis",
    "reqwest",
    "rustls",
    "socket2",
    "tokio-tungstenite",
    "tungstenite",
    "fjall",
];

/// Reads the whole dependency tree of `chatcore`, with all its features.
pub(crate) fn check(project: &Project) -> Result<Vec<Finding>> {
    let mut tree = project.cargo(&["tree", "--package", "chatcore", "--edges", "normal"]);
    tree.args(["--all-features", "--prefix", "none", "--format", "{p}"]);
    let tree = output(&mut tree).context("`cargo tree --package chatcore` fails")?;
    Ok(forbidden(&tree))
}

fn forbidden(tree: &str) -> Vec<Finding> {
    let mut names: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| FORBIDDEN.iter().any(|forbidden| is_of(name, forbidden)))
        .map(|name| Finding::Broken(format!("chatcore depends on {name}")))
        .collect()
}

fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transport_anywhere_in_the_tree_is_found_once() {
        let tree = "chatcore v0.1.0 (/src/chatcore)\ntokio v1.0.0\nhyper-util v0.1.0\n\
                    hyper-util v0.1.0 (*)\nhttparse v1.0.0\n";
        let found = forbidden(tree);
        assert_eq!(
            found,
            [Finding::Broken("chatcore depends on hyper-util".into())]
        );
    }
}
