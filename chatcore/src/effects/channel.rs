//! What goes out to a channel.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{Effect, Work, lookup::channel_of};
use crate::{
    channel::{Capabilities, ChannelAdapter, Outgoing},
    commands::{CommandWriter, NewCommand},
    content::{Button, Content, Sealed},
    dialog::{CustomerCommand, DialogEvent},
    error::Result,
    identity::BodySealer,
    ids::{CustomerId, DialogId, Label, Participant, Seq, StreamId, Target},
    record::{Access, Appended, Command, Event, StreamEvent},
    store::StreamStore,
};

/// Streams of which it is remembered what was sent of a work that failed midway; past it the
/// lowest is forgotten, and sent again from its beginning.
const PARTLY_MAX: usize = 4_096;

/// Sends what staff, bot and bank say to the customers of one channel. What is given up is told to
/// the dialog, for its operator.
#[derive(Debug)]
pub struct ChannelEffect {
    name: Label,
    adapter: Arc<dyn ChannelAdapter>,
    sealer: Arc<dyn BodySealer>,
    streams: Arc<dyn StreamStore>,
    commands: CommandWriter,
    /// The last part that was sent, of dialogs whose work is not done: a try goes on after it.
    partly: Mutex<BTreeMap<StreamId, (Seq, usize)>>,
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
        commands: CommandWriter,
    ) -> Result<Self> {
        let name = Label::try_new(format!("channel-{}", adapter.id()))?;
        Ok(Self {
            name,
            adapter,
            sealer,
            streams,
            commands,
            partly: Mutex::default(),
        })
    }

    fn partly(&self) -> MutexGuard<'_, BTreeMap<StreamId, (Seq, usize)>> {
        self.partly.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent(&self, stream: &StreamId, part: (Seq, usize)) {
        let mut partly = self.partly();
        partly.insert(stream.clone(), part);
        if partly.len() > PARTLY_MAX {
            partly.pop_first();
        }
    }

    /// The events, if they are of a dialog on this channel, with the dialog and its customer.
    async fn ours<'a>(
        &self,
        work: &'a Work,
    ) -> Result<Option<(&'a Appended, DialogId, &'a CustomerId)>> {
        let Some(appended) = work.appended() else {
            return Ok(None);
        };
        let (StreamId::Dialog(dialog), Access::Dialog { customer, .. }) =
            (&appended.stream, &appended.access)
        else {
            return Ok(None);
        };
        let channel = channel_of(self.streams.as_ref(), *dialog).await?;
        let is_ours = channel == *self.adapter.id();
        Ok(is_ours.then_some((appended, *dialog, customer)))
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
        let Some((appended, dialog, customer)) = self.ours(work).await? else {
            return Ok(());
        };
        let can = self.adapter.capabilities();
        let sent = self.partly().get(&appended.stream).copied();
        for event in &appended.events {
            let Some(body) = body(event) else { continue };
            let parts = fit(self.sealer.open(customer, body)?, &can);
            for (index, content) in parts.into_iter().enumerate() {
                let part = (event.seq, index);
                if sent.is_some_and(|sent| part <= sent) {
                    continue;
                }
                let message = Outgoing {
                    customer: customer.clone(),
                    dialog,
                    seq: event.seq,
                    content,
                };
                self.adapter.send(&message).await?;
                self.sent(&appended.stream, part);
            }
        }
        self.partly().remove(&appended.stream);
        Ok(())
    }

    /// The dialog is told which of its messages the customer does not have, whole or in part.
    async fn give_up(&self, work: &Work, reason: &Label) -> Result<()> {
        let Some((appended, dialog, customer)) = self.ours(work).await? else {
            return Ok(());
        };
        let can = self.adapter.capabilities();
        let sent = self.partly().get(&appended.stream).copied();
        for event in &appended.events {
            let Some(body) = body(event) else { continue };
            // What can't even be opened has no parts that were sent.
            let parts = self
                .sealer
                .open(customer, body)
                .map(|content| fit(content, &can));
            let last = (
                event.seq,
                parts.map_or(0, |parts| parts.len().saturating_sub(1)),
            );
            if sent.is_some_and(|sent| last <= sent) {
                continue;
            }
            let command = Command::Customer(CustomerCommand::Undelivered {
                dialog,
                message: event.seq,
                reason: reason.clone(),
            });
            let target = Target::Customer(customer.clone());
            let new = NewCommand::internal(target, command);
            self.commands.write(new).await?;
        }
        self.partly().remove(&appended.stream);
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
