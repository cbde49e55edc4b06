//! What keys, fields and values look like that are not records.

use bytes::Bytes;
use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::{CustomerId, Node, NodeEpoch, NodeId, Participant, Seq, StaffId},
    record::{ChainHash, Position},
};

/// A stored text that can't be read.
pub(super) fn corrupt(operation: &'static str, what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, operation).with_context("found", what)
}

/// `seq:hash`.
pub(super) fn position(position: Position) -> String {
    format!("{}:{}", position.seq, position.hash)
}

pub(super) fn parse_position(operation: &'static str, text: &str) -> Result<Position> {
    let parsed = text.split_once(':').and_then(|(seq, hash)| {
        let seq = Seq(seq.parse().ok()?);
        let hash = ChainHash(u64::from_str_radix(hash, 16).ok()?);
        Some(Position { seq, hash })
    });
    parsed.ok_or_else(|| corrupt(operation, "no position"))
}

/// Of a stream: the position before the first event that is there, the newest position, and an
/// encoded access; with a space between.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) base: Position,
    pub(super) newest: Position,
    pub(super) access: Bytes,
}

impl Head {
    pub(super) fn parse(operation: &'static str, bytes: &Bytes) -> Result<Self> {
        let invalid = || corrupt(operation, "a head that can't be read");
        let mut parts = bytes.splitn(3, |byte| *byte == b' ');
        let mut part = || parts.next().ok_or_else(invalid);
        let (base, newest, access) = (part()?, part()?, part()?);
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| invalid());
        Ok(Self {
            base: parse_position(operation, text(base)?)?,
            newest: parse_position(operation, text(newest)?)?,
            access: bytes.slice_ref(access),
        })
    }
}

/// `id epoch`.
pub(super) fn node(node: &Node) -> String {
    format!("{} {}", node.id, node.epoch)
}

pub(super) fn parse_node(operation: &'static str, text: &str) -> Result<Node> {
    let parsed = text.split_once(' ').and_then(|(id, epoch)| {
        Some(Node {
            id: NodeId::try_new(id).ok()?,
            epoch: NodeEpoch(epoch.parse().ok()?),
        })
    });
    parsed.ok_or_else(|| corrupt(operation, "no node"))
}

/// Nodes, each on a line of its own.
pub(super) fn parse_nodes(operation: &'static str, bytes: &Bytes) -> Result<Vec<Node>> {
    let text = std::str::from_utf8(bytes).map_err(|_| corrupt(operation, "no nodes"))?;
    let mut nodes = text
        .lines()
        .map(|line| parse_node(operation, line))
        .collect::<Result<Vec<_>>>()?;
    nodes.sort();
    Ok(nodes)
}

/// Without a space: identifiers have none.
pub(super) fn participant(participant: &Participant) -> String {
    match participant {
        Participant::Customer(id) => format!("customer/{id}"),
        Participant::Staff(id) => format!("staff/{id}"),
        Participant::Bot => "bot".to_owned(),
        Participant::System => "system".to_owned(),
    }
}

pub(super) fn parse_participant(operation: &'static str, text: &str) -> Result<Participant> {
    let parsed = match text.split_once('/') {
        Some(("customer", id)) => CustomerId::try_new(id).ok().map(Participant::Customer),
        Some(("staff", id)) => StaffId::try_new(id).ok().map(Participant::Staff),
        None if text == "bot" => Some(Participant::Bot),
        None if text == "system" => Some(Participant::System),
        _ => None,
    };
    parsed.ok_or_else(|| corrupt(operation, "no participant"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_read_back() {
        let at = Position {
            seq: Seq(u64::MAX),
            hash: ChainHash(0xab),
        };
        let text = position(at);
        assert_eq!(text, "18446744073709551615:00000000000000ab");
        assert_eq!(parse_position("test", &text).unwrap(), at);
        let bytes = Bytes::from(format!("0:0000000000000000 {text} \x01 b c"));
        let head = Head::parse("test", &bytes).unwrap();
        assert_eq!((head.base, head.newest), (Position::default(), at));
        assert_eq!(head.access, Bytes::from("\x01 b c"));
        for who in [
            Participant::Bot,
            Participant::System,
            Participant::Customer(CustomerId::try_new("a:b").unwrap()),
            Participant::Staff(StaffId::try_new("anna").unwrap()),
        ] {
            let text = participant(&who);
            assert!(!text.contains(' '));
            assert_eq!(parse_participant("test", &text).unwrap(), who);
        }
        let nodes = parse_nodes("test", &Bytes::from("n2 7\nn1 9\n")).unwrap();
        let nodes: Vec<String> = nodes.iter().map(node).collect();
        assert_eq!(nodes, ["n1 9", "n2 7"]);
    }

    #[test]
    fn what_can_not_be_read_is_corrupt() {
        for text in ["", "7", "7:xyz", "a:0000000000000000"] {
            assert!(parse_position("test", text).is_err(), "{text}");
        }
        assert!(Head::parse("test", &Bytes::from("0:0 1:1")).is_err());
        assert!(parse_node("test", "n1").is_err());
        assert!(parse_participant("test", "somebody").is_err());
    }
}
