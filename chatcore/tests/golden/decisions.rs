//! A sample of every verdict, and of what carries them.

use std::sync::Arc;

use bytes::Bytes;
use chatcore::{
    clock::Timestamp,
    content::Sealed,
    dialog::{CustomerCommand, Phase, Rejection},
    identity::{Revocation, Revoked},
    ids::*,
    journal::DeadLetter,
    record::*,
    routing::NodeFrame,
};

use super::{
    commands::{ids, record},
    events::events,
    words::*,
};

pub(crate) fn rejections() -> Vec<(&'static str, Rejection)> {
    use Rejection as R;
    let all = vec![
        R::NotFound,
        R::Forbidden,
        R::AlreadyOwned { by: staff("olga") },
        R::NotOwner {
            by: Some(staff("olga")),
        },
        R::StaleEpoch { current: EPOCH },
        R::Stale { head: Seq(9) },
        R::Closed,
        R::WrongPhase {
            phase: Phase::WrapUp,
        },
        R::TooLate,
        R::UnknownMessage,
        R::NotYours,
        R::Deleted,
        R::AlreadyRated,
        R::AlreadyDone,
        R::TooMany { limit: 8 },
        R::TooLong { limit: 4_000 },
        R::OutOfRange { min: 1, max: 5 },
        R::UnknownQueue,
        R::UnknownOperator,
        R::OtherQueue,
        R::Away,
        R::Full { capacity: 3 },
        R::NotWaiting,
        R::Void,
        R::IdConflict,
        R::Unreadable,
    ];
    all.into_iter().map(|r| (r.code(), r)).collect()
}

fn accepted() -> Outcome {
    Outcome::Accepted(Accepted {
        dialog: Some(DIALOG),
        redacted: true,
        seq: Seq(5),
    })
}

fn reply_name(reply: &Reply) -> &'static str {
    match reply {
        Reply::Outcome(Outcome::Accepted(_)) => "accepted",
        Reply::Outcome(Outcome::Rejected(_)) => "rejected",
        Reply::Expected { .. } => "expected",
        Reply::Settled => "settled",
        Reply::Forgotten => "forgotten",
    }
}

pub(crate) fn replies() -> Vec<(&'static str, Reply)> {
    let all = vec![
        Reply::Outcome(accepted()),
        Reply::Outcome(Outcome::Rejected(Rejection::IdConflict)),
        Reply::Expected { n: 7 },
        Reply::Settled,
        Reply::Forgotten,
    ];
    all.into_iter().map(|r| (reply_name(&r), r)).collect()
}

fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Decided(Outcome::Accepted(_)) => "accepted",
        Verdict::Decided(Outcome::Rejected(_)) => "rejected",
        Verdict::Repeated(_) => "repeated",
        Verdict::DeadLettered { .. } => "dead_lettered",
        Verdict::Parked { .. } => "parked",
    }
}

pub(crate) fn verdicts() -> Vec<(&'static str, Verdict)> {
    let all = vec![
        Verdict::Decided(accepted()),
        Verdict::Decided(Outcome::Rejected(Rejection::Stale { head: Seq(9) })),
        Verdict::Repeated(Reply::Outcome(accepted())),
        Verdict::DeadLettered {
            reason: label("panicked"),
        },
        Verdict::Parked {
            reason: label("newer_format"),
            command: Box::new(record(CommandId::Internal)),
        },
    ];
    all.into_iter().map(|v| (verdict_name(&v), v)).collect()
}

fn access() -> Access {
    Access::Dialog {
        customer: customer("anna"),
        owner: Some(staff("olga")),
        epoch: EPOCH,
        desk: desk(),
        phase: Phase::Assigned,
        last_owner: Some(staff("olga")),
    }
}

fn appended() -> Vec<Appended> {
    let (dialogs, others): (Vec<_>, Vec<_>) = events()
        .into_iter()
        .map(|(_, event)| event)
        .partition(|event| matches!(event.event, Event::Dialog(_)));
    let (customers, boards) = others
        .into_iter()
        .partition(|event| matches!(event.event, Event::Customer(_)));
    let all = [
        (StreamId::Dialog(DIALOG), dialogs, access()),
        (
            StreamId::Customer(customer("anna")),
            customers,
            Access::Customer(customer("anna")),
        ),
        (StreamId::Board(desk()), boards, Access::Board(desk())),
    ];
    all.into_iter()
        .map(|(stream, events, access)| Appended {
            stream,
            after: position(4),
            events,
            access,
        })
        .collect()
}

fn cursors() -> Vec<CursorMove> {
    vec![CursorMove {
        dialog: DIALOG,
        participant: Participant::Bot,
        delivered: Seq(8),
        read: Seq(7),
    }]
}

fn decision(id: CommandId, verdict: Verdict) -> Decision {
    let record = record(id);
    Decision {
        cause: Offset(77),
        at: AT,
        tenant: record.tenant,
        trace: record.trace,
        target: record.target,
        author: record.author,
        id: record.id,
        digest: record.digest,
        settled: record.settled,
        reply_to: record.reply_to,
        unparked: None,
        brought_up_by: None,
        verdict,
        appended: Vec::new(),
        cursors: Vec::new(),
        follow_ups: Vec::new(),
        dialogs_opened: 0,
        forget: Vec::new(),
    }
}

/// The names of commands, one after another, go with the verdicts; and one decision has it all.
pub(crate) fn decisions() -> Vec<(&'static str, Decision)> {
    let ids = ids().into_iter().cycle();
    let mut all: Vec<_> = verdicts()
        .into_iter()
        .zip(ids)
        .map(|((name, verdict), (_, id))| (name, decision(id, verdict)))
        .collect();
    let whole = Decision {
        unparked: Some(Offset(70)),
        brought_up_by: Some(CommandId::FollowUp {
            partition: Partition(1),
            offset: Offset(68),
            index: 2,
        }),
        appended: appended(),
        cursors: cursors(),
        follow_ups: vec![FollowUp {
            target: Target::Customer(customer("boris")),
            command: Command::<Sealed>::Customer(CustomerCommand::Link {
                other: customer("anna"),
            }),
        }],
        dialogs_opened: 1,
        forget: vec![StreamId::Dialog(DialogId(16))],
        ..decision(CommandId::Internal, Verdict::Decided(accepted()))
    };
    all.push(("whole", whole));
    all
}

pub(crate) fn event_records() -> Vec<(&'static str, EventRecord)> {
    let (_, whole) = decisions().pop().unwrap();
    vec![
        ("owner", EventRecord::Owner { fence: Fence(12) }),
        (
            "decided",
            EventRecord::Decided {
                fence: Fence(12),
                decision: Box::new(whole),
            },
        ),
    ]
}

pub(crate) fn letters() -> Vec<(&'static str, DeadLetter)> {
    let letter = DeadLetter {
        origin: label("engine"),
        partition: Partition(3),
        offset: Offset(77),
        reason: label("unreadable"),
        attempts: 1,
        at: AT,
        record: Bytes::from_static(&[1, 0xc1, 0xff]),
    };
    vec![("letter", letter)]
}

pub(crate) fn frames() -> Vec<(&'static str, NodeFrame)> {
    let reply = NodeFrame::Reply {
        session: SessionId(44),
        target: Target::Customer(customer("anna")),
        id: CommandId::Client {
            device: device(),
            n: 3,
        },
        reply: Reply::Outcome(accepted()),
    };
    vec![
        (
            "events",
            NodeFrame::Events(Arc::new(appended().swap_remove(0))),
        ),
        (
            "cursors",
            NodeFrame::Cursors {
                dialog: DIALOG,
                cursors: cursors(),
            },
        ),
        ("reply", reply),
        (
            "customer_here",
            NodeFrame::CustomerHere {
                dialog: DIALOG,
                node: node(),
                order: 3,
                here: true,
                at: AT,
            },
        ),
        (
            "ask_here",
            NodeFrame::AskHere {
                dialog: DIALOG,
                node: node(),
            },
        ),
        (
            "typing",
            NodeFrame::Typing {
                dialog: DIALOG,
                participant: Participant::Staff(staff("olga")),
            },
        ),
    ]
}

pub(crate) fn revocations() -> Vec<(&'static str, Revocation)> {
    let customer = Participant::Customer(CustomerId::try_new("anna").unwrap());
    let staff = Participant::Staff(StaffId::try_new("olga").unwrap());
    let of = |what| Revocation {
        what,
        at: Timestamp(1_790_000_000_000),
    };
    vec![
        ("customer", of(Revoked::Person(customer))),
        ("staff", of(Revoked::Person(staff))),
        ("sign_in", of(Revoked::SignIn(SignInId::named("s-1")))),
        ("token", of(Revoked::Token(TokenId::named("t 1")))),
    ]
}
