//! Cell by cell: each role, each action, each thing that one can be to a dialog or a desk.

use super::*;

/// What the issue of rights is judged by, written down apart from the table: for each action, who
/// may, as `role:relation`.
const EXPECTED: &[(Action, &str)] = &[
    (
        Action::Look,
        "customer:own operator:holder operator:last operator:waits \
         supervisor:holder supervisor:last supervisor:desk",
    ),
    (
        Action::See,
        "customer:own operator:holder supervisor:holder supervisor:desk",
    ),
    (Action::SeeInternal, "operator:* supervisor:*"),
    (Action::SeeBoard, "operator:desk supervisor:desk"),
    (Action::SeeCustomer, "customer:own"),
    (Action::Open, "customer:own"),
    (Action::Write, "customer:own"),
    (
        Action::Message,
        "customer:own operator:holder supervisor:holder",
    ),
    (
        Action::Edit,
        "customer:own operator:holder supervisor:holder",
    ),
    (
        Action::Delete,
        "customer:own operator:holder supervisor:holder supervisor:last supervisor:desk",
    ),
    (
        Action::DeleteOthers,
        "supervisor:holder supervisor:last supervisor:desk",
    ),
    (Action::AskPerson, "customer:own"),
    (Action::BotAnswer, "bot:*"),
    (Action::Transfer, "operator:holder supervisor:holder"),
    (Action::ReturnToQueue, "operator:holder supervisor:holder"),
    (Action::Hold, "operator:holder supervisor:holder"),
    (Action::Resume, "operator:holder supervisor:holder"),
    (Action::Note, TENDED),
    (Action::NoteCustomer, TENDED),
    (Action::RemoveCustomerNote, TENDED),
    (
        Action::RemoveOthersNote,
        "supervisor:holder supervisor:last supervisor:desk",
    ),
    (Action::SetTags, TENDED),
    (Action::SetTopic, TENDED),
    (Action::WrapUp, "operator:holder supervisor:holder"),
    (
        Action::Close,
        "customer:own operator:holder supervisor:holder",
    ),
    (Action::Reopen, ALSO_CUSTOMER),
    (Action::Rate, "customer:own"),
    (Action::Cursor, ALSO_CUSTOMER),
    (Action::System, SAID_BY_BANK),
    (Action::Emergency, SAID_BY_BANK),
    (Action::Link, "system:*"),
    (Action::Take, "operator:desk supervisor:desk"),
    (Action::Begin, "operator:desk supervisor:desk"),
    (Action::OwnStatus, "operator:desk supervisor:desk"),
    (Action::OthersStatus, "supervisor:desk"),
    (Action::Assign, "supervisor:desk"),
    (Action::Internal, "system:*"),
];

const TENDED: &str = "operator:holder operator:last \
                      supervisor:holder supervisor:last supervisor:desk";
const ALSO_CUSTOMER: &str = "customer:own operator:holder operator:last \
                             supervisor:holder supervisor:last supervisor:desk";
const SAID_BY_BANK: &str = "supervisor:holder supervisor:last supervisor:desk system:*";

const RELATIONS: [(&str, Relations); 6] = [
    ("none", Relations::NONE),
    ("own", Relations::OWN),
    ("holder", Relations::HOLDER),
    ("last", Relations::LAST_HOLDER),
    ("waits", Relations::WAITS),
    ("desk", Relations::DESK),
];

fn name(role: Role) -> String {
    format!("{role:?}").to_lowercase()
}

#[test]
fn every_cell_is_as_it_is_written_down() {
    assert_eq!(EXPECTED.len(), Action::ALL.len());
    let takes_away = [
        Action::Delete,
        Action::DeleteOthers,
        Action::RemoveOthersNote,
    ];
    for ((action, expected), listed) in EXPECTED.iter().zip(Action::ALL) {
        assert_eq!(action, listed);
        let mut expected: Vec<_> = expected.split_whitespace().map(str::to_owned).collect();
        let chief = expected
            .iter()
            .filter(|cell| cell.starts_with("supervisor:"));
        let chief: Vec<_> = chief
            .map(|cell| cell.replace("supervisor", "chiefspecialist"))
            .collect();
        if !takes_away.contains(action) {
            expected.extend(chief);
        } else if *action == Action::Delete {
            expected.push("chiefspecialist:holder".to_owned());
        }
        match action {
            Action::Look | Action::SeeBoard => expected.push("auditor:desk".to_owned()),
            Action::SeeInternal => expected.push("auditor:*".to_owned()),
            _ => {}
        }
        for role in Role::ALL {
            let role_name = name(role);
            for (relation, relations) in RELATIONS {
                let cell = format!("{role_name}:{relation}");
                let any = format!("{role_name}:*");
                let should = expected.contains(&cell) || expected.contains(&any);
                assert_eq!(may(role, *action, relations), should, "{action:?} {cell}");
            }
        }
    }
}

#[test]
fn one_thing_that_somebody_is_to_a_dialog_suffices_and_never_takes_away() {
    for action in Action::ALL {
        for role in Role::ALL {
            for one in 0..32u8 {
                for other in 0..32u8 {
                    let (one, other) = (Relations(one), Relations(other));
                    let both = may(role, *action, one | other);
                    let either = may(role, *action, one) || may(role, *action, other);
                    assert_eq!(both, either, "{role:?} {action:?} {one:?} {other:?}");
                }
            }
        }
    }
}

#[test]
fn only_what_is_chatcores_own_takes_whoever_one_is() {
    for action in Action::ALL {
        for role in Role::ALL
            .into_iter()
            .filter(|r| !matches!(r, Role::Bot | Role::System))
        {
            let open = may(role, *action, Relations::NONE);
            assert_eq!(
                open,
                *action == Action::SeeInternal && role != Role::Customer
            );
        }
    }
}

#[test]
fn a_supervisor_may_what_an_operator_may() {
    for action in Action::ALL {
        for (_, relations) in RELATIONS {
            if relations == Relations::WAITS {
                // Comes with `DESK`, which a supervisor has.
                continue;
            }
            let operator = may(Role::Operator, *action, relations);
            assert!(
                !operator || may(Role::Supervisor, *action, relations),
                "{action:?}"
            );
        }
    }
}

#[test]
fn an_auditor_sends_nothing() {
    for action in Action::ALL {
        let sees = matches!(
            action,
            Action::Look | Action::SeeInternal | Action::SeeBoard
        );
        let some = must_be(Role::Auditor, *action) != Relations::NONE;
        assert_eq!(some, sees, "{action:?}");
    }
}
