//! Frames, read by their bytes: whoever measures must cost less than what is measured.

use std::fmt::Write as _;

/// What a frame of the server is, as far as a run asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A range of a dialog: after, and up to.
    Range(u64, u64),
    /// A frame that a relay passed on.
    Passed,
    /// Up to this number.
    Durable(u64),
    /// Of this number; whether it was accepted.
    Reply(u64, bool),
    Ping,
    Error,
    Other,
}

/// Starts a text that is counted.
const MARK: &str = "\"text\":\"#";
const MARK_DIGITS: usize = 10;
/// The text of each message.
const TEXT_BYTES: usize = 120;

/// Reads a frame.
pub(crate) fn heard(text: &str) -> Heard {
    if let Some(rest) = text.strip_prefix("{\"range\":{\"stream\":\"dialog/") {
        let after = number(rest, "\"after\":{\"seq\":");
        let upto = number(rest, "\"upto\":{\"seq\":");
        return Heard::Range(after.unwrap_or(0), upto.unwrap_or(0));
    }
    let n = || number(text, "\"n\":").unwrap_or(0);
    if text.starts_with("{\"durable\"") {
        Heard::Durable(n())
    } else if text.starts_with("{\"reply\"") {
        Heard::Reply(n(), text.contains("{\"accepted\":"))
    } else if text.starts_with("{\"send\"") {
        Heard::Passed
    } else if text.starts_with("{\"ping\"") {
        Heard::Ping
    } else if text.starts_with("{\"error\"") {
        Heard::Error
    } else {
        Heard::Other
    }
}

/// The number after a key.
pub(crate) fn number(text: &str, key: &str) -> Option<u64> {
    let (_, rest) = text.split_once(key)?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest.get(..end)?.parse().ok()
}

/// The counted messages in a frame, in order.
pub(crate) fn marks(text: &str) -> impl Iterator<Item = u64> + '_ {
    text.split(MARK)
        .skip(1)
        .filter_map(|rest| rest.get(..MARK_DIGITS)?.parse().ok())
}

/// Writes the messages of one author to one dialog.
#[derive(Debug)]
pub(crate) struct Pen {
    head: String,
    middle: String,
    tail: String,
}

impl Pen {
    pub(crate) fn new(customer: &str, dialog: u64) -> Self {
        let pad = "x".repeat(TEXT_BYTES - 1 - MARK_DIGITS);
        Self {
            head: format!(r#"{{"send":{{"target":{{"customer":"{customer}"}},"n":"#),
            middle: format!(
                r##","command":{{"customer":{{"message":{{"dialog":{dialog},"body":{{"text":"#"##
            ),
            tail: format!(r#"{pad}"}},"reply_to":null,"owner_epoch":null}}}}}}}}}}"#),
        }
    }

    /// The message of this number, with this mark.
    pub(crate) fn message(&self, n: u64, mark: u64) -> String {
        let length = self.head.len() + self.middle.len() + self.tail.len() + 32;
        let mut text = String::with_capacity(length);
        // Writing to a string can't fail.
        let _ = write!(
            text,
            "{}{n}{}{mark:0width$}{}",
            self.head,
            self.middle,
            self.tail,
            width = MARK_DIGITS
        );
        text
    }

    /// Says that outcomes up to here have arrived.
    pub(crate) fn settle(&self, n: u64) -> String {
        let target = self.head.strip_prefix("{\"send\"").unwrap_or_default();
        format!("{{\"settle\"{target}{n}}}}}")
    }
}

#[cfg(test)]
mod tests {
    use chatcore_server::protocol::{ClientFrame, parse_frame};

    use super::*;

    #[test]
    fn what_is_written_are_frames_of_the_protocol() {
        let pen = Pen::new("c7", 17);
        let text = pen.message(5, 3);
        assert_eq!(marks(&text).collect::<Vec<_>>(), [3]);
        assert!(matches!(
            parse_frame(&text),
            Ok(ClientFrame::Send { n: 5, .. })
        ));
        assert!(matches!(
            parse_frame(&pen.settle(9)),
            Ok(ClientFrame::Settle { n: 9, .. })
        ));
    }

    #[test]
    fn frames_are_told_apart() {
        let table = [
            (
                r#"{"range":{"stream":"dialog/7","after":{"seq":5,"hash":"00"},"upto":{"seq":9,"hash":"00"},"events":[]}}"#,
                Heard::Range(5, 9),
            ),
            (
                r#"{"durable":{"target":{"customer":"c1"},"n":4}}"#,
                Heard::Durable(4),
            ),
            (
                r#"{"reply":{"target":{"customer":"c1"},"n":4,"reply":{"outcome":{"accepted":{"dialog":17,"seq":9}}}}}"#,
                Heard::Reply(4, true),
            ),
            (
                r#"{"reply":{"target":{"customer":"c1"},"n":4,"reply":{"outcome":{"rejected":{"code":"closed"}}}}}"#,
                Heard::Reply(4, false),
            ),
            (r#"{"ping":{}}"#, Heard::Ping),
        ];
        for (text, expected) in table {
            assert_eq!(heard(text), expected, "{text}");
        }
    }
}
