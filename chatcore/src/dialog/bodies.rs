//! Changing the form of what people wrote in commands and events: sealing and opening.

use super::{
    command::{CustomerCommand, Message},
    event::DialogEvent,
};

impl<B> CustomerCommand<B> {
    /// The same command with each body changed by `change`; its first error ends it.
    ///
    /// # Errors
    /// What `change` answers.
    #[allow(clippy::too_many_lines, reason = "one arm a command")]
    pub fn try_map_bodies<C, E>(
        self,
        mut change: impl FnMut(B) -> Result<C, E>,
    ) -> Result<CustomerCommand<C>, E> {
        use CustomerCommand as To;
        Ok(match self {
            Self::Message(message) => To::Message(Message {
                dialog: message.dialog,
                body: change(message.body)?,
                reply_to: message.reply_to,
                owner_epoch: message.owner_epoch,
            }),
            Self::Edit {
                dialog,
                message,
                body,
                owner_epoch,
            } => To::Edit {
                dialog,
                message,
                body: change(body)?,
                owner_epoch,
            },
            Self::BotAnswer {
                dialog,
                seen,
                owner_epoch,
                replies,
                hand_over,
            } => To::BotAnswer {
                dialog,
                seen,
                owner_epoch,
                replies: replies.into_iter().map(change).collect::<Result<_, E>>()?,
                hand_over,
            },
            Self::Transfer {
                dialog,
                owner_epoch,
                to,
                note,
            } => To::Transfer {
                dialog,
                owner_epoch,
                to,
                note: note.map(change).transpose()?,
            },
            Self::Note { dialog, body } => To::Note {
                dialog,
                body: change(body)?,
            },
            Self::NoteCustomer { dialog, body } => To::NoteCustomer {
                dialog,
                body: change(body)?,
            },
            Self::Rate {
                dialog,
                score,
                comment,
            } => To::Rate {
                dialog,
                score,
                comment: comment.map(change).transpose()?,
            },
            Self::System { dialog, body } => To::System {
                dialog,
                body: change(body)?,
            },
            Self::Emergency {
                dialog,
                incident,
                body,
            } => To::Emergency {
                dialog,
                incident,
                body: change(body)?,
            },
            Self::Write { open, body } => To::Write {
                open,
                body: change(body)?,
            },
            Self::Open(open) => To::Open(open),
            Self::Delete {
                dialog,
                message,
                owner_epoch,
            } => To::Delete {
                dialog,
                message,
                owner_epoch,
            },
            Self::AskPerson { dialog, queue } => To::AskPerson { dialog, queue },
            Self::ReturnToQueue {
                dialog,
                owner_epoch,
            } => To::ReturnToQueue {
                dialog,
                owner_epoch,
            },
            Self::Hold {
                dialog,
                owner_epoch,
            } => To::Hold {
                dialog,
                owner_epoch,
            },
            Self::Resume {
                dialog,
                owner_epoch,
            } => To::Resume {
                dialog,
                owner_epoch,
            },
            Self::RemoveCustomerNote { dialog, note } => To::RemoveCustomerNote { dialog, note },
            Self::SetTags { dialog, tags } => To::SetTags { dialog, tags },
            Self::SetTopic { dialog, topic } => To::SetTopic { dialog, topic },
            Self::WrapUp {
                dialog,
                owner_epoch,
            } => To::WrapUp {
                dialog,
                owner_epoch,
            },
            Self::Close {
                dialog,
                owner_epoch,
                outcome,
            } => To::Close {
                dialog,
                owner_epoch,
                outcome,
            },
            Self::Reopen { dialog } => To::Reopen { dialog },
            Self::Cursor {
                dialog,
                delivered,
                read,
            } => To::Cursor {
                dialog,
                delivered,
                read,
            },
            Self::Undelivered {
                dialog,
                message,
                reason,
            } => To::Undelivered {
                dialog,
                message,
                reason,
            },
            Self::Link { other } => To::Link { other },
            Self::Grant(grant) => To::Grant(grant),
            Self::Confirm {
                desk,
                dialog,
                grant,
                epoch,
            } => To::Confirm {
                desk,
                dialog,
                grant,
                epoch,
            },
            Self::OwnerLost {
                desk,
                dialog,
                grant,
                epoch,
            } => To::OwnerLost {
                desk,
                dialog,
                grant,
                epoch,
            },
            Self::Archived { dialog, upto } => To::Archived { dialog, upto },
            Self::Timer { key, generation } => To::Timer { key, generation },
        })
    }

    /// The dialog that it is about; none for those about a customer as a whole.
    #[must_use]
    pub fn dialog(&self) -> Option<crate::ids::DialogId> {
        match self {
            Self::Message(message) => Some(message.dialog),
            Self::Edit { dialog, .. }
            | Self::Delete { dialog, .. }
            | Self::AskPerson { dialog, .. }
            | Self::BotAnswer { dialog, .. }
            | Self::Transfer { dialog, .. }
            | Self::ReturnToQueue { dialog, .. }
            | Self::Hold { dialog, .. }
            | Self::Resume { dialog, .. }
            | Self::Note { dialog, .. }
            | Self::NoteCustomer { dialog, .. }
            | Self::RemoveCustomerNote { dialog, .. }
            | Self::SetTags { dialog, .. }
            | Self::SetTopic { dialog, .. }
            | Self::WrapUp { dialog, .. }
            | Self::Close { dialog, .. }
            | Self::Reopen { dialog }
            | Self::Rate { dialog, .. }
            | Self::Cursor { dialog, .. }
            | Self::System { dialog, .. }
            | Self::Undelivered { dialog, .. }
            | Self::Confirm { dialog, .. }
            | Self::Archived { dialog, .. }
            | Self::OwnerLost { dialog, .. } => Some(*dialog),
            Self::Emergency { dialog, .. } => *dialog,
            Self::Open(_)
            | Self::Write { .. }
            | Self::Link { .. }
            | Self::Grant(_)
            | Self::Timer { .. } => None,
        }
    }
}

impl<B> DialogEvent<B> {
    /// The same event with its body, if any, changed by `change`.
    ///
    /// # Errors
    /// What `change` answers.
    #[allow(clippy::too_many_lines, reason = "one arm an event")]
    pub fn try_map_bodies<C, E>(
        self,
        mut change: impl FnMut(B) -> Result<C, E>,
    ) -> Result<DialogEvent<C>, E> {
        use DialogEvent as To;
        Ok(match self {
            Self::Message {
                author,
                body,
                reply_to,
                assurance,
            } => To::Message {
                author,
                body: change(body)?,
                reply_to,
                assurance,
            },
            Self::Edited {
                message,
                body,
                assurance,
            } => To::Edited {
                message,
                body: change(body)?,
                assurance,
            },
            Self::Note { author, body } => To::Note {
                author,
                body: change(body)?,
            },
            Self::CustomerNoted { note, author, body } => To::CustomerNoted {
                note,
                author,
                body: change(body)?,
            },
            Self::CustomerNoteRemoved { note, by } => To::CustomerNoteRemoved { note, by },
            Self::Rated { score, comment } => To::Rated {
                score,
                comment: comment.map(change).transpose()?,
            },
            Self::System { body } => To::System {
                body: change(body)?,
            },
            Self::Emergency { incident, body } => To::Emergency {
                incident,
                body: change(body)?,
            },
            Self::Undelivered { message, reason } => To::Undelivered { message, reason },
            Self::Opened {
                customer,
                channel,
                by,
                topic,
                assurance,
            } => To::Opened {
                customer,
                channel,
                by,
                topic,
                assurance,
            },
            Self::Ruled { settings } => To::Ruled { settings },
            Self::Deleted { message, by } => To::Deleted { message, by },
            Self::Waiting {
                queue,
                reason,
                by,
                since,
                epoch,
            } => To::Waiting {
                queue,
                reason,
                by,
                since,
                epoch,
            },
            Self::Assigned {
                operator,
                queue,
                epoch,
                desk,
                grant,
                from,
            } => To::Assigned {
                operator,
                queue,
                epoch,
                desk,
                grant,
                from,
            },
            Self::Held => To::Held,
            Self::Resumed => To::Resumed,
            Self::Tagged { tags, by } => To::Tagged { tags, by },
            Self::TopicSet { topic, by } => To::TopicSet { topic, by },
            Self::WrapUp => To::WrapUp,
            Self::Closed { by, outcome, epoch } => To::Closed { by, outcome, epoch },
            Self::Reopened { by, epoch } => To::Reopened { by, epoch },
        })
    }
}
