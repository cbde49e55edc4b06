//! Who may send which command: a table, pure.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    content::Content,
    dialog::{CustomerCommand, DialogSettings},
    error::{Error, ErrorKind, Result},
    identity::Who,
    ids::{ChannelId, DialogId, Target},
    queue::DeskCommand,
    record::Command,
    rights::{Action, Relations, Role, may, must_be},
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
    /// The right to do this in the dialog; and the dialog is the target's.
    Right(DialogId, Action),
}

/// Judges a command that a session sends, and stamps it.
///
/// What a person of this kind may ask for at all is in the [table of rights](crate::rights), which
/// is asked again where the state is; here stands what a session may send, and in what words.
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
            from_session(command)?;
            right(who, Action::of(command), Relations::OWN)?;
            judge_customer(command, rules).map(|()| Need::Nothing)
        }
        (Who::Staff { .. }, Target::Customer(_), Command::Customer(command)) => {
            from_session(command)?;
            let action = Action::of(command);
            if must_be(Role::from(who), action) == Relations::NONE {
                return Err(not_by(who));
            }
            let others = must_be(Role::from(who), Action::DeleteOthers) != Relations::NONE;
            let dialog = judge_staff(command, others)?;
            Ok(Need::Right(dialog, action))
        }
        (Who::Staff { desk, .. }, Target::Desk(whose), Command::Desk(command)) if desk == whose => {
            let action = Action::at_desk(command, &who.participant());
            if action == Action::Internal {
                return Err(forbidden("no session may send this"));
            }
            right(who, action, Relations::to_desk(desk, whose))?;
            if let DeskCommand::Begin {
                channel, settings, ..
            } = command
            {
                *settings = rules.settings_for(channel);
            }
            Ok(Need::Nothing)
        }
        (_, Target::Customer(_), Command::Desk(_)) | (_, Target::Desk(_), Command::Customer(_)) => {
            Err(invalid("the command is of another kind than its target"))
        }
        _ => Err(forbidden("not to this target")),
    }
}

/// Refuses what comes from elsewhere: from adapters, the bot, the bank's systems, chatcore itself.
fn from_session(command: &CustomerCommand<Content>) -> Result<()> {
    match Action::of(command) {
        Action::Cursor => Err(invalid("cursors are not counted commands")),
        Action::Internal | Action::Write | Action::BotAnswer | Action::Link => {
            Err(forbidden("no session may send this"))
        }
        _ => Ok(()),
    }
}

fn right(who: &Who, action: Action, relations: Relations) -> Result<()> {
    if may(Role::from(who), action, relations) {
        return Ok(());
    }
    Err(not_by(who))
}

fn not_by(who: &Who) -> Error {
    forbidden(match who {
        Who::Customer(_) => "only staff may send this",
        Who::Staff { .. } => "not with your rights",
    })
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
        C::Rate { comment, .. } => comment.as_ref().map_or(Ok(()), plain),
        _ => Ok(()),
    }
}

/// In which dialog, if it can be meant. `others`: they may withdraw what somebody else said,
/// without owning the dialog.
fn judge_staff(command: &CustomerCommand<Content>, others: bool) -> Result<DialogId> {
    use CustomerCommand as C;
    match command {
        C::Message(message) => {
            epoch(message.owner_epoch.is_some())?;
            staff_body(&message.body)?;
        }
        C::Edit {
            owner_epoch, body, ..
        } => {
            epoch(owner_epoch.is_some())?;
            staff_body(body)?;
        }
        C::Delete { owner_epoch, .. } => epoch(owner_epoch.is_some() || others)?,
        C::Close { owner_epoch, .. } => epoch(owner_epoch.is_some())?,
        C::Transfer { note, .. } => note.as_ref().map_or(Ok(()), staff_body)?,
        C::NoteCustomer { body, .. } => only_text(body)?,
        C::Note { body, .. } | C::System { body, .. } | C::Emergency { body, .. } => {
            staff_body(body)?;
        }
        _ => {}
    }
    command
        .dialog()
        .ok_or_else(|| invalid("`dialog` is missing: in which dialog"))
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
