//! Who may see and do what: one table for sessions and REST, asked again where a command is
//! applied.
//!
//! A right depends on what somebody is ([`Role`]), on what they want to do ([`Action`]) and on
//! what they are to the dialog or the desk ([`Relations`]). What depends on anything else (a
//! phase, an epoch, a capacity) is decided by the state machines.

mod action;
mod table;
#[cfg(test)]
mod tests;

pub use action::Action;
pub(crate) use table::must_be;
pub use table::{as_markdown, may};

use std::{fmt, ops::BitOr};

use crate::{
    dialog::Phase,
    identity::{StaffRights, StaffRole, Who},
    ids::{DeskId, Participant},
    record::Access,
};

/// What somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Writes to the bank.
    Customer,
    /// Answers for the bank.
    Operator,
    /// Leads a desk.
    Supervisor,
    /// Leads it too, and takes nothing away that others wrote.
    ChiefSpecialist,
    /// Sees, and does nothing.
    Auditor,
    /// Answers before people do.
    Bot,
    /// chatcore itself and the bank's systems.
    System,
}

impl Role {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Customer,
        Self::Operator,
        Self::Supervisor,
        Self::ChiefSpecialist,
        Self::Auditor,
        Self::Bot,
        Self::System,
    ];

    /// Of the author of a command, with the rights that it carries. Staff without any have the
    /// fewest.
    #[must_use]
    pub fn of(author: &Participant, rights: Option<&StaffRights>) -> Self {
        match author {
            Participant::Customer(_) => Self::Customer,
            Participant::Staff(_) => rights.map_or(Self::Auditor, |rights| rights.role.into()),
            Participant::Bot => Self::Bot,
            Participant::System => Self::System,
        }
    }
}

impl From<StaffRole> for Role {
    fn from(role: StaffRole) -> Self {
        match role {
            StaffRole::Operator => Self::Operator,
            StaffRole::Supervisor => Self::Supervisor,
            StaffRole::ChiefSpecialist => Self::ChiefSpecialist,
            StaffRole::Auditor => Self::Auditor,
        }
    }
}

impl From<&Who> for Role {
    fn from(who: &Who) -> Self {
        match who {
            Who::Customer(_) => Self::Customer,
            Who::Staff { role, .. } => (*role).into(),
        }
    }
}

/// What somebody is to a dialog or a desk: any number of things at once.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Relations(u8);

impl Relations {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// It is the customer's own.
    pub const OWN: Self = Self(1);
    /// Owns it now.
    pub const HOLDER: Self = Self(2);
    /// Owned it when it was closed.
    pub const LAST_HOLDER: Self = Self(4);
    /// It waits at their desk.
    pub const WAITS: Self = Self(8);
    /// It is of their desk, or is that desk.
    pub const DESK: Self = Self(16);
    /// Whatever they are to it.
    pub const ANY: Self = Self(32);

    /// Each with its name.
    const NAMES: [(Self, &'static str); 6] = [
        (Self::OWN, "own"),
        (Self::HOLDER, "holder"),
        (Self::LAST_HOLDER, "last holder"),
        (Self::WAITS, "waits at the desk"),
        (Self::DESK, "of the desk"),
        (Self::ANY, "any"),
    ];

    /// These and others.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These, should it be so.
    #[must_use]
    pub const fn when(self, is_so: bool) -> Self {
        if is_so { self } else { Self::NONE }
    }

    /// Whether one of them is one of those.
    #[must_use]
    pub const fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// What somebody is to the stream whose state is `access`.
    #[must_use]
    pub fn to(who: &Who, access: &Access) -> Self {
        match (who, access) {
            (
                Who::Customer(me),
                Access::Customer(whose)
                | Access::Dialog {
                    customer: whose, ..
                },
            ) => Self::OWN.when(me == whose),
            (Who::Staff { desk, .. }, Access::Board(whose)) => Self::to_desk(desk, whose),
            (
                Who::Staff { id, desk, .. },
                Access::Dialog {
                    owner,
                    desk: whose,
                    phase,
                    last_owner,
                    ..
                },
            ) => {
                let closed = *phase == Phase::Closed;
                let waits = *phase == Phase::Waiting && desk == whose;
                Self::HOLDER.when(owner.as_ref() == Some(id))
                    | Self::LAST_HOLDER.when(closed && last_owner.as_ref() == Some(id))
                    | Self::WAITS.when(waits)
                    | Self::to_desk(desk, whose)
            }
            (Who::Customer(_), Access::Board(_)) | (Who::Staff { .. }, Access::Customer(_)) => {
                Self::NONE
            }
        }
    }

    /// What staff of a desk are to a desk.
    #[must_use]
    pub fn to_desk(mine: &DeskId, whose: &DeskId) -> Self {
        Self::DESK.when(mine == whose)
    }
}

impl BitOr for Relations {
    type Output = Self;

    fn bitor(self, others: Self) -> Self {
        self.and(others)
    }
}

impl fmt::Display for Relations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::NAMES.iter().filter(|(one, _)| self.meets(*one));
        let names: Vec<_> = names.map(|(_, name)| *name).collect();
        f.write_str(&names.join(", "))
    }
}

impl fmt::Debug for Relations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}
