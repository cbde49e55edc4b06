//! Who may send which command: a table, pure.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::access::Sight;
use crate::{
    content::Content,
    dialog::{CustomerCommand, DialogSettings},
    error::{Error, ErrorKind, Result},
    identity::Who,
    ids::{ChannelId, DialogId, Target},
    queue::DeskCommand,
    record::Command,
};

/// What is stamped onto commands from the configuration.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The rules for dialogs of channels that have none of their own.
    pub settings: DialogSettings,
    /// The rules for dialogs of these channels.
    pub settings_of: BTreeMap<ChannelId, DialogSettings>,
    /// The channels that sessions of customers may open dialogs in. Those of adapters are not
    /// among them.
    pub own_channels: BTreeSet<ChannelId>,
}

impl Default for Rules {
    /// The default settings, and the channels `web` and `mobile`.
    fn default() -> Self {
        Self {
            settings: DialogSettings::default(),
            settings_of: BTreeMap::new(),
            own_channels: [ChannelId::literal("web"), ChannelId::literal("mobile")].into(),
        }
    }
}

impl Rules {
    /// The rules for dialogs of a channel.
    #[must_use]
    pub fn settings_for(&self, channel: &ChannelId) -> DialogSettings {
        self.settings_of
            .get(channel)
            .unwrap_or(&self.settings)
            .clone()
    }
}

/// What else must hold before a command is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the rest is decided where the state is.
    Nothing,
    /// This sight of the dialog, at least; and the dialog is the target's.
    Sight(DialogId, Sight),
}

/// Judges a command that a session sends, and stamps it.
///
/// What depends on the state (who owns a dialog, what phase it is in) is decided where the state
/// is; here stands what a person of this kind may ask for at all.
///
/// # Errors
/// `Forbidden` for what this person may not send or not to this target, `Invalid` for a command
/// that can't be meant.
pub fn judge(
    who: &Who,
    target: &Target,
    command: &mut Command<Content>,
    rules: &Rules,
) -> Result<Need> {
    match (who, target, command) {
        (Who::Customer(me), Target::Customer(whose), Command::Customer(command)) if me == whose => {
            judge_customer(command, rules).map(|()| Need::Nothing)
        }
        (Who::Staff { supervisor, .. }, Target::Customer(_), Command::Customer(command)) => {
            judge_staff(command, *supervisor)
        }
        (
            Who::Staff {
                id,
                desk,
                supervisor,
            },
            Target::Desk(whose),
            Command::Desk(command),
        ) if desk == whose => judge_desk(command, id, *supervisor, rules).map(|()| Need::Nothing),
        (_, Target::Customer(_), Command::Desk(_)) | (_, Target::Desk(_), Command::Customer(_)) => {
            Err(invalid("the command is of another kind than its target"))
        }
        _ => Err(forbidden("not to this target")),
    }
}

fn judge_customer(command: &mut CustomerCommand<Content>, rules: &Rules) -> Result<()> {
    use CustomerCommand as C;
    match command {
        C::Open(open) => {
            if !rules.own_channels.contains(&open.channel) {
                return Err(forbidden("no dialogs in this channel from here"));
            }
            open.settings = rules.settings_for(&open.channel);
            Ok(())
        }
        C::Message(message) => {
            no_epoch(message.owner_epoch.is_some())?;
            plain(&message.body)
        }
        C::Edit {
            body, owner_epoch, ..
        } => {
            no_epoch(owner_epoch.is_some())?;
            plain(body)
        }
        C::Delete { owner_epoch, .. } | C::Close { owner_epoch, .. } => {
            no_epoch(owner_epoch.is_some())
        }
        C::AskPerson { .. } | C::Reopen { .. } => Ok(()),
        C::Rate { comment, .. } => comment.as_ref().map_or(Ok(()), plain),
        C::BotAnswer { .. }
        | C::Transfer { .. }
        | C::ReturnToQueue { .. }
        | C::Hold { .. }
        | C::Resume { .. }
        | C::Note { .. }
        | C::NoteCustomer { .. }
        | C::RemoveCustomerNote { .. }
        | C::SetTags { .. }
        | C::SetTopic { .. }
        | C::WrapUp { .. } => Err(forbidden("only staff may send this")),
        C::Cursor { .. } => Err(invalid("cursors are not counted commands")),
        C::System { .. }
        | C::Emergency { .. }
        | C::Write { .. }
        | C::Undelivered { .. }
        | C::Link { .. }
        | C::Grant(_)
        | C::Confirm { .. }
        | C::OwnerLost { .. }
        | C::Archived { .. }
        | C::Timer { .. } => Err(forbidden("no session may send this")),
    }
}

fn judge_staff(command: &CustomerCommand<Content>, supervisor: bool) -> Result<Need> {
    use CustomerCommand as C;
    let full = |dialog: &DialogId| Ok(Need::Sight(*dialog, Sight::Full));
    match command {
        C::Message(message) => {
            epoch(message.owner_epoch.is_some())?;
            staff_body(&message.body)?;
            full(&message.dialog)
        }
        C::Edit {
            dialog,
            owner_epoch,
            body,
            ..
        } => {
            epoch(owner_epoch.is_some())?;
            staff_body(body)?;
            full(dialog)
        }
        C::Delete {
            dialog,
            owner_epoch,
            ..
        } => {
            // A supervisor may delete any message, without owning the dialog.
            epoch(owner_epoch.is_some() || supervisor)?;
            full(dialog)
        }
        C::Close {
            dialog,
            owner_epoch,
            ..
        } => {
            epoch(owner_epoch.is_some())?;
            full(dialog)
        }
        C::Transfer { dialog, note, .. } => {
            note.as_ref().map_or(Ok(()), staff_body)?;
            full(dialog)
        }
        C::Note { dialog, body } => {
            staff_body(body)?;
            full(dialog)
        }
        C::NoteCustomer { dialog, body } => {
            only_text(body)?;
            full(dialog)
        }
        C::System { .. } | C::Emergency { .. } => judge_bank(command, supervisor),
        C::ReturnToQueue { dialog, .. }
        | C::Hold { dialog, .. }
        | C::Resume { dialog, .. }
        | C::WrapUp { dialog, .. }
        | C::RemoveCustomerNote { dialog, .. }
        | C::SetTags { dialog, .. }
        | C::SetTopic { dialog, .. } => full(dialog),
        C::Reopen { dialog } => Ok(Need::Sight(*dialog, Sight::Preview)),
        C::Open(_) | C::AskPerson { .. } | C::Rate { .. } => {
            Err(forbidden("only the customer may send this"))
        }
        C::Cursor { .. } => Err(invalid("cursors are not counted commands")),
        C::BotAnswer { .. }
        | C::Write { .. }
        | C::Undelivered { .. }
        | C::Link { .. }
        | C::Grant(_)
        | C::Confirm { .. }
        | C::OwnerLost { .. }
        | C::Archived { .. }
        | C::Timer { .. } => Err(forbidden("no session may send this")),
    }
}

/// What is said in the bank's name: by supervisors, in dialogs of their own desk.
fn judge_bank(command: &CustomerCommand<Content>, supervisor: bool) -> Result<Need> {
    use CustomerCommand as C;
    if !supervisor {
        return Err(forbidden("only a supervisor may send this"));
    }
    match command {
        C::System { dialog, body }
        | C::Emergency {
            dialog: Some(dialog),
            body,
            ..
        } => {
            staff_body(body)?;
            Ok(Need::Sight(*dialog, Sight::Full))
        }
        _ => Err(invalid("`dialog` is missing: in which dialog")),
    }
}

fn judge_desk(
    command: &mut DeskCommand,
    me: &crate::ids::StaffId,
    supervisor: bool,
    rules: &Rules,
) -> Result<()> {
    match command {
        DeskCommand::Take { .. } => Ok(()),
        DeskCommand::Begin {
            channel, settings, ..
        } => {
            *settings = rules.settings_for(channel);
            Ok(())
        }
        DeskCommand::Status { operator, .. } if operator == me || supervisor => Ok(()),
        DeskCommand::Status { .. } => Err(forbidden("a status of somebody else")),
        DeskCommand::Assign { .. } if supervisor => Ok(()),
        DeskCommand::Assign { .. } => Err(forbidden("only a supervisor may send this")),
        DeskCommand::Wait(_)
        | DeskCommand::Leave { .. }
        | DeskCommand::Came { .. }
        | DeskCommand::Lost { .. }
        | DeskCommand::Pass { .. }
        | DeskCommand::Held { .. }
        | DeskCommand::Refused { .. }
        | DeskCommand::Freed { .. }
        | DeskCommand::Confirmed { .. }
        | DeskCommand::Configure(_)
        | DeskCommand::Silence { .. }
        | DeskCommand::Timer { .. } => Err(forbidden("no session may send this")),
    }
}

/// What customers may write: no buttons, no cards.
fn plain(body: &Content) -> Result<()> {
    match body {
        Content::Text(_) | Content::Pressed { .. } | Content::Attachment { .. } => Ok(()),
        Content::Buttons { .. } | Content::QuickReplies { .. } | Content::Card { .. } => Err(
            forbidden("customers write text, press buttons and attach files"),
        ),
        Content::Erased => Err(invalid("nobody writes this")),
    }
}

fn staff_body(body: &Content) -> Result<()> {
    match body {
        Content::Pressed { .. } => Err(invalid("only customers press buttons")),
        Content::Erased => Err(invalid("nobody writes this")),
        _ => Ok(()),
    }
}

fn only_text(body: &Content) -> Result<()> {
    match body {
        Content::Text(_) => Ok(()),
        _ => Err(invalid("a note about a customer is a text")),
    }
}

fn no_epoch(given: bool) -> Result<()> {
    if given {
        return Err(invalid("`owner_epoch` is for staff"));
    }
    Ok(())
}

fn epoch(given: bool) -> Result<()> {
    if given {
        return Ok(());
    }
    Err(invalid(
        "`owner_epoch` is missing: the epoch of your ownership",
    ))
}

fn forbidden(why: &'static str) -> Error {
    Error::new(ErrorKind::Forbidden, "take a command").with_context("reason", why)
}

fn invalid(why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, "take a command").with_context("reason", why)
}
