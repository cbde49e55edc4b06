//! The whole table: every command by every kind of person.

use std::collections::BTreeSet;

use super::*;
use crate::ids::NoteId;
use crate::record::Position;
use crate::{
    clock::Timestamp,
    dialog::{CustomerTimer, Grant, Granted, HandOver, Message, Open, TransferTo},
    identity::StaffRole,
    ids::{CustomerId, DeskId, GrantId, Label, OwnerEpoch, QueueId, QueueRef, Seq, StaffId},
    queue::{DeskConfig, DeskTimer, NodeName, OperatorStatus, Wait},
};

const DIALOG: DialogId = DialogId(7);
const EPOCH: OwnerEpoch = OwnerEpoch(3);

fn anna() -> CustomerId {
    CustomerId::try_new("anna").unwrap()
}

fn main_desk() -> DeskId {
    DeskId::try_new("main").unwrap()
}

fn general() -> QueueId {
    QueueId::try_new("general").unwrap()
}

fn label() -> Label {
    Label::try_new("label").unwrap()
}

fn web() -> ChannelId {
    ChannelId::try_new("web").unwrap()
}

fn operator(id: &str, supervisor: bool) -> Who {
    Who::Staff {
        id: StaffId::try_new(id).unwrap(),
        desk: main_desk(),
        role: if supervisor {
            StaffRole::Supervisor
        } else {
            StaffRole::Operator
        },
    }
}

fn text() -> Content {
    Content::Text("hello".to_owned())
}

fn message(owner_epoch: Option<OwnerEpoch>, body: Content) -> CustomerCommand<Content> {
    CustomerCommand::Message(Message {
        dialog: DIALOG,
        body,
        reply_to: None,
        owner_epoch,
    })
}

fn open(channel: &str) -> Open {
    Open {
        channel: ChannelId::try_new(channel).unwrap(),
        topic: None,
        settings: DialogSettings::default(),
    }
}

fn wait() -> Wait {
    Wait {
        dialog: DIALOG,
        customer: anna(),
        queue: general(),
        channel: web(),
        priority: 0,
        since: Timestamp(0),
        epoch: EPOCH,
        lost: false,
    }
}

/// Who may: customer, operator, supervisor.
type Row = (CustomerCommand<Content>, [bool; 3]);

#[allow(clippy::too_many_lines, reason = "a table")]
fn customer_commands() -> Vec<Row> {
    use CustomerCommand as C;
    let nobody = [false, false, false];
    let by_customer = [true, false, false];
    let by_staff = [false, true, true];
    let by_supervisor = [false, false, true];
    let everybody = [true, true, true];
    let pressed = Content::Pressed {
        id: "1".to_owned(),
        label: "yes".to_owned(),
    };
    let card = Content::Card {
        title: "card".to_owned(),
        fields: vec![],
        buttons: vec![],
    };
    let owned = Some(EPOCH);
    let dialog = DIALOG;
    let queue = QueueRef {
        desk: main_desk(),
        queue: general(),
    };
    let grant = Grant {
        desk: main_desk(),
        grant: GrantId(1),
        what: Granted::Waiting {
            dialog,
            expected_epoch: EPOCH,
        },
        operator: StaffId::try_new("olga").unwrap(),
    };
    let edit = |owner_epoch| C::Edit {
        dialog,
        message: Seq(1),
        body: text(),
        owner_epoch,
    };
    let delete = |owner_epoch| C::Delete {
        dialog,
        message: Seq(1),
        owner_epoch,
    };
    let close = |owner_epoch| C::Close {
        dialog,
        owner_epoch,
        outcome: label(),
    };
    vec![
        (C::Open(open("web")), by_customer),
        (C::Open(open("telegram")), nobody),
        (
            C::Write {
                open: open("web"),
                body: text(),
            },
            nobody,
        ),
        (message(None, text()), by_customer),
        (message(owned, text()), by_staff),
        (message(None, pressed.clone()), by_customer),
        (message(owned, pressed), nobody),
        (message(None, card.clone()), nobody),
        (message(owned, card.clone()), by_staff),
        (message(None, Content::Erased), nobody),
        (message(owned, Content::Erased), nobody),
        (edit(None), by_customer),
        (edit(owned), by_staff),
        (delete(None), [true, false, true]),
        (delete(owned), by_staff),
        (close(None), by_customer),
        (close(owned), by_staff),
        (
            C::AskPerson {
                dialog,
                queue: None,
            },
            by_customer,
        ),
        (
            C::BotAnswer {
                dialog,
                seen: Seq(1),
                owner_epoch: EPOCH,
                replies: vec![text()],
                hand_over: Some(HandOver {
                    queue: None,
                    reason: label(),
                }),
            },
            nobody,
        ),
        (
            C::Transfer {
                dialog,
                owner_epoch: EPOCH,
                to: TransferTo::Queue(queue),
                note: Some(text()),
            },
            by_staff,
        ),
        (
            C::ReturnToQueue {
                dialog,
                owner_epoch: EPOCH,
            },
            by_staff,
        ),
        (
            C::Hold {
                dialog,
                owner_epoch: EPOCH,
            },
            by_staff,
        ),
        (
            C::Resume {
                dialog,
                owner_epoch: EPOCH,
            },
            by_staff,
        ),
        (
            C::Note {
                dialog,
                body: text(),
            },
            by_staff,
        ),
        (
            C::NoteCustomer {
                dialog,
                body: text(),
            },
            by_staff,
        ),
        (
            C::NoteCustomer {
                dialog,
                body: card.clone(),
            },
            nobody,
        ),
        (
            C::RemoveCustomerNote {
                dialog,
                note: NoteId(1),
            },
            by_staff,
        ),
        (
            C::SetTags {
                dialog,
                tags: BTreeSet::new(),
            },
            by_staff,
        ),
        (
            C::SetTopic {
                dialog,
                topic: None,
            },
            by_staff,
        ),
        (
            C::WrapUp {
                dialog,
                owner_epoch: EPOCH,
            },
            by_staff,
        ),
        (C::Reopen { dialog }, everybody),
        (
            C::Rate {
                dialog,
                score: 5,
                comment: Some(text()),
            },
            by_customer,
        ),
        (
            C::Cursor {
                dialog,
                delivered: Seq(1),
                read: Seq(1),
            },
            nobody,
        ),
        (
            C::System {
                dialog,
                body: text(),
            },
            by_supervisor,
        ),
        (
            C::Emergency {
                dialog: Some(dialog),
                incident: label(),
                body: text(),
            },
            by_supervisor,
        ),
        (
            C::Emergency {
                dialog: None,
                incident: label(),
                body: text(),
            },
            nobody,
        ),
        (
            C::Undelivered {
                dialog,
                message: Seq(1),
                reason: label(),
            },
            nobody,
        ),
        (C::Link { other: anna() }, nobody),
        (C::Grant(grant), nobody),
        (
            C::Confirm {
                desk: main_desk(),
                dialog,
                grant: GrantId(1),
                epoch: EPOCH,
            },
            nobody,
        ),
        (
            C::OwnerLost {
                desk: main_desk(),
                dialog,
                grant: GrantId(1),
                epoch: EPOCH,
            },
            nobody,
        ),
        (
            C::Archived {
                dialog,
                upto: Position::default(),
            },
            nobody,
        ),
        (
            C::Timer {
                key: CustomerTimer::WrapUp(dialog),
                generation: 1,
            },
            nobody,
        ),
    ]
}

/// Who may: operator Olga, a supervisor.
#[allow(clippy::too_many_lines, reason = "a table")]
fn desk_commands() -> Vec<(DeskCommand, [bool; 2])> {
    use DeskCommand as D;
    let staff = |id: &str| StaffId::try_new(id).unwrap();
    let node = NodeName("n@1".to_owned());
    let status = |id: &str| D::Status {
        operator: staff(id),
        status: OperatorStatus::Busy,
    };
    let grant = GrantId(1);
    let (dialog, epoch) = (DIALOG, EPOCH);
    let reason = crate::dialog::Rejection::Forbidden;
    let nobody = [false, false];
    vec![
        (D::Take { dialog }, [true, true]),
        (status("olga"), [true, true]),
        (status("petr"), [false, true]),
        (
            D::Assign {
                dialog,
                operator: staff("petr"),
                over_capacity: true,
            },
            [false, true],
        ),
        (
            D::Begin {
                customer: anna(),
                channel: web(),
                queue: general(),
                settings: DialogSettings::default(),
            },
            [true, true],
        ),
        (D::Wait(wait()), nobody),
        (D::Leave { dialog, epoch }, nobody),
        (
            D::Came {
                operator: staff("olga"),
                node: node.clone(),
            },
            nobody,
        ),
        (
            D::Lost {
                operator: staff("olga"),
                node,
            },
            nobody,
        ),
        (
            D::Pass {
                wait: wait(),
                operator: staff("olga"),
            },
            nobody,
        ),
        (
            D::Held {
                grant,
                dialog,
                customer: anna(),
                epoch,
            },
            nobody,
        ),
        (D::Refused { grant, reason }, nobody),
        (D::Freed { dialog, grant }, nobody),
        (
            D::Confirmed {
                grant,
                stands: true,
            },
            nobody,
        ),
        (D::Configure(DeskConfig::default()), nobody),
        (
            D::Timer {
                key: DeskTimer::Resend,
                generation: 1,
            },
            nobody,
        ),
    ]
}

#[test]
fn commands_to_a_customer_follow_the_table() {
    let people = [
        Who::Customer(anna()),
        operator("olga", false),
        operator("vera", true),
    ];
    for (command, may) in customer_commands() {
        for (who, may) in people.iter().zip(may) {
            let target = Target::Customer(anna());
            let mut sent = Command::Customer(command.clone());
            let judged = judge(who, &target, &mut sent, &Rules::default());
            assert_eq!(judged.is_ok(), may, "{who:?}: {command:?}: {judged:?}");
            if let (Who::Staff { .. }, Ok(need)) = (who, judged) {
                assert!(matches!(need, Need::Right(DIALOG, _)), "{command:?}");
            }
        }
    }
}

#[test]
fn commands_to_a_desk_follow_the_table() {
    let people = [operator("olga", false), operator("vera", true)];
    for (command, may) in desk_commands() {
        for (who, may) in people.iter().zip(may) {
            let target = Target::Desk(main_desk());
            let mut sent = Command::Desk(command.clone());
            let judged = judge(who, &target, &mut sent, &Rules::default());
            assert_eq!(judged.is_ok(), may, "{who:?}: {command:?}: {judged:?}");
        }
        let mut sent = Command::Desk(command.clone());
        let target = Target::Desk(main_desk());
        let by_customer = judge(
            &Who::Customer(anna()),
            &target,
            &mut sent,
            &Rules::default(),
        );
        assert!(by_customer.is_err(), "{command:?}");
    }
}

#[test]
fn nobody_writes_to_anothers_target() {
    let boris = Target::Customer(CustomerId::try_new("boris").unwrap());
    let cards = Target::Desk(DeskId::try_new("cards").unwrap());
    for (command, _) in customer_commands() {
        let mut sent = Command::Customer(command);
        let judged = judge(&Who::Customer(anna()), &boris, &mut sent, &Rules::default());
        assert_eq!(judged.unwrap_err().kind(), ErrorKind::Forbidden);
    }
    for (command, _) in desk_commands() {
        let mut sent = Command::Desk(command);
        let judged = judge(
            &operator("vera", true),
            &cards,
            &mut sent,
            &Rules::default(),
        );
        assert_eq!(judged.unwrap_err().kind(), ErrorKind::Forbidden);
    }
}

#[test]
fn settings_are_stamped_whatever_a_client_sends() {
    let rules = Rules {
        settings: DialogSettings {
            priority: 1,
            ..DialogSettings::default()
        },
        ..Rules::default()
    };
    let mut wanted = open("web");
    wanted.settings.priority = 200;
    let mut sent = Command::Customer(CustomerCommand::Open(wanted));
    let target = Target::Customer(anna());
    judge(&Who::Customer(anna()), &target, &mut sent, &rules).unwrap();
    let Command::Customer(CustomerCommand::Open(open)) = sent else {
        panic!("another command");
    };
    assert_eq!(open.settings, rules.settings);
}
