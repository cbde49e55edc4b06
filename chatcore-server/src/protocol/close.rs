//! Close codes: 4000–4499 mean "come back", 4500–4999 "do not".

/// Why a connection ends, as told to its other end. A retired code is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Close {
    /// Nothing more to do.
    Done,
    /// The server goes away.
    Away,
    /// The WebSocket protocol itself was broken.
    Broken,
    /// A binary frame.
    Binary,
    /// A text that is not UTF-8.
    NotUtf8,
    /// A frame over the limit.
    TooLarge,
    /// The token has expired.
    Expired,
    /// No `hello` in time, or no sign of life.
    Silent,
    /// Too slow for too long.
    TooSlow,
    /// This node is leaving.
    Draining,
    /// This node can't tell who was revoked.
    Unsure,
    /// Too many connections or frames.
    TooMany,
    /// The session could not go on.
    Internal,
    /// The first frame was not a `hello` that can be read.
    NoHello,
    /// The token is not valid.
    BadToken,
    /// The person's access was revoked.
    Revoked,
    /// Too many broken frames.
    BrokenFrames,
}

impl Close {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Done,
        Self::Away,
        Self::Broken,
        Self::Binary,
        Self::NotUtf8,
        Self::TooLarge,
        Self::Expired,
        Self::Silent,
        Self::TooSlow,
        Self::Draining,
        Self::Unsure,
        Self::TooMany,
        Self::Internal,
        Self::NoHello,
        Self::BadToken,
        Self::Revoked,
        Self::BrokenFrames,
    ];

    /// The close code.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Done => 1000,
            Self::Away => 1001,
            Self::Broken => 1002,
            Self::Binary => 1003,
            Self::NotUtf8 => 1007,
            Self::TooLarge => 1009,
            Self::Expired => 4401,
            Self::Silent => 4408,
            Self::TooSlow => 4409,
            Self::Draining => 4412,
            Self::Unsure => 4413,
            Self::TooMany => 4429,
            Self::Internal => 4430,
            Self::NoHello => 4500,
            Self::BadToken => 4501,
            Self::Revoked => 4503,
            Self::BrokenFrames => 4510,
        }
    }

    /// What to do, in words; short enough for a close frame (123 bytes), without secrets.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Away => "the server goes away; reconnect",
            Self::Broken => "the WebSocket protocol was broken",
            Self::Binary => "binary frames are not taken; send JSON as text",
            Self::NotUtf8 => "text must be UTF-8",
            Self::TooLarge => "a frame has at most 65536 bytes",
            Self::Expired => "the token has expired; reconnect with a new one",
            Self::Silent => "nothing was heard in time; reconnect",
            Self::TooSlow => "too slow for too long; reconnect and resume",
            Self::Draining => "this node is leaving; reconnect and resume",
            Self::Unsure => "this node can't tell who was revoked; reconnect to another and resume",
            Self::TooMany => "too many connections or frames; come back later",
            Self::Internal => "the session could not go on; reconnect and resume",
            Self::NoHello => "the first frame must be a valid hello",
            Self::BadToken => "the token is not valid; sign in again",
            Self::Revoked => "access was revoked; sign in again",
            Self::BrokenFrames => "too many broken frames",
        }
    }

    /// The name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Away => "away",
            Self::Broken => "broken",
            Self::Binary => "binary",
            Self::NotUtf8 => "not_utf8",
            Self::TooLarge => "too_large",
            Self::Expired => "expired",
            Self::Silent => "silent",
            Self::TooSlow => "too_slow",
            Self::Draining => "draining",
            Self::Unsure => "unsure",
            Self::TooMany => "too_many",
            Self::Internal => "internal",
            Self::NoHello => "no_hello",
            Self::BadToken => "bad_token",
            Self::Revoked => "revoked",
            Self::BrokenFrames => "broken_frames",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Close;

    #[test]
    fn every_text_fits_a_close_frame() {
        for close in Close::ALL {
            assert!(close.text().len() <= 123);
        }
    }
}
