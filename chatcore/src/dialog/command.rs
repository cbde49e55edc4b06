//! Commands to a customer and the dialogs of that customer.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    ids::{
        ChannelId, CustomerId, DeskId, DialogId, GrantId, Label, NoteId, OwnerEpoch, QueueId,
        QueueRef, Seq, StaffId,
    },
    record::Position,
};

/// A command to a customer. `B` is the form of what people write: [`Content`] before admission,
/// [`Sealed`] after it.
///
/// Who may send which is checked at admission by rights and here by ownership: commands of an
/// owner carry the `owner_epoch` that they saw, and a late one is rejected.
///
/// [`Content`]: crate::content::Content
/// [`Sealed`]: crate::content::Sealed
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CustomerCommand<B> {
    /// The customer opens a dialog, or gets the one that is open (two tabs get one).
    Open(Open),
    /// The customer of a channel says something, in the dialog that is open or in a new one: a
    /// channel can't know its number before the append.
    Write {
        /// As for [`CustomerCommand::Open`].
        open: Open,
        /// What.
        body: B,
    },
    /// A message by customer, owner or bot.
    Message(Message<B>),
    /// The author replaces a message's content.
    Edit {
        /// In this dialog.
        dialog: DialogId,
        /// The message, by its `seq`.
        message: Seq,
        /// What it says now.
        body: B,
        /// Of staff: the epoch of their ownership.
        owner_epoch: Option<OwnerEpoch>,
    },
    /// The author withdraws a message; a supervisor may delete any.
    Delete {
        /// In this dialog.
        dialog: DialogId,
        /// The message, by its `seq`.
        message: Seq,
        /// Of staff: the epoch of their ownership.
        owner_epoch: Option<OwnerEpoch>,
    },
    /// The customer asks for a person.
    AskPerson {
        /// In this dialog.
        dialog: DialogId,
        /// Which queue; the dialog's own when absent.
        queue: Option<QueueRef>,
    },
    /// The bot's answer to what it saw; void when anything passed it (see `seen`, `owner_epoch`).
    BotAnswer {
        /// In this dialog.
        dialog: DialogId,
        /// The last event that the bot knew of; an answer to an older one is rejected as `stale`.
        seen: Seq,
        /// The bot's ownership.
        owner_epoch: OwnerEpoch,
        /// What it says, in order.
        replies: Vec<B>,
        /// Hands over to this queue.
        hand_over: Option<HandOver>,
    },
    /// The owner passes the dialog on.
    Transfer {
        /// The dialog.
        dialog: DialogId,
        /// The owner's epoch.
        owner_epoch: OwnerEpoch,
        /// To whom.
        to: TransferTo,
        /// For the next one; staff only.
        note: Option<B>,
    },
    /// The owner gives the dialog back to the queue it came from; its place there is kept.
    ReturnToQueue {
        /// The dialog.
        dialog: DialogId,
        /// The owner's epoch.
        owner_epoch: OwnerEpoch,
    },
    /// The owner puts the dialog on hold.
    Hold {
        /// The dialog.
        dialog: DialogId,
        /// The owner's epoch.
        owner_epoch: OwnerEpoch,
    },
    /// The owner goes on, after a hold or a wrap-up.
    Resume {
        /// The dialog.
        dialog: DialogId,
        /// The owner's epoch.
        owner_epoch: OwnerEpoch,
    },
    /// A note that only staff see.
    Note {
        /// In this dialog.
        dialog: DialogId,
        /// What it says.
        body: B,
    },
    /// A note about the customer: staff see it beside every dialog of the customer.
    NoteCustomer {
        /// The dialog beside which it is written: the right to it is the right to this.
        dialog: DialogId,
        /// What it says.
        body: B,
    },
    /// Takes a note about the customer away. By its author, or by a supervisor.
    RemoveCustomerNote {
        /// The dialog beside which it is seen: the right to it is the right to this.
        dialog: DialogId,
        /// Which.
        note: NoteId,
    },
    /// Replaces the tags.
    SetTags {
        /// Of this dialog.
        dialog: DialogId,
        /// At most [`crate::dialog::limits::TAGS_MAX`].
        tags: BTreeSet<Label>,
    },
    /// Sets what it is about.
    SetTopic {
        /// Of this dialog.
        dialog: DialogId,
        /// The topic; none clears it.
        topic: Option<Label>,
    },
    /// The owner has said all and writes it up; the customer sees the dialog as ended.
    WrapUp {
        /// The dialog.
        dialog: DialogId,
        /// The owner's epoch.
        owner_epoch: OwnerEpoch,
    },
    /// Ends the dialog: the owner with an epoch, the customer without one.
    Close {
        /// The dialog.
        dialog: DialogId,
        /// Of staff: the epoch of their ownership.
        owner_epoch: Option<OwnerEpoch>,
        /// How it ended.
        outcome: Label,
    },
    /// Opens a closed dialog again, within its reopen window. In wrap-up the operator who still
    /// has it goes on.
    Reopen {
        /// The dialog.
        dialog: DialogId,
    },
    /// The customer rates a dialog that has ended.
    Rate {
        /// The dialog.
        dialog: DialogId,
        /// 1 to 5.
        score: u8,
        /// In words.
        comment: Option<B>,
    },
    /// How far the author has received and read. No outcome, no event; the highest wins.
    Cursor {
        /// The dialog.
        dialog: DialogId,
        /// Received up to here.
        delivered: Seq,
        /// Read up to here; never past `delivered`.
        read: Seq,
    },
    /// A message by the bank's systems (a status, a reminder); a supervisor may send one too.
    System {
        /// The dialog.
        dialog: DialogId,
        /// What it says.
        body: B,
    },
    /// An emergency message.
    Emergency {
        /// To this dialog; to every open dialog of the customer when absent. A supervisor's session
        /// names it.
        #[serde(default)]
        dialog: Option<DialogId>,
        /// Names the incident; the same one is not shown twice.
        incident: Label,
        /// What it says.
        body: B,
    },
    /// The channel gave a message up: the customer does not have it. Told by the channel's effect.
    Undelivered {
        /// In this dialog.
        dialog: DialogId,
        /// The message, by its `seq`.
        message: Seq,
        /// Why: the reason of the dead letter.
        reason: Label,
    },
    /// Two identities turned out to be one person. Links; never moves a dialog.
    Link {
        /// The other customer.
        other: CustomerId,
    },
    /// The desk's grant.
    Grant(Grant),
    /// The desk asks whether a grant of its still stands.
    Confirm {
        /// The asking desk.
        desk: DeskId,
        /// The dialog.
        dialog: DialogId,
        /// The grant asked about.
        grant: GrantId,
        /// The epoch that the desk knows.
        epoch: OwnerEpoch,
    },
    /// The operator of a held grant has vanished (a follow-up of the desk, which knows this). If
    /// the ownership stands, the dialog waits again at its old place and answers `Freed`, then
    /// `Wait`; in wrap-up it is closed and answers `Freed` alone. If it does not stand, `Freed`
    /// was sent when it ended and nothing follows.
    OwnerLost {
        /// The granting desk.
        desk: DeskId,
        /// The dialog.
        dialog: DialogId,
        /// The grant that it is owned by.
        grant: GrantId,
        /// The epoch, as told by `Held`.
        epoch: OwnerEpoch,
    },
    /// The archive has a settled dialog whole: it leaves the live view. Void when it has left, or
    /// when its last event is another.
    Archived {
        /// The dialog.
        dialog: DialogId,
        /// Its last event, as the archive has it.
        upto: Position,
    },
    /// A timer of this customer fired.
    Timer {
        /// Which.
        key: CustomerTimer,
        /// Must be the one in force, or the firing is void.
        generation: u64,
    },
}

/// Opens a dialog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Open {
    /// Where the customer writes from.
    pub channel: ChannelId,
    /// What it is about, when known.
    pub topic: Option<Label>,
    /// The rules for this dialog, stamped at admission from the configuration: `decide` must not
    /// ask for them, so that a replay decides alike. What a client sends here is overwritten.
    #[serde(default)]
    pub settings: DialogSettings,
}

/// The rules for one dialog, fixed when it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DialogSettings {
    /// Where it waits when a person is asked for.
    pub queue: QueueRef,
    /// Whether a bot meets the customer; without one the dialog waits at once.
    pub bot: bool,
    /// Its priority in the queue; higher is served first.
    pub priority: u8,
    /// How long after the end it may be opened again, in milliseconds.
    pub reopen_ms: u64,
    /// How long the wrap-up may take, in milliseconds; then the dialog is closed.
    pub wrap_up_ms: u64,
}

impl Default for DialogSettings {
    /// Queue `general` of desk `main`, a bot, one day to reopen, five minutes of wrap-up.
    fn default() -> Self {
        Self {
            queue: QueueRef {
                desk: DeskId::literal("main"),
                queue: QueueId::literal("general"),
            },
            bot: true,
            priority: 0,
            reopen_ms: 24 * 60 * 60 * 1000,
            wrap_up_ms: 5 * 60 * 1000,
        }
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message<B> {
    /// In this dialog.
    pub dialog: DialogId,
    /// What it says.
    pub body: B,
    /// The message that it answers.
    pub reply_to: Option<Seq>,
    /// Of staff: the epoch of their ownership.
    pub owner_epoch: Option<OwnerEpoch>,
}

/// The bot gives the dialog to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HandOver {
    /// Which queue; the dialog's own when absent.
    pub queue: Option<QueueRef>,
    /// Why: `asked`, `failed` …
    pub reason: Label,
}

/// To whom a dialog is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TransferTo {
    /// A certain operator of a desk; not possible there, it waits in the queue.
    Operator {
        /// Whose desk grants it.
        desk: DeskId,
        /// The operator.
        operator: StaffId,
        /// The queue of that desk in which it waits meanwhile; the dialog's own when absent,
        /// which is possible only at the desk of that queue.
        #[serde(default)]
        queue: Option<QueueId>,
    },
    /// A queue; the place in its line is a new one.
    Queue(QueueRef),
}

/// A desk gives a dialog to an operator. Sent again until answered with held or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Grant {
    /// The granting desk.
    pub desk: DeskId,
    /// The grant, counted by the desk.
    pub grant: GrantId,
    /// What is granted.
    pub what: Granted,
    /// To whom.
    pub operator: StaffId,
}

/// What a grant is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Granted {
    /// A dialog that waits, as the desk knows it.
    Waiting {
        /// The dialog.
        dialog: DialogId,
        /// The epoch that the desk knows; another one means refused.
        expected_epoch: OwnerEpoch,
    },
    /// A supervisor takes it from its owner.
    TakeOver {
        /// The dialog.
        dialog: DialogId,
        /// The epoch that the desk knows; another one means refused.
        expected_epoch: OwnerEpoch,
    },
    /// A new dialog that the operator begins.
    New {
        /// Where the customer is reached.
        channel: ChannelId,
        /// The rules for it.
        settings: DialogSettings,
    },
}

/// The timers of a customer's dialogs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CustomerTimer {
    /// The wrap-up has taken too long.
    WrapUp(DialogId),
    /// A closed dialog can't be opened again from now on, and leaves the state.
    ReopenEnds(DialogId),
}

/// When a timer is due. A function of the state; one per key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due<K> {
    /// Which timer.
    pub key: K,
    /// Not before this.
    pub at: Timestamp,
    /// Changes whenever the timer is set anew.
    pub generation: u64,
}
