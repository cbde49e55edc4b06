//! Trace contexts: a W3C `traceparent` from whoever calls, or a fresh one.

use axum::http::HeaderMap;
use chatcore::{ids::SessionId, record::TraceContext};

const HEADER: &str = "traceparent";

/// The caller's, if it is well-formed.
#[must_use]
pub fn parse(text: &str) -> Option<TraceContext> {
    let mut parts = text.split('-');
    let fields = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let [version, trace, span, flags] = fields;
    let hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    let good = parts.next().is_none()
        && version == "00"
        && hex(trace, 32)
        && !zero(trace)
        && hex(span, 16)
        && !zero(span)
        && hex(flags, 2);
    good.then(|| TraceContext(text.to_owned()))
}

/// The caller's, or a fresh one that is not sampled.
#[must_use]
pub fn of(given: Option<&str>, headers: &HeaderMap) -> Option<TraceContext> {
    let header = headers.get(HEADER).and_then(|value| value.to_str().ok());
    given
        .and_then(parse)
        .or_else(|| header.and_then(parse))
        .or_else(fresh)
}

/// What every log line of a session has: its number, and the trace of its commands.
pub(crate) fn span(session: SessionId, traceparent: &Option<String>) -> tracing::Span {
    let traceparent = traceparent.as_deref().unwrap_or_default();
    tracing::info_span!("session", id = session.0, traceparent)
}

fn fresh() -> Option<TraceContext> {
    let mut random = [0u8; 24];
    getrandom::fill(&mut random).ok()?;
    let hex: String = random.iter().map(|b| format!("{b:02x}")).collect();
    let (trace, span) = hex.split_at_checked(32)?;
    parse(&format!("00-{trace}-{span}-00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn only_a_well_formed_one_is_taken_over() {
        assert_eq!(parse(GOOD), Some(TraceContext(GOOD.to_owned())));
        for text in [
            "",
            "00-1-2-3",
            &GOOD.to_uppercase(),
            &format!("{GOOD}-x"),
            &GOOD.replace('b', "0g"),
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let mut headers = HeaderMap::new();
        let first = of(None, &headers).unwrap();
        assert_ne!(of(None, &headers).unwrap(), first);
        headers.insert(HEADER, GOOD.parse().unwrap());
        assert_eq!(of(Some("broken"), &headers).unwrap().0, GOOD);
    }
}
