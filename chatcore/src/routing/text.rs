//! What people write, before anything else is done with it: validated and normalised. Pure.

use crate::{
    content::{BUTTONS_MAX, Button, CONTENT_BYTES_MAX, Content, TEXT_CHARS_MAX},
    error::{Error, ErrorKind, Result},
};

/// Longest label of a button, name of a file, media type or reference, in characters.
pub const LABEL_CHARS_MAX: usize = 256;
/// Most lines of a card.
pub const FIELDS_MAX: usize = 50;

/// The content with its texts normalised: line ends are `\n`, nothing blank around.
///
/// # Errors
/// `Invalid` for an empty text, one that is too long, and for control characters other than line
/// end and tab.
pub fn clean(content: Content) -> Result<Content> {
    let cleaned = match content {
        Content::Text(said) => Content::Text(text(said)?),
        Content::Buttons {
            text: said,
            buttons: all,
        } => Content::Buttons {
            text: text(said)?,
            buttons: buttons(all)?,
        },
        Content::QuickReplies {
            text: said,
            replies,
        } => Content::QuickReplies {
            text: text(said)?,
            replies: buttons(replies)?,
        },
        Content::Pressed { id, label: said } => Content::Pressed {
            id: label(id)?,
            label: label(said)?,
        },
        Content::Attachment {
            reference,
            name,
            media_type,
            bytes,
        } => Content::Attachment {
            reference: label(reference)?,
            name: label(name)?,
            media_type: label(media_type)?,
            bytes,
        },
        Content::Card {
            title,
            mut fields,
            buttons: all,
        } => {
            at_most("lines of a card", fields.len(), FIELDS_MAX)?;
            for field in &mut fields {
                field.label = label(std::mem::take(&mut field.label))?;
                field.value = text(std::mem::take(&mut field.value))?;
            }
            Content::Card {
                title: label(title)?,
                fields,
                buttons: buttons(all)?,
            }
        }
        Content::Erased => return Err(invalid("nobody writes this")),
    };
    at_most("characters", cleaned.chars(), TEXT_CHARS_MAX)?;
    if !is_surely_short(&cleaned) {
        let json = serde_json::to_vec(&cleaned)
            .map_err(|e| Error::new(ErrorKind::Internal, "measure a content").with_source(e))?;
        at_most("bytes", json.len(), CONTENT_BYTES_MAX)?;
    }
    Ok(cleaned)
}

/// Whether it need not be measured: JSON makes at most six bytes of one, and most texts are short.
fn is_surely_short(content: &Content) -> bool {
    match content {
        Content::Text(said) => said.len() <= CONTENT_BYTES_MAX / 8,
        _ => false,
    }
}

fn text(said: String) -> Result<String> {
    let said = if said.contains('\r') {
        said.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        said
    };
    if said
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Err(invalid("control characters"));
    }
    let trimmed = said.trim();
    if trimmed.is_empty() {
        return Err(invalid("an empty text"));
    }
    at_most("characters", trimmed.chars().count(), TEXT_CHARS_MAX)?;
    Ok(if trimmed.len() == said.len() {
        said
    } else {
        trimmed.to_owned()
    })
}

fn label(said: String) -> Result<String> {
    let said = text(said)?;
    if said.contains('\n') {
        return Err(invalid("a line end in a label"));
    }
    at_most(
        "characters of a label",
        said.chars().count(),
        LABEL_CHARS_MAX,
    )?;
    Ok(said)
}

fn buttons(mut all: Vec<Button>) -> Result<Vec<Button>> {
    at_most("buttons", all.len(), BUTTONS_MAX)?;
    for button in &mut all {
        button.id = label(std::mem::take(&mut button.id))?;
        button.label = label(std::mem::take(&mut button.label))?;
    }
    Ok(all)
}

fn at_most(what: &'static str, is: usize, max: usize) -> Result<()> {
    if is <= max {
        return Ok(());
    }
    Err(invalid("too long")
        .with_context("of", what)
        .with_context("is", is)
        .with_context("most", max))
}

fn invalid(why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, "take a content").with_context("reason", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_and_its_line_ends_are_made_alike() {
        let cleaned = clean(Content::Text("  a\r\nb\rc\t \n".to_owned())).unwrap();
        assert_eq!(cleaned, Content::Text("a\nb\nc".to_owned()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let long = "я".repeat(TEXT_CHARS_MAX + 1);
        for said in ["", " \n ", "a\u{0}b", "a\u{1b}[31m", &long] {
            let refused = clean(Content::Text(said.to_owned())).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Invalid, "{said:?}");
        }
        assert!(clean(Content::Text("я".repeat(TEXT_CHARS_MAX))).is_ok());
    }

    #[test]
    fn what_is_surely_short_is_within_the_bound_whatever_it_says() {
        for said in ["\n", "\"", "\\", "\t", "я", "a"] {
            let said = said.repeat(CONTENT_BYTES_MAX / 8 / said.len());
            let content = Content::Text(said);
            assert!(is_surely_short(&content));
            let json = serde_json::to_vec(&content).unwrap();
            assert!(json.len() <= CONTENT_BYTES_MAX);
        }
        let long = Content::Text("я".repeat(TEXT_CHARS_MAX));
        assert!(!is_surely_short(&long), "it is measured");
    }

    #[test]
    fn buttons_are_counted_and_their_labels_checked() {
        let button = |label: &str| Button {
            id: "1".to_owned(),
            label: label.to_owned(),
        };
        let with = |buttons| Content::Buttons {
            text: "choose".to_owned(),
            buttons,
        };
        assert!(clean(with(vec![button("yes"); BUTTONS_MAX])).is_ok());
        assert!(clean(with(vec![button("yes"); BUTTONS_MAX + 1])).is_err());
        assert!(clean(with(vec![button("two\nlines")])).is_err());
        assert!(clean(Content::Erased).is_err());
    }
}
