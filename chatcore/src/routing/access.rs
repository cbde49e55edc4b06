//! Who may see what: judged from the access that a frame carries and from the viewer's rights.

use crate::{
    identity::Who,
    ids::StreamId,
    record::{Access, Visibility},
    rights::{Action, Relations, Role, may},
};

/// How much somebody may see of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// Nothing.
    None,
    /// May look, not act: a dialog that waits at one's own desk, or that one had when it ended.
    Preview,
    /// May look and act.
    Full,
}

/// How much `who` may see of a stream whose state is `access`, by the [table of rights].
///
/// [table of rights]: crate::rights
#[must_use]
pub fn sight(who: &Who, access: &Access) -> Sight {
    let (role, relations) = (Role::from(who), Relations::to(who, access));
    let (all, some) = match access {
        Access::Customer(_) => (Action::SeeCustomer, None),
        Access::Board(_) => (Action::SeeBoard, None),
        Access::Dialog { .. } => (Action::See, Some(Action::Look)),
    };
    if may(role, all, relations) {
        Sight::Full
    } else if some.is_some_and(|some| may(role, some, relations)) {
        Sight::Preview
    } else {
        Sight::None
    }
}

/// Whether `who` owns the dialog, as staff.
#[must_use]
pub fn owns(who: &Who, access: &Access) -> bool {
    matches!(
        (who, access),
        (Who::Staff { id, .. }, Access::Dialog { owner: Some(owner), .. }) if id == owner
    )
}

/// Whether `who` may see an event of a stream that they may see.
#[must_use]
pub fn shows(who: &Who, visibility: Visibility) -> bool {
    match visibility {
        Visibility::Everyone => true,
        Visibility::Staff => may(Role::from(who), Action::SeeInternal, Relations::NONE),
    }
}

/// What can be said of a stream that has no event yet: only its name speaks.
#[must_use]
pub fn access_of_empty(stream: &StreamId) -> Option<Access> {
    match stream {
        StreamId::Customer(id) => Some(Access::Customer(id.clone())),
        StreamId::Board(desk) => Some(Access::Board(desk.clone())),
        StreamId::Dialog(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::StaffRole;
    use crate::{
        dialog::Phase,
        ids::{CustomerId, DeskId, OwnerEpoch, StaffId},
    };

    fn staff(id: &str, desk: &str, supervisor: bool) -> Who {
        Who::Staff {
            id: StaffId::try_new(id).unwrap(),
            desk: DeskId::try_new(desk).unwrap(),
            role: if supervisor {
                StaffRole::Supervisor
            } else {
                StaffRole::Operator
            },
        }
    }

    fn customer(id: &str) -> Who {
        Who::Customer(CustomerId::try_new(id).unwrap())
    }

    fn dialog(owner: Option<&str>, last: Option<&str>, phase: Phase) -> Access {
        Access::Dialog {
            customer: CustomerId::try_new("anna").unwrap(),
            owner: owner.map(|o| StaffId::try_new(o).unwrap()),
            epoch: OwnerEpoch(1),
            desk: DeskId::try_new("main").unwrap(),
            phase,
            last_owner: last.map(|o| StaffId::try_new(o).unwrap()),
        }
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table")]
    fn everybody_sees_what_the_table_says() {
        use Phase::{Assigned, Bot, Closed, OnHold, Waiting, WrapUp};
        let olga = Some("olga");
        let table = [
            (customer("anna"), dialog(None, None, Bot), Sight::Full),
            (customer("anna"), dialog(olga, olga, Assigned), Sight::Full),
            (customer("anna"), dialog(None, olga, Closed), Sight::Full),
            (customer("boris"), dialog(None, None, Bot), Sight::None),
            (customer("boris"), dialog(olga, olga, Assigned), Sight::None),
            (
                staff("olga", "main", false),
                dialog(None, None, Bot),
                Sight::None,
            ),
            (
                staff("olga", "main", false),
                dialog(None, None, Waiting),
                Sight::Preview,
            ),
            (
                staff("olga", "cards", false),
                dialog(None, None, Waiting),
                Sight::None,
            ),
            (
                staff("olga", "main", false),
                dialog(olga, olga, Assigned),
                Sight::Full,
            ),
            (
                staff("olga", "main", false),
                dialog(olga, olga, OnHold),
                Sight::Full,
            ),
            (
                staff("olga", "main", false),
                dialog(olga, olga, WrapUp),
                Sight::Full,
            ),
            (
                staff("olga", "main", false),
                dialog(None, olga, Closed),
                Sight::Preview,
            ),
            (
                staff("olga", "main", false),
                dialog(None, olga, Bot),
                Sight::None,
            ),
            (
                staff("petr", "main", false),
                dialog(olga, olga, Assigned),
                Sight::None,
            ),
            (
                staff("petr", "main", false),
                dialog(None, olga, Closed),
                Sight::None,
            ),
            (
                staff("petr", "main", true),
                dialog(olga, olga, Assigned),
                Sight::Full,
            ),
            (
                staff("petr", "main", true),
                dialog(None, None, Bot),
                Sight::Full,
            ),
            (
                staff("petr", "cards", true),
                dialog(olga, olga, Assigned),
                Sight::None,
            ),
            // The owner may belong to another desk than the one the dialog came from.
            (
                staff("olga", "cards", false),
                dialog(olga, olga, Assigned),
                Sight::Full,
            ),
        ];
        for (who, access, expected) in table {
            assert_eq!(sight(&who, &access), expected, "{who:?} of {access:?}");
        }
    }

    #[test]
    fn a_board_is_for_its_own_staff() {
        let board = Access::Board(DeskId::try_new("main").unwrap());
        assert_eq!(sight(&staff("olga", "main", false), &board), Sight::Full);
        assert_eq!(sight(&staff("olga", "cards", true), &board), Sight::None);
        assert_eq!(sight(&customer("anna"), &board), Sight::None);
    }

    #[test]
    fn a_customers_stream_is_for_that_customer() {
        let own = Access::Customer(CustomerId::try_new("anna").unwrap());
        assert_eq!(sight(&customer("anna"), &own), Sight::Full);
        assert_eq!(sight(&customer("boris"), &own), Sight::None);
        assert_eq!(sight(&staff("petr", "main", true), &own), Sight::None);
    }
}
