//! What goes out to a channel.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Effect, Work};
use crate::{
    channel::{Capabilities, ChannelAdapter, Outgoing},
    content::{Button, Content, Sealed},
    dialog::DialogEvent,
    error::Result,
    identity::BodySealer,
    ids::{ChannelId, Label, Participant, Seq, StreamId},
    record::{Access, Appended, Event, StreamEvent},
    store::{ReadRange, StreamStore},
};

/// Sends what staff, bot and bank say to the customers of one channel.
#[derive(Debug)]
pub struct ChannelEffect {
    name: Label,
    adapter: Arc<dyn ChannelAdapter>,
    sealer: Arc<dyn BodySealer>,
    streams: Arc<dyn StreamStore>,
}

impl ChannelEffect {
    /// Sends through this adapter.
    ///
    /// # Errors
    /// [`Invalid`](crate::error::ErrorKind::Invalid) when the channel's name is too long to name
    /// an effect.
    pub fn try_new(
        adapter: Arc<dyn ChannelAdapter>,
        sealer: Arc<dyn BodySealer>,
        streams: Arc<dyn StreamStore>,
    ) -> Result<Self> {
        let name = Label::try_new(format!("channel-{}", adapter.id()))?;
        Ok(Self {
            name,
            adapter,
            sealer,
            streams,
        })
    }

    async fn channel(&self, stream: &StreamId) -> Result<Option<ChannelId>> {
        let range = ReadRange {
            stream: stream.clone(),
            after: Seq(0),
            upto: Seq(1),
            limit: 1,
        };
        let page = self.streams.read(range).await?;
        Ok(page.events.first().and_then(|event| match &event.event {
            Event::Dialog(DialogEvent::Opened { channel, .. }) => Some(channel.clone()),
            _ => None,
        }))
    }
}

fn body(event: &StreamEvent<Sealed>) -> Option<&Sealed> {
    match &event.event {
        Event::Dialog(
            DialogEvent::Message {
                author: Participant::Staff(_) | Participant::Bot,
                body,
                ..
            }
            | DialogEvent::System { body }
            | DialogEvent::Emergency { body, .. },
        ) => Some(body),
        _ => None,
    }
}

/// The content in forms that the channel can show.
fn fit(content: Content, can: &Capabilities) -> Vec<Content> {
    let content = if content == Content::Erased {
        return Vec::new();
    } else if can.contents.contains(&content.kind()) {
        content
    } else {
        Content::Text(plain(&content))
    };
    match content {
        Content::Text(text) => split(&text, can.text_chars_max)
            .map(Content::Text)
            .collect(),
        other => vec![other],
    }
}

/// A content in words.
fn plain(content: &Content) -> String {
    let numbered = |head: &str, buttons: &[Button]| {
        let lines = buttons
            .iter()
            .enumerate()
            .map(|(i, b)| format!("{}. {}", i + 1, b.label));
        std::iter::once(head.to_owned())
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n")
    };
    match content {
        Content::Text(text) => text.clone(),
        Content::Erased => String::new(),
        Content::Buttons { text, buttons } => numbered(text, buttons),
        Content::QuickReplies { text, replies } => numbered(text, replies),
        Content::Pressed { label, .. } => label.clone(),
        Content::Attachment { name, .. } => name.clone(),
        Content::Card {
            title,
            fields,
            buttons,
        } => {
            let fields = fields.iter().map(|f| format!("{}: {}", f.label, f.value));
            let head: Vec<_> = std::iter::once(title.clone()).chain(fields).collect();
            numbered(&head.join("\n"), buttons)
        }
    }
}

/// Parts of at most `max` characters.
fn split(text: &str, max: usize) -> impl Iterator<Item = String> {
    let chars: Vec<char> = text.chars().collect();
    let parts: Vec<String> = chars
        .chunks(max.max(1))
        .map(|c| c.iter().collect())
        .collect();
    parts.into_iter()
}

#[async_trait]
impl Effect for ChannelEffect {
    fn name(&self) -> &Label {
        &self.name
    }

    fn wants(&self, appended: &Appended) -> bool {
        appended.events.iter().any(|event| body(event).is_some())
    }

    async fn run(&self, work: &Work) -> Result<()> {
        let Some(appended) = work.appended() else {
            return Ok(());
        };
        let (StreamId::Dialog(dialog), Access::Dialog { customer, .. }) =
            (&appended.stream, &appended.access)
        else {
            return Ok(());
        };
        if self.channel(&appended.stream).await?.as_ref() != Some(self.adapter.id()) {
            return Ok(());
        }
        let can = self.adapter.capabilities();
        for event in &appended.events {
            let Some(body) = body(event) else { continue };
            for content in fit(self.sealer.open(customer, body)?, &can) {
                let message = Outgoing {
                    customer: customer.clone(),
                    dialog: *dialog,
                    seq: event.seq,
                    content,
                };
                self.adapter.send(&message).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{channel::IncomingIds, content::ContentKind};

    fn pager() -> Capabilities {
        Capabilities {
            contents: vec![ContentKind::Text],
            text_chars_max: 5,
            tells_delivered: false,
            tells_read: false,
            edits: false,
            incoming: IncomingIds::Named {
                redelivery: Duration::from_secs(60),
            },
            idempotent_send: false,
        }
    }

    #[test]
    fn a_long_text_is_split_between_characters() {
        let parts = fit(Content::Text("привет!".to_owned()), &pager());
        assert_eq!(
            parts,
            [
                Content::Text("приве".to_owned()),
                Content::Text("т!".to_owned())
            ]
        );
    }

    #[test]
    fn what_a_channel_can_not_show_is_said_in_words() {
        let buttons = vec![Button {
            id: "y".to_owned(),
            label: "yes".to_owned(),
        }];
        let content = Content::Buttons {
            text: "ok?".to_owned(),
            buttons,
        };
        assert_eq!(plain(&content), "ok?\n1. yes");
        let mut can = pager();
        can.contents.push(ContentKind::Buttons);
        assert_eq!(fit(content.clone(), &can), [content]);
    }
}
