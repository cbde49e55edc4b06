//! What people and bots write, before and after it is sealed.
//!
//! At the edge text is validated, normalised, redacted and sealed. The state machines and the
//! journal only ever see [`Sealed`]: an opaque body with its kind and length. That is a type
//! parameter of commands and events, so unsealed text can't be written down by mistake.

use serde::{Deserialize, Serialize};

/// Longest text of a message, in characters.
pub const TEXT_CHARS_MAX: usize = 4_000;
/// Longest content as a whole, in bytes of its JSON form.
pub const CONTENT_BYTES_MAX: usize = 32 * 1024;
/// Most buttons of one message.
pub const BUTTONS_MAX: usize = 20;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Text with buttons; a press comes back as [`Content::Pressed`].
    Buttons {
        /// The text above the buttons.
        text: String,
        /// At most [`BUTTONS_MAX`].
        buttons: Vec<Button>,
    },
    /// Text with short answers to choose from; they vanish once one is chosen.
    QuickReplies {
        /// The text above the answers.
        text: String,
        /// At most [`BUTTONS_MAX`].
        replies: Vec<Button>,
    },
    /// A button or quick reply that was pressed.
    Pressed {
        /// The button's id.
        id: String,
        /// What the button said.
        label: String,
    },
    /// A reference to a file kept elsewhere.
    Attachment {
        /// Where the file is: a name the embedder's storage understands, not an address.
        reference: String,
        /// The name to show.
        name: String,
        /// The media type.
        media_type: String,
        /// Size in bytes.
        bytes: u64,
    },
    /// A structured card.
    Card {
        /// The head line.
        title: String,
        /// Label and value, in order.
        fields: Vec<CardField>,
        /// At most [`BUTTONS_MAX`].
        buttons: Vec<Button>,
    },
    /// What was said can't be read any more: its key was destroyed. Stands in for it when it is
    /// opened; nobody may send it.
    Erased,
}

/// A button of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Button {
    /// Comes back when pressed.
    pub id: String,
    /// What it says.
    pub label: String,
}

/// A line of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CardField {
    /// What it is.
    pub label: String,
    /// Its value.
    pub value: String,
}

/// The kind of a content, known without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContentKind {
    /// [`Content::Text`].
    Text,
    /// [`Content::Buttons`].
    Buttons,
    /// [`Content::QuickReplies`].
    QuickReplies,
    /// [`Content::Pressed`].
    Pressed,
    /// [`Content::Attachment`].
    Attachment,
    /// [`Content::Card`].
    Card,
}

impl Content {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ContentKind {
        match self {
            Self::Text(_) | Self::Erased => ContentKind::Text,
            Self::Buttons { .. } => ContentKind::Buttons,
            Self::QuickReplies { .. } => ContentKind::QuickReplies,
            Self::Pressed { .. } => ContentKind::Pressed,
            Self::Attachment { .. } => ContentKind::Attachment,
            Self::Card { .. } => ContentKind::Card,
        }
    }
}

impl Content {
    /// Characters of everything in it that a person reads.
    #[must_use]
    pub fn chars(&self) -> usize {
        let labels =
            |buttons: &[Button]| -> usize { buttons.iter().map(|b| b.label.chars().count()).sum() };
        match self {
            Self::Text(text) => text.chars().count(),
            Self::Erased => 0,
            Self::Buttons { text, buttons } => text.chars().count() + labels(buttons),
            Self::QuickReplies { text, replies } => text.chars().count() + labels(replies),
            Self::Pressed { label, .. } => label.chars().count(),
            Self::Attachment { name, .. } => name.chars().count(),
            Self::Card {
                title,
                fields,
                buttons,
            } => {
                let fields: usize = fields
                    .iter()
                    .map(|f| f.label.chars().count() + f.value.chars().count())
                    .sum();
                title.chars().count() + fields + labels(buttons)
            }
        }
    }
}

/// A sealed content: opaque, with its kind and length.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The kind of what is inside.
    pub kind: ContentKind,
    /// Characters of the text inside.
    pub chars: u32,
    /// What the sealer made of the content's JSON form.
    pub bytes: bytes::Bytes,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Sealed({:?}, {} chars, {} bytes)",
            self.kind,
            self.chars,
            self.bytes.len()
        )
    }
}
