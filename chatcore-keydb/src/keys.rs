//! The keys. All of a partition share a hash tag, so that a script may use any of them and a
//! partition could move to another server as a whole.

use chatcore::{
    ids::{Node, Partition, StreamId, Target},
    store::Index,
};

/// Makes the keys of one deployment.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: String,
}

/// The keys of one partition.
#[derive(Debug, Clone)]
pub(crate) struct PartitionKeys {
    tag: String,
    /// Where it stands, and of each stream: base, newest position, access. One hash, so that one
    /// call reads or writes all that a save checks and moves.
    pub(crate) view: String,
    /// Of each stream: the nodes that follow it.
    pub(crate) routes: String,
    /// Of each dialog: how far each participant is.
    pub(crate) cursors: String,
    /// Of each target.
    pub(crate) snapshots: String,
    /// The targets that have decisions after their snapshot.
    pub(crate) tails: String,
    /// Decisions that are not yet known to be emitted, by cause.
    pub(crate) outbox: String,
    /// Targets by their earliest due-line.
    pub(crate) due: String,
    /// Of each target.
    pub(crate) due_lines: String,
}

impl Keys {
    pub(crate) fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    pub(crate) fn partition(&self, partition: Partition) -> PartitionKeys {
        let tag = format!("{{{}:p{partition}}}:", self.prefix);
        let key = |name: &str| format!("{tag}{name}");
        PartitionKeys {
            view: key("view"),
            routes: key("routes"),
            cursors: key("cursors"),
            snapshots: key("snapshots"),
            tails: key("tails"),
            outbox: key("outbox"),
            due: key("due"),
            due_lines: key("due-lines"),
            tag,
        }
    }

    /// The nodes by when their leases lapse.
    pub(crate) fn leases(&self) -> String {
        format!("{{{}}}:leases", self.prefix)
    }

    /// Another text in each life of the store.
    pub(crate) fn identity(&self) -> String {
        format!("{{{}}}:identity", self.prefix)
    }

    /// A list of dialogs.
    pub(crate) fn index(&self, index: &Index) -> String {
        match index {
            Index::Customer(id) => format!("{{{}}}:index:customer/{id}", self.prefix),
            Index::ClosedBy(id) => format!("{{{}}}:index:closed-by/{id}", self.prefix),
        }
    }

    /// The channel of a node's inbox.
    pub(crate) fn inbox(&self, node: &Node) -> String {
        format!("{{{}}}:inbox:{}:{}", self.prefix, node.id, node.epoch)
    }
}

impl PartitionKeys {
    /// What the keys of events begin with.
    pub(crate) fn events_prefix(&self) -> String {
        format!("{}e:", self.tag)
    }

    /// What the keys of tails begin with.
    pub(crate) fn tails_prefix(&self) -> String {
        format!("{}t:", self.tag)
    }

    /// The events of a stream, from its base on.
    pub(crate) fn events(&self, stream: &StreamId) -> String {
        format!("{}e:{stream}", self.tag)
    }

    /// The decisions of a target after its snapshot.
    pub(crate) fn tail(&self, target: &Target) -> String {
        format!("{}t:{target}", self.tag)
    }
}

#[cfg(test)]
mod tests {
    use chatcore::ids::{DialogId, NodeEpoch, NodeId};

    use super::*;

    #[test]
    fn keys_of_a_partition_share_their_tag() {
        let keys = Keys::new("chat");
        let partition = keys.partition(Partition(3));
        assert_eq!(partition.view, "{chat:p3}:view");
        let events = partition.events(&StreamId::Dialog(DialogId(7)));
        assert_eq!(events, "{chat:p3}:e:dialog/7");
        assert_eq!(partition.events_prefix(), "{chat:p3}:e:");
        let node = Node {
            id: NodeId::try_new("n1").unwrap(),
            epoch: NodeEpoch(9),
        };
        assert_eq!(keys.inbox(&node), "{chat}:inbox:n1:9");
    }
}
