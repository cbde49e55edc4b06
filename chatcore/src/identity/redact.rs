//! Redaction, at the edge: what must never be written down is taken out before it is sealed.

use std::fmt;

use crate::content::Content;

/// Takes out of a content what must never be written down (card numbers …). Pure.
///
/// What is taken out is gone: nobody can tell it from the content, nor from several of them.
///
/// ```
/// use chatcore::{content::Content, identity::{Beside, Redacted, Redactor}};
///
/// #[derive(Debug)]
/// struct NoSwearing;
///
/// impl Redactor for NoSwearing {
///     fn redact(&self, content: Content, _: Beside<'_>) -> Redacted {
///         match content {
///             Content::Text(text) if text.contains("damn") => Redacted {
///                 content: Content::Text(text.replace("damn", "••••")),
///                 has_taken: true,
///                 withdraw: Vec::new(),
///             },
///             other => Redacted::nothing(other),
///         }
///     }
/// }
///
/// let said = Content::Text("damn".to_owned());
/// let redacted = NoSwearing.redact(said, Beside::default());
/// assert_eq!(redacted.content, Content::Text("••••".to_owned()));
/// ```
pub trait Redactor: fmt::Debug + Send + Sync + 'static {
    /// The content without it. `beside` is what the same author wrote around it in the dialog, as
    /// it was written down: of a number in several messages enough is taken out that the whole of
    /// it is never written down.
    fn redact(&self, content: Content, beside: Beside<'_>) -> Redacted;

    /// Whether a content, as it was written down, may have a part of what is found only together
    /// with others. Those that may not are neither read nor handed over.
    fn may_be_part(&self, content: &Content) -> bool {
        let _ = content;
        false
    }
}

/// What the same author wrote around a content, nearest last before it and first after it. There
/// is something after it only when it changes what an earlier message says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// Before it, oldest first.
    pub before: &'a [&'a Content],
    /// After it, oldest first.
    pub after: &'a [&'a Content],
}

/// A content from which something was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// What is left.
    pub content: Content,
    /// Whether anything was taken out.
    pub has_taken: bool,
    /// Which of those [`Beside`] it are to be withdrawn, as they have another part of it: counted
    /// from the oldest before it over those after it.
    pub withdraw: Vec<usize>,
}

impl Redacted {
    /// Nothing was taken out.
    #[must_use]
    pub fn nothing(content: Content) -> Self {
        Self {
            content,
            has_taken: false,
            withdraw: Vec::new(),
        }
    }
}

/// Leaves everything as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRedaction;

impl Redactor for NoRedaction {
    fn redact(&self, content: Content, _: Beside<'_>) -> Redacted {
        Redacted::nothing(content)
    }
}
