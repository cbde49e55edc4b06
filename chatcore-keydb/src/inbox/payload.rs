//! What is published to a node: frames, each with its length, after a version byte.
//!
//! Nobody keeps it: it lives as long as it travels. The frames in it are records of their own,
//! with a version each.

use std::sync::Arc;

use chatcore::{
    error::{Error, ErrorKind, Result},
    record,
    routing::NodeFrame,
};

const VERSION: u8 = 1;
/// A message is closed when it is longer than this, so that none holds up the others for long.
const FULL_BYTES: usize = 256 * 1024;

/// The frames as messages, in order.
pub(super) fn encode(frames: &[Arc<NodeFrame>]) -> Result<Vec<Vec<u8>>> {
    let mut messages = Vec::new();
    let mut message = vec![VERSION];
    for frame in frames {
        let bytes = record::encode(frame.as_ref())?;
        let length = u32::try_from(bytes.len()).map_err(|_| {
            Error::new(ErrorKind::Invalid, "send to a node").with_context("bytes", bytes.len())
        })?;
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(&bytes);
        if message.len() >= FULL_BYTES {
            messages.push(std::mem::replace(&mut message, vec![VERSION]));
        }
    }
    if message.len() > 1 {
        messages.push(message);
    }
    Ok(messages)
}

/// The frames of a message, each with the bytes that it took.
pub(super) fn decode(message: &[u8]) -> Result<Vec<(Arc<NodeFrame>, usize)>> {
    let corrupt = || Error::new(ErrorKind::Corrupt, "read a message between nodes");
    let mut rest = match message.split_first() {
        Some((&VERSION, rest)) => rest,
        Some((&version, _)) if version > VERSION => {
            let newer = Error::new(ErrorKind::NewerFormat, "read a message between nodes");
            return Err(newer.with_context("version", version));
        }
        _ => return Err(corrupt()),
    };
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(corrupt)?;
        let length = u32::from_be_bytes(*length);
        let length = usize::try_from(length).map_err(|_| corrupt())?;
        let (frame, after) = after.split_at_checked(length).ok_or_else(corrupt)?;
        frames.push((Arc::new(record::decode(frame)?), length));
        rest = after;
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use chatcore::ids::{DialogId, Participant};

    use super::*;

    fn typing(dialog: u64) -> Arc<NodeFrame> {
        Arc::new(NodeFrame::Typing {
            dialog: DialogId(dialog),
            participant: Participant::Bot,
        })
    }

    fn read_all(messages: &[Vec<u8>]) -> Vec<Arc<NodeFrame>> {
        let all = messages.iter().flat_map(|m| decode(m).unwrap());
        all.map(|(frame, _)| frame).collect()
    }

    #[test]
    fn frames_read_back_in_order_and_long_messages_are_split() {
        let few: Vec<_> = (0..3).map(typing).collect();
        let messages = encode(&few).unwrap();
        assert_eq!((messages.len(), read_all(&messages)), (1, few));
        let many: Vec<_> = (0..20_000).map(typing).collect();
        let messages = encode(&many).unwrap();
        assert!(messages.len() > 1);
        assert!(messages.iter().all(|m| m.len() < FULL_BYTES + 1_000));
        assert_eq!(read_all(&messages), many);
        assert!(encode(&[]).unwrap().is_empty());
    }

    #[test]
    fn the_bytes_are_these() {
        let message = encode(&[typing(1)]).unwrap().remove(0);
        let frame = record::encode(typing(1).as_ref()).unwrap();
        let length = u8::try_from(frame.len()).unwrap();
        assert_eq!(message[..5], [1, 0, 0, 0, length]);
        assert_eq!(message[5..], frame);
    }

    #[test]
    fn what_is_cut_off_or_newer_is_refused() {
        let message = encode(&[typing(1), typing(2)]).unwrap().remove(0);
        for length in [0, 3, 10, message.len() - 1] {
            let error = decode(&message[..length]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}");
        }
        let mut newer = message;
        newer[0] = VERSION + 1;
        assert_eq!(decode(&newer).unwrap_err().kind(), ErrorKind::NewerFormat);
    }
}
