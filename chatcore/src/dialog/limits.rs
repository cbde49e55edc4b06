//! The limits of a customer's state: nothing grows for ever.

/// Most tags of a dialog.
pub const TAGS_MAX: usize = 20;
/// Messages of a dialog that can still be edited or deleted: the newest ones.
pub const EDITABLE_MAX: usize = 200;
/// Messages that are withdrawn with one command, as they have parts of what was taken out of it.
pub const WITHDRAWN_MAX: usize = 16;
/// Dialogs of one customer that are open at a time (one begun by the customer, others by staff).
pub const OPEN_DIALOGS_MAX: usize = 8;
/// Dialogs of one customer kept in the state, closed ones within their reopen window included.
pub const DIALOGS_MAX: usize = 64;
/// Dialogs of one customer that have settled and are not known to be in the archive. When it takes
/// nothing for so long that there are more, the oldest stays in the live view until that is built
/// again.
pub const LEAVING_MAX: usize = 512;
/// Links of a customer.
pub const LINKS_MAX: usize = 32;
/// Notes about a customer at a time; one is taken away to make room for another.
pub const NOTES_MAX: usize = 32;
/// Longest note about a customer, in characters.
pub const NOTE_CHARS_MAX: usize = 2_000;
/// Longest sealed note about a customer, in bytes: the text, escaped, and room for what a sealer
/// adds.
pub const NOTE_BYTES_MAX: usize = 8 * NOTE_CHARS_MAX + 1024;
/// Replies of one bot answer.
pub const BOT_REPLIES_MAX: usize = 8;
/// Incidents remembered per dialog, so that none is shown twice.
pub const INCIDENTS_MAX: usize = 16;
/// Best rating; the worst is 1.
pub const RATING_MAX: u8 = 5;
/// Participants of a dialog whose cursors are kept; past it the one furthest behind is forgotten.
pub const CURSORS_MAX: usize = 32;
/// Longest sealed content, in bytes: the content itself and room for what a sealer adds.
pub const SEALED_BYTES_MAX: usize = crate::content::CONTENT_BYTES_MAX + 1024;
