//! The table.

use super::{Action, Relations, Role};

const NONE: Relations = Relations::NONE;
const OWN: Relations = Relations::OWN;
const HOLDER: Relations = Relations::HOLDER;
const DESK: Relations = Relations::DESK;
const ANY: Relations = Relations::ANY;
/// Whoever has a dialog, or had it when it ended.
const HELD: Relations = HOLDER.and(Relations::LAST_HOLDER);
/// Whoever has or had it, and whoever leads its desk.
const LED: Relations = HELD.and(DESK);

/// Of one action: what each role must be to a dialog or a desk.
#[derive(Debug, Clone, Copy)]
struct Row {
    customer: Relations,
    operator: Relations,
    supervisor: Relations,
    chief_specialist: Relations,
    auditor: Relations,
    bot: Relations,
    system: Relations,
}

/// Of what people do.
const fn people(customer: Relations, operator: Relations, supervisor: Relations) -> Row {
    Row {
        customer,
        operator,
        supervisor,
        chief_specialist: supervisor,
        auditor: NONE,
        bot: NONE,
        system: NONE,
    }
}

impl Row {
    const fn of(action: Action) -> Self {
        use Action as A;
        match action {
            A::Look => people(OWN, HELD.and(Relations::WAITS), LED).seen_by_auditors(DESK),
            A::See => people(OWN, HOLDER, HOLDER.and(DESK)),
            A::SeeInternal => people(NONE, ANY, ANY).seen_by_auditors(ANY),
            A::SeeBoard => people(NONE, DESK, DESK).seen_by_auditors(DESK),
            A::Take | A::Begin | A::OwnStatus => people(NONE, DESK, DESK),
            A::SeeCustomer | A::Open | A::Write | A::AskPerson | A::Rate => people(OWN, NONE, NONE),
            A::Message | A::Edit | A::Close => people(OWN, HOLDER, HOLDER),
            A::Delete => Self {
                chief_specialist: HOLDER,
                ..people(OWN, HOLDER, LED)
            },
            A::Transfer | A::ReturnToQueue | A::Hold | A::Resume | A::WrapUp => {
                people(NONE, HOLDER, HOLDER)
            }
            A::Note | A::NoteCustomer | A::RemoveCustomerNote | A::SetTags | A::SetTopic => {
                people(NONE, HELD, LED)
            }
            A::Reopen | A::Cursor => people(OWN, HELD, LED),
            A::DeleteOthers | A::RemoveOthersNote => Self {
                chief_specialist: NONE,
                ..people(NONE, NONE, LED)
            },
            A::OthersStatus | A::Assign => people(NONE, NONE, DESK),
            A::System | A::Emergency => people(NONE, NONE, LED).done_by_system(),
            A::Link | A::Internal => people(NONE, NONE, NONE).done_by_system(),
            A::BotAnswer => Self {
                bot: ANY,
                ..people(NONE, NONE, NONE)
            },
        }
    }

    const fn seen_by_auditors(self, auditor: Relations) -> Self {
        Self { auditor, ..self }
    }

    const fn done_by_system(self) -> Self {
        Self {
            system: ANY,
            ..self
        }
    }

    const fn cell(self, role: Role) -> Relations {
        match role {
            Role::Customer => self.customer,
            Role::Operator => self.operator,
            Role::Supervisor => self.supervisor,
            Role::ChiefSpecialist => self.chief_specialist,
            Role::Auditor => self.auditor,
            Role::Bot => self.bot,
            Role::System => self.system,
        }
    }
}

/// What this role must be to a dialog or a desk for this: one of these at least.
#[must_use]
pub(crate) const fn must_be(role: Role, action: Action) -> Relations {
    Row::of(action).cell(role)
}

/// Whether somebody of this role, who is this to a dialog or a desk, may do this.
///
/// ```
/// use chatcore::rights::{Action, Relations, Role, may};
///
/// assert!(may(Role::Operator, Action::Message, Relations::HOLDER));
/// assert!(!may(Role::Operator, Action::Message, Relations::DESK));
/// ```
#[must_use]
pub const fn may(role: Role, action: Action, relations: Relations) -> bool {
    relations.and(ANY).meets(must_be(role, action))
}

/// The table as a page shows it, in Markdown.
#[must_use]
pub fn as_markdown() -> String {
    let mut text = String::from("| action |");
    for role in Role::ALL {
        text.push_str(&format!(
            " {} |",
            snake(&format!("{role:?}")).replace('_', " ")
        ));
    }
    text.push_str("\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for action in Action::ALL {
        text.push_str(&format!("| `{action}` |"));
        for role in Role::ALL {
            text.push_str(&format!(" {} |", must_be(role, *action)));
        }
        text.push('\n');
    }
    text
}

pub(super) fn snake(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}
