//! Reading a client's frame: bounded, strict, and with errors that never repeat what was sent.

use serde_path_to_error::{Deserializer as Tracked, Path, Segment, Track};

use super::{ClientFrame, ErrorCode};

/// Longest frame of a client, in bytes.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of a client's frame.
pub const DEPTH_MAX: usize = 32;

/// Why a frame can't be read: a stable code, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ParseError {
    /// `bad_frame`, `too_large` or `too_deep`.
    pub code: ErrorCode,
    /// What was expected, for the author of the client.
    pub text: String,
}

impl ParseError {
    fn bad(text: impl Into<String>) -> Self {
        Self {
            code: ErrorCode::BadFrame,
            text: text.into(),
        }
    }
}

/// Reads a frame.
///
/// Everything in it must be known: kinds, fields, variants. The error names the place by field
/// names and what was expected there, and nothing that stood there.
///
/// # Errors
/// [`ParseError`].
pub fn parse_frame(text: &str) -> Result<ClientFrame, ParseError> {
    if text.len() > FRAME_BYTES_MAX {
        return Err(ParseError {
            code: ErrorCode::TooLarge,
            text: format!("a frame has at most {FRAME_BYTES_MAX} bytes"),
        });
    }
    if depth(text) > DEPTH_MAX {
        return Err(ParseError {
            code: ErrorCode::TooDeep,
            text: format!("a frame has at most {DEPTH_MAX} levels"),
        });
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let mut unknown = None;
    let frame = serde_ignored::deserialize(&mut json, |path| {
        unknown.get_or_insert_with(|| kind_of(&path.to_string()));
    });
    let frame: ClientFrame = match frame {
        Ok(frame) => frame,
        Err(_) => return Err(broken(text)),
    };
    json.end()
        .map_err(|_| ParseError::bad("expected one JSON object and nothing after it"))?;
    match unknown {
        None => Ok(frame),
        Some(kind) => Err(ParseError::bad(format!(
            "somewhere in {kind}: a field that does not exist there"
        ))),
    }
}

/// Reads it once more, to tell the place: keeping track of it costs as much as the reading.
fn broken(text: &str) -> ParseError {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = Track::new();
    let frame: Result<ClientFrame, _> =
        serde_ignored::deserialize(Tracked::new(&mut json, &mut track), |_| {});
    match frame {
        Err(error) => describe(&error, &track.path()),
        // The same text can't be read and not be read.
        Ok(_) => ParseError::bad("expected one JSON object with one key, its kind"),
    }
}

/// The deepest nesting, without reading the text as JSON.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn describe(error: &serde_json::Error, path: &Path) -> ParseError {
    if !error.is_data() {
        return ParseError::bad(format!(
            "expected one JSON object with one key, its kind; it is broken at line {} column {}",
            error.line(),
            error.column()
        ));
    }
    let message = error.to_string();
    let place = place(path, message.starts_with("unknown "));
    ParseError::bad(format!("at {place}: {}", expectation(&message)))
}

/// What serde expected. Its messages quote the input before the last ", expected ".
fn expectation(message: &str) -> String {
    let message = message
        .rsplit_once(" at line ")
        .map_or(message, |(text, _)| text);
    // Texts of our own types, which don't quote what they refuse.
    let ours = [
        "missing field `",
        "a ",
        "an ",
        "invalid digit",
        "could not parse",
    ];
    if let Some((_, expected)) = message.rsplit_once(", expected ") {
        format!("expected {expected}")
    } else if ours.iter().any(|start| message.starts_with(start)) {
        message.to_owned()
    } else if message.starts_with("duplicate field") {
        "each field may be there once".to_owned()
    } else {
        "a field or value that does not exist here".to_owned()
    }
}

/// Where it happened, by our names: a key that the sender chose is left out.
fn place(path: &Path, last_is_theirs: bool) -> String {
    let mut names: Vec<&str> = Vec::new();
    for segment in path {
        match segment {
            Segment::Map { key } => names.push(key),
            Segment::Enum { variant } => names.push(variant),
            Segment::Seq { .. } | Segment::Unknown => {}
        }
        if names.last() == Some(&"resume") {
            break;
        }
    }
    if last_is_theirs && names.last() != Some(&"resume") {
        names.pop();
    }
    if names.is_empty() {
        "the top".to_owned()
    } else {
        names.join(".")
    }
}

/// The kind of the frame in a path such as `send.command.customer`.
fn kind_of(path: &str) -> String {
    path.split('.').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> ParseError {
        parse_frame(text).expect_err(text)
    }

    #[test]
    fn a_broken_frame_is_told_what_was_expected_and_nothing_of_itself() {
        let typing = r#"{"typing":{"dialog":"SECRET"}}"#;
        assert_eq!(error(typing).text, "at typing.dialog: expected u64");
        for text in [
            "SECRET",
            r#"{"SECRET": 1}"#,
            r#"{"secret": {}}"#,
            r#"{"typing": {"secret": 1}}"#,
            r#"{"typing": {"dialog": 1, "secret": 1}}"#,
            r#"{"typing": {"dialog": "secret, expected secret"}}"#,
            r#"{"typing": {"dialog": 1}} secret"#,
            r#"{"typing": {"dialog": 1}, "secret": {}}"#,
            r#"{"follow": {"stream": "secret", "after": null}}"#,
            r#"{"follow": {"stream": "secret/1", "after": null}}"#,
            r#"{"hello": {"token": "t", "device": "secret secret"}}"#,
            r#"{"hello": {"token": "t", "device": "d", "resume": {"secret": {"seq": 1, "hash": "00"}}}}"#,
            r#"{"hello": {"token": "t", "device": "d", "resume": {"dialog/1": {"seq": 1, "hash": "secret"}}}}"#,
            r#"{"send": {"target": {"customer": "a"}, "n": 1, "command": {"customer": {"transfer": {"dialog": 1, "owner_epoch": 1, "to": {"queue": {"desk": "a", "queue": "b", "secret": 1}}, "note": null}}}}}"#,
            r#"{"send": {"target": {"customer": "a"}, "n": 1, "command": {"customer": {"message": {"dialog": 1, "body": {"secret": "b"}, "reply_to": null, "owner_epoch": null}}}}}"#,
        ] {
            let error = error(text);
            assert_eq!(error.code, ErrorCode::BadFrame, "{text}");
            assert!(
                !error.text.to_lowercase().contains("secret"),
                "{}: {text}",
                error.text
            );
        }
    }

    #[test]
    fn a_frame_over_a_limit_has_its_own_code() {
        let large = format!(
            r#"{{"typing": {{"dialog": 1}}}}{}"#,
            " ".repeat(FRAME_BYTES_MAX)
        );
        assert_eq!(error(&large).code, ErrorCode::TooLarge);
        let deep = format!("{}{}", "[".repeat(DEPTH_MAX + 1), "]".repeat(DEPTH_MAX + 1));
        assert_eq!(error(&deep).code, ErrorCode::TooDeep);
        let in_text = format!(r#"{{"refresh": {{"token": "\"{}"}}}}"#, "[".repeat(100));
        assert!(
            parse_frame(&in_text).is_ok(),
            "brackets in a text are no levels"
        );
    }
}
