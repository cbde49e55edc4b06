//! The texts of a content.

use chatcore::content::{Button, Content};

/// Every text in it that somebody writes, in the order in which it is read.
pub(crate) fn all(content: &Content) -> Vec<&str> {
    let mut texts = Vec::new();
    match content {
        Content::Text(text) => texts.push(text.as_str()),
        Content::Buttons { text, buttons: all } | Content::QuickReplies { text, replies: all } => {
            texts.push(text);
            buttons(&mut texts, all);
        }
        Content::Pressed { id, label } => texts.extend([id.as_str(), label]),
        Content::Attachment {
            reference,
            name,
            media_type: _,
            bytes: _,
        } => texts.extend([reference.as_str(), name]),
        Content::Card {
            title,
            fields,
            buttons: all,
        } => {
            texts.push(title);
            for field in fields {
                texts.extend([field.label.as_str(), &field.value]);
            }
            buttons(&mut texts, all);
        }
        Content::Erased => {}
    }
    texts
}

fn buttons<'a>(texts: &mut Vec<&'a str>, buttons: &'a [Button]) {
    for button in buttons {
        texts.extend([button.id.as_str(), &button.label]);
    }
}

/// The same, to be changed.
pub(crate) fn all_mut(content: &mut Content) -> Vec<&mut String> {
    let mut texts = Vec::new();
    match content {
        Content::Text(text) => texts.push(text),
        Content::Buttons { text, buttons: all } | Content::QuickReplies { text, replies: all } => {
            texts.push(text);
            texts.extend(all.iter_mut().flat_map(|b| [&mut b.id, &mut b.label]));
        }
        Content::Pressed { id, label } => texts.extend([id, label]),
        Content::Attachment {
            reference,
            name,
            media_type: _,
            bytes: _,
        } => texts.extend([reference, name]),
        Content::Card {
            title,
            fields,
            buttons: all,
        } => {
            texts.push(title);
            texts.extend(fields.iter_mut().flat_map(|f| [&mut f.label, &mut f.value]));
            texts.extend(all.iter_mut().flat_map(|b| [&mut b.id, &mut b.label]));
        }
        Content::Erased => {}
    }
    texts
}
