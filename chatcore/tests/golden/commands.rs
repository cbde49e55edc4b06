//! A sample of every command.

use std::collections::BTreeSet;

use bytes::Bytes;
use chatcore::{
    content::Sealed,
    dialog::*,
    identity::{Assurance, StaffRights, StaffRole},
    ids::*,
    queue::*,
    record::{
        Command, CommandId, CommandRecord, ParkedCommand, Redaction, ReplyTo, TraceContext, encode,
    },
};

use super::words::*;

type C = CustomerCommand<Sealed>;

/// Its name in the files. A command that is new takes a sample, in a file of its own once this
/// version is released.
fn customer_name(command: &C) -> &'static str {
    match command {
        C::Open(_) => "customer.open",
        C::Write { .. } => "customer.write",
        C::Message(_) => "customer.message",
        C::Edit { .. } => "customer.edit",
        C::Delete { .. } => "customer.delete",
        C::AskPerson { .. } => "customer.ask_person",
        C::BotAnswer { .. } => "customer.bot_answer",
        C::Transfer { .. } => "customer.transfer",
        C::ReturnToQueue { .. } => "customer.return_to_queue",
        C::Hold { .. } => "customer.hold",
        C::Resume { .. } => "customer.resume",
        C::Note { .. } => "customer.note",
        C::NoteCustomer { .. } => "customer.note_customer",
        C::RemoveCustomerNote { .. } => "customer.remove_customer_note",
        C::SetTags { .. } => "customer.set_tags",
        C::SetTopic { .. } => "customer.set_topic",
        C::WrapUp { .. } => "customer.wrap_up",
        C::Close { .. } => "customer.close",
        C::Reopen { .. } => "customer.reopen",
        C::Rate { .. } => "customer.rate",
        C::Cursor { .. } => "customer.cursor",
        C::System { .. } => "customer.system",
        C::Emergency { .. } => "customer.emergency",
        C::Link { .. } => "customer.link",
        C::Undelivered { .. } => "customer.undelivered",
        C::Archived { .. } => "customer.archived",
        C::Grant(_) => "customer.grant",
        C::Confirm { .. } => "customer.confirm",
        C::OwnerLost { .. } => "customer.owner_lost",
        C::Timer { .. } => "customer.timer",
    }
}

fn desk_name(command: &DeskCommand) -> &'static str {
    match command {
        DeskCommand::Wait(_) => "desk.wait",
        DeskCommand::Leave { .. } => "desk.leave",
        DeskCommand::Came { .. } => "desk.came",
        DeskCommand::Status { .. } => "desk.status",
        DeskCommand::Lost { .. } => "desk.lost",
        DeskCommand::Take { .. } => "desk.take",
        DeskCommand::Assign { .. } => "desk.assign",
        DeskCommand::Begin { .. } => "desk.begin",
        DeskCommand::Pass { .. } => "desk.pass",
        DeskCommand::Held { .. } => "desk.held",
        DeskCommand::Refused { .. } => "desk.refused",
        DeskCommand::Freed { .. } => "desk.freed",
        DeskCommand::Confirmed { .. } => "desk.confirmed",
        DeskCommand::Configure(_) => "desk.configure",
        DeskCommand::Silence { .. } => "desk.silence",
        DeskCommand::Timer { .. } => "desk.timer",
    }
}

pub(crate) fn open() -> Open {
    Open {
        channel: channel(),
        topic: Some(label("card")),
        settings: settings(),
    }
}

fn owned(make: impl Fn(DialogId, OwnerEpoch) -> C) -> C {
    make(DIALOG, EPOCH)
}

fn said() -> Vec<C> {
    vec![
        C::Open(open()),
        C::Write {
            open: open(),
            body: body(),
        },
        C::Message(Message {
            dialog: DIALOG,
            body: body(),
            reply_to: Some(Seq(4)),
            owner_epoch: Some(EPOCH),
        }),
        C::Edit {
            dialog: DIALOG,
            message: Seq(4),
            body: body(),
            owner_epoch: None,
        },
        C::Delete {
            dialog: DIALOG,
            message: Seq(4),
            owner_epoch: Some(EPOCH),
        },
        C::AskPerson {
            dialog: DIALOG,
            queue: Some(at_queue()),
        },
        C::BotAnswer {
            dialog: DIALOG,
            seen: Seq(6),
            owner_epoch: EPOCH,
            replies: vec![body()],
            hand_over: Some(HandOver {
                queue: None,
                reason: label("failed"),
            }),
        },
        C::Note {
            dialog: DIALOG,
            body: body(),
        },
        C::NoteCustomer {
            dialog: DIALOG,
            body: body(),
        },
        C::RemoveCustomerNote {
            dialog: DIALOG,
            note: NoteId(3),
        },
        C::SetTags {
            dialog: DIALOG,
            tags: BTreeSet::from([label("vip"), label("loan")]),
        },
        C::SetTopic {
            dialog: DIALOG,
            topic: None,
        },
        C::Rate {
            dialog: DIALOG,
            score: 5,
            comment: Some(body()),
        },
        C::Cursor {
            dialog: DIALOG,
            delivered: Seq(8),
            read: Seq(7),
        },
        C::System {
            dialog: DIALOG,
            body: body(),
        },
        C::Emergency {
            dialog: Some(DIALOG),
            incident: label("outage-3"),
            body: body(),
        },
        C::Link {
            other: customer("boris"),
        },
        C::Undelivered {
            dialog: DIALOG,
            message: Seq(4),
            reason: label("unavailable"),
        },
        C::Archived {
            dialog: DIALOG,
            upto: position(9),
        },
    ]
}

fn held() -> Vec<C> {
    vec![
        C::Transfer {
            dialog: DIALOG,
            owner_epoch: EPOCH,
            to: TransferTo::Operator {
                desk: desk(),
                operator: staff("petr"),
                queue: Some(queue()),
            },
            note: Some(body()),
        },
        owned(|dialog, owner_epoch| C::ReturnToQueue {
            dialog,
            owner_epoch,
        }),
        owned(|dialog, owner_epoch| C::Hold {
            dialog,
            owner_epoch,
        }),
        owned(|dialog, owner_epoch| C::Resume {
            dialog,
            owner_epoch,
        }),
        owned(|dialog, owner_epoch| C::WrapUp {
            dialog,
            owner_epoch,
        }),
        C::Close {
            dialog: DIALOG,
            owner_epoch: Some(EPOCH),
            outcome: label("solved"),
        },
        C::Reopen { dialog: DIALOG },
        C::Grant(Grant {
            desk: desk(),
            grant: GRANT,
            what: Granted::TakeOver {
                dialog: DIALOG,
                expected_epoch: EPOCH,
            },
            operator: staff("olga"),
        }),
        C::Confirm {
            desk: desk(),
            dialog: DIALOG,
            grant: GRANT,
            epoch: EPOCH,
        },
        C::OwnerLost {
            desk: desk(),
            dialog: DIALOG,
            grant: GRANT,
            epoch: EPOCH,
        },
        C::Timer {
            key: CustomerTimer::WrapUp(DIALOG),
            generation: 12,
        },
    ]
}

pub(crate) fn wait() -> Wait {
    Wait {
        dialog: DIALOG,
        customer: customer("anna"),
        queue: queue(),
        channel: channel(),
        priority: 7,
        since: AT,
        epoch: EPOCH,
        lost: true,
    }
}

pub(crate) fn desk_config() -> DeskConfig {
    DeskConfig {
        queues: [(
            queue(),
            QueueConfig {
                title: "Cards".to_owned(),
                assignment: Assignment::Custom("seniors".to_owned()),
            },
        )]
        .into(),
        operators: [(
            staff("olga"),
            OperatorConfig {
                name: "Olga".to_owned(),
                capacity: 3,
                queues: [queue()].into(),
            },
        )]
        .into(),
        grace_ms: 30_000,
        grant_resend_ms: 5_000,
        reconcile_ms: 60_000,
    }
}

fn node_name() -> NodeName {
    NodeName::from(&node())
}

fn to_desk() -> Vec<DeskCommand> {
    vec![
        DeskCommand::Wait(wait()),
        DeskCommand::Leave {
            dialog: DIALOG,
            epoch: EPOCH,
        },
        DeskCommand::Came {
            operator: staff("olga"),
            node: node_name(),
        },
        DeskCommand::Status {
            operator: staff("olga"),
            status: OperatorStatus::Busy,
        },
        DeskCommand::Lost {
            operator: staff("olga"),
            node: node_name(),
        },
        DeskCommand::Take { dialog: DIALOG },
        DeskCommand::Assign {
            dialog: DIALOG,
            operator: staff("petr"),
            over_capacity: true,
        },
        DeskCommand::Begin {
            customer: customer("anna"),
            channel: channel(),
            queue: queue(),
            settings: settings(),
        },
        DeskCommand::Pass {
            wait: wait(),
            operator: staff("petr"),
        },
        DeskCommand::Held {
            grant: GRANT,
            dialog: DIALOG,
            customer: customer("anna"),
            epoch: EPOCH,
        },
        DeskCommand::Refused {
            grant: GRANT,
            reason: Rejection::StaleEpoch { current: EPOCH },
        },
        DeskCommand::Freed {
            dialog: DIALOG,
            grant: GRANT,
        },
        DeskCommand::Confirmed {
            grant: GRANT,
            stands: false,
        },
        DeskCommand::Configure(desk_config()),
        DeskCommand::Silence { from: AT, to: AT },
        DeskCommand::Timer {
            key: DeskTimer::Grace(staff("olga")),
            generation: 12,
        },
    ]
}

pub(crate) fn commands() -> Vec<(&'static str, Command<Sealed>)> {
    let customer = said().into_iter().chain(held());
    let customer = customer.map(|c| (customer_name(&c), Command::Customer(c)));
    let desk = to_desk()
        .into_iter()
        .map(|c| (desk_name(&c), Command::Desk(c)));
    let others = [
        (
            "customer.transfer_to_queue",
            Command::Customer(C::Transfer {
                dialog: DIALOG,
                owner_epoch: EPOCH,
                to: TransferTo::Queue(at_queue()),
                note: None,
            }),
        ),
        (
            "customer.grant_new",
            Command::Customer(C::Grant(Grant {
                desk: desk_id(),
                grant: GRANT,
                what: Granted::New {
                    channel: channel(),
                    settings: settings(),
                },
                operator: staff("olga"),
            })),
        ),
        (
            "customer.grant_waiting",
            Command::Customer(C::Grant(Grant {
                desk: desk_id(),
                grant: GRANT,
                what: Granted::Waiting {
                    dialog: DIALOG,
                    expected_epoch: EPOCH,
                },
                operator: staff("olga"),
            })),
        ),
        ("parked.retry", Command::Parked(ParkedCommand::Retry)),
        (
            "parked.give_up",
            Command::Parked(ParkedCommand::GiveUp { offset: Offset(70) }),
        ),
    ];
    customer.chain(desk).chain(others).collect()
}

fn desk_id() -> DeskId {
    super::words::desk()
}

pub(crate) fn record(id: CommandId) -> CommandRecord {
    CommandRecord {
        tenant: TenantId::single(),
        trace: Some(TraceContext(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
        )),
        target: Target::Customer(customer("anna")),
        author: Participant::Customer(customer("anna")),
        rights: None,
        assurance: Some(Assurance::Authenticated),
        id,
        redaction: Some(Redaction {
            withdraw: vec![Seq(3), Seq(4)],
        }),
        reply_to: Some(ReplyTo {
            node: node(),
            session: SessionId(44),
        }),
        digest: u64::MAX,
        settled: 2,
        body: encode(&Command::<Sealed>::Customer(C::Open(open()))).unwrap(),
    }
}

/// A sample of every kind of name.
pub(crate) fn ids() -> Vec<(&'static str, CommandId)> {
    vec![
        (
            "client",
            CommandId::Client {
                device: device(),
                n: 3,
            },
        ),
        (
            "channel_number",
            CommandId::ChannelNumber {
                channel: channel(),
                number: 1 << 40,
            },
        ),
        (
            "channel_key",
            CommandId::ChannelKey {
                channel: channel(),
                key: "wamid.7".to_owned(),
                redelivery_ms: 86_400_000,
            },
        ),
        (
            "follow_up",
            CommandId::FollowUp {
                partition: Partition(3),
                offset: Offset(1_000_000),
                index: 2,
            },
        ),
        ("internal", CommandId::Internal),
    ]
}

pub(crate) fn records() -> Vec<(&'static str, CommandRecord)> {
    let mut records: Vec<_> = ids()
        .into_iter()
        .map(|(name, id)| (name, record(id)))
        .collect();
    let bare = CommandRecord {
        trace: None,
        target: Target::Desk(desk_id()),
        author: Participant::Staff(staff("olga")),
        rights: Some(StaffRights {
            desk: desk_id(),
            role: StaffRole::Supervisor,
        }),
        assurance: None,
        reply_to: None,
        body: Bytes::from_static(&[2, 0xc0]),
        ..record(CommandId::Internal)
    };
    records.push(("of_staff_and_unreadable", bare));
    records
}

pub(crate) fn customer_timers() -> Vec<(&'static str, CustomerTimer)> {
    vec![
        ("wrap_up", CustomerTimer::WrapUp(DIALOG)),
        ("reopen_ends", CustomerTimer::ReopenEnds(DIALOG)),
    ]
}

pub(crate) fn desk_timers() -> Vec<(&'static str, DeskTimer)> {
    vec![
        ("grace", DeskTimer::Grace(staff("olga"))),
        ("resend", DeskTimer::Resend),
        ("reconcile", DeskTimer::Reconcile),
        ("match", DeskTimer::Match),
    ]
}
