//! What a node does of all that there is to do.

/// What a node does. Nodes that share ports may differ; all that there is to do must be done by
/// some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NodeRole {
    /// Everything.
    #[default]
    All,
    /// Holds sessions and takes what they send. Decides nothing and runs no effects: it never joins
    /// the groups that read the journal, so that its coming and going moves no partition.
    Gateway,
    /// Decides commands and runs effects. Takes no sessions.
    Worker,
}

impl NodeRole {
    /// Its name, as in configurations and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Gateway => "gateway",
            Self::Worker => "worker",
        }
    }

    /// Whether people connect to such a node.
    #[must_use]
    pub fn takes_sessions(self) -> bool {
        matches!(self, Self::All | Self::Gateway)
    }

    /// Whether such a node decides commands and runs effects.
    #[must_use]
    pub fn works(self) -> bool {
        matches!(self, Self::All | Self::Worker)
    }
}
