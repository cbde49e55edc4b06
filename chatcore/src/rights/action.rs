//! What somebody may want to do.

use std::fmt;

use super::table::snake;
use crate::{dialog::CustomerCommand, ids::Participant, queue::DeskCommand, record::Command};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What somebody may want to do: to send a command, or to read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Each of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

actions! {
    /// To see that a dialog is there and what is said in it.
    Look,
    /// To see all of a dialog as those do who act in it: who types, who is there.
    See,
    /// To see what is for staff alone: notes, tags, who was asked.
    SeeInternal,
    /// To see a desk's board.
    SeeBoard,
    /// To see a customer's list of dialogs as it changes.
    SeeCustomer,
    /// To open a dialog.
    Open,
    /// To write over an adapter's channel.
    Write,
    /// To say something.
    Message,
    /// To change what one said.
    Edit,
    /// To withdraw what one said.
    Delete,
    /// To withdraw what somebody else said.
    DeleteOthers,
    /// To ask for a person.
    AskPerson,
    /// To answer as the bot.
    BotAnswer,
    /// To pass a dialog on.
    Transfer,
    /// To give a dialog back to its line.
    ReturnToQueue,
    /// To put a dialog on hold.
    Hold,
    /// To go on with a dialog.
    Resume,
    /// To note something in a dialog.
    Note,
    /// To note something about the customer.
    NoteCustomer,
    /// To take away one's own note about the customer.
    RemoveCustomerNote,
    /// To take away somebody else's.
    RemoveOthersNote,
    /// To tag a dialog.
    SetTags,
    /// To say what a dialog is about.
    SetTopic,
    /// To begin the wrap-up.
    WrapUp,
    /// To end a dialog.
    Close,
    /// To go on with a dialog that was closed.
    Reopen,
    /// To rate a dialog.
    Rate,
    /// To tell what has arrived and was read.
    Cursor,
    /// To say something in the bank's name.
    System,
    /// To tell of an emergency.
    Emergency,
    /// To link two customers.
    Link,
    /// To take a dialog that waits.
    Take,
    /// To begin a dialog with a customer.
    Begin,
    /// To set one's own status.
    OwnStatus,
    /// To set somebody else's.
    OthersStatus,
    /// To give a dialog to an operator.
    Assign,
    /// What chatcore tells itself: grants, presence, timers, what a channel could not deliver.
    Internal,
}

impl fmt::Display for Action {
    /// As the table of rights has it: `ask_person`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&snake(&format!("{self:?}")))
    }
}

impl Action {
    /// What a command of this author does.
    #[must_use]
    pub fn of_any<B>(command: &Command<B>, author: &Participant) -> Self {
        match command {
            Command::Customer(command) => Self::of(command),
            Command::Desk(command) => Self::at_desk(command, author),
            Command::Parked(_) => Self::Internal,
        }
    }

    /// What a command to a customer's dialogs does.
    #[must_use]
    pub fn of<B>(command: &CustomerCommand<B>) -> Self {
        use CustomerCommand as C;
        match command {
            C::Open(_) => Self::Open,
            C::Write { .. } => Self::Write,
            C::Message(_) => Self::Message,
            C::Edit { .. } => Self::Edit,
            C::Delete { .. } => Self::Delete,
            C::AskPerson { .. } => Self::AskPerson,
            C::BotAnswer { .. } => Self::BotAnswer,
            C::Transfer { .. } => Self::Transfer,
            C::ReturnToQueue { .. } => Self::ReturnToQueue,
            C::Hold { .. } => Self::Hold,
            C::Resume { .. } => Self::Resume,
            C::Note { .. } => Self::Note,
            C::NoteCustomer { .. } => Self::NoteCustomer,
            C::RemoveCustomerNote { .. } => Self::RemoveCustomerNote,
            C::SetTags { .. } => Self::SetTags,
            C::SetTopic { .. } => Self::SetTopic,
            C::WrapUp { .. } => Self::WrapUp,
            C::Close { .. } => Self::Close,
            C::Reopen { .. } => Self::Reopen,
            C::Rate { .. } => Self::Rate,
            C::Cursor { .. } => Self::Cursor,
            C::System { .. } => Self::System,
            C::Emergency { .. } => Self::Emergency,
            C::Link { .. } => Self::Link,
            C::Undelivered { .. }
            | C::Grant(_)
            | C::Confirm { .. }
            | C::OwnerLost { .. }
            | C::Archived { .. }
            | C::Timer { .. } => Self::Internal,
        }
    }

    /// What a command to a desk does, by this author.
    #[must_use]
    pub fn at_desk(command: &DeskCommand, author: &Participant) -> Self {
        use DeskCommand as D;
        match command {
            D::Take { .. } => Self::Take,
            D::Begin { .. } => Self::Begin,
            D::Status { operator, .. } if author.staff() == Some(operator) => Self::OwnStatus,
            D::Status { .. } => Self::OthersStatus,
            D::Assign { .. } => Self::Assign,
            D::Wait(_)
            | D::Leave { .. }
            | D::Came { .. }
            | D::Lost { .. }
            | D::Pass { .. }
            | D::Held { .. }
            | D::Refused { .. }
            | D::Freed { .. }
            | D::Confirmed { .. }
            | D::Configure(_)
            | D::Silence { .. }
            | D::Timer { .. } => Self::Internal,
        }
    }
}
