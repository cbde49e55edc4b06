//! What can't be read or decided: dead letters and parking.

use bytes::Bytes;

use crate::{
    clock::Timestamp,
    content::Sealed,
    dialog::{CustomerCommand, Open, Rejection},
    engine::{Aggregate, Input, PARKED_MAX},
    ids::{
        ChannelId, CustomerId, DeviceId, DialogId, Label, Offset, Participant, Partition, Target,
        TenantId,
    },
    queue::Policies,
    record::{
        self, Command, CommandId, CommandRecord, Decision, FORMAT_VERSION, Outcome, ParkedCommand,
        Reply, Verdict,
    },
};

fn anna() -> CustomerId {
    CustomerId::try_new("anna").unwrap()
}

fn command(n: u64, body: Bytes) -> CommandRecord {
    CommandRecord {
        tenant: TenantId::single(),
        trace: None,
        target: Target::Customer(anna()),
        author: Participant::Customer(anna()),
        rights: None,
        assurance: None,
        id: CommandId::Client {
            device: DeviceId::try_new("phone").unwrap(),
            n,
        },
        redaction: None,
        reply_to: None,
        digest: 0,
        settled: 0,
        body,
    }
}

fn open() -> Bytes {
    let open = CustomerCommand::<Sealed>::Open(Open {
        channel: ChannelId::try_new("web").unwrap(),
        topic: None,
        settings: crate::dialog::DialogSettings::default(),
    });
    record::encode(&Command::Customer(open)).unwrap()
}

/// As a later version may write it: readable once it is ours.
fn newer(body: &Bytes) -> Bytes {
    let mut bytes = body.to_vec();
    bytes[0] = FORMAT_VERSION + 1;
    bytes.into()
}

fn internal(what: ParkedCommand) -> CommandRecord {
    CommandRecord {
        id: CommandId::Internal,
        author: Participant::System,
        ..command(0, record::encode(&Command::<Sealed>::Parked(what)).unwrap())
    }
}

struct Bench {
    aggregate: Aggregate,
    policies: Policies,
    offset: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            aggregate: Aggregate::new(Target::Customer(anna())),
            policies: Policies::default(),
            offset: 0,
        }
    }

    fn send(&mut self, record: &CommandRecord) -> Decision {
        let input = Input {
            record,
            offset: Offset(self.offset),
            at: Timestamp(1),
            policies: &self.policies,
            next_dialog: DialogId(100 + self.offset),
        };
        self.offset += 1;
        let decision = self.aggregate.decide(&input);
        assert_eq!(decision, self.aggregate.decide(&input), "deciding is pure");
        self.aggregate.apply(&decision);
        decision
    }
}

fn is_accepted(decision: &Decision) -> bool {
    matches!(decision.verdict, Verdict::Decided(Outcome::Accepted(_)))
}

#[test]
fn an_unreadable_body_consumes_its_number() {
    let mut bench = Bench::new();
    let bad = command(1, Bytes::from_static(b"\x01nonsense"));
    let reason = Label::try_new("unreadable").unwrap();
    assert_eq!(bench.send(&bad).verdict, Verdict::DeadLettered { reason });
    let again = Reply::Outcome(Outcome::Rejected(Rejection::Unreadable));
    assert_eq!(bench.send(&bad).verdict, Verdict::Repeated(again));
    assert!(is_accepted(&bench.send(&command(2, open()))));
}

#[test]
fn a_command_for_the_other_machine_is_a_dead_letter() {
    let mut bench = Bench::new();
    let desk = Command::<Sealed>::Desk(crate::queue::DeskCommand::Take {
        dialog: DialogId(1),
    });
    let decision = bench.send(&command(1, record::encode(&desk).unwrap()));
    assert!(matches!(decision.verdict, Verdict::DeadLettered { .. }));
}

#[test]
fn a_newer_body_parks_all_that_follows_until_it_is_known() {
    let mut bench = Bench::new();
    assert!(is_accepted(&bench.send(&command(1, open()))));
    let first = command(2, newer(&open()));
    for record in [&first, &command(3, open()), &first] {
        let decision = bench.send(record);
        assert!(matches!(decision.verdict, Verdict::Parked { .. }));
    }
    assert_eq!(bench.aggregate.parked().len(), 2, "a resend is parked once");
    assert!(!bench.aggregate.can_unpark());
    let in_vain = bench.send(&internal(ParkedCommand::Retry));
    assert_eq!(
        in_vain.verdict,
        Verdict::Decided(Outcome::Rejected(Rejection::Void))
    );

    // The snapshot is read by a worker that knows the body.
    let bytes = bench.aggregate.encode().unwrap();
    bench.aggregate = Aggregate::decode(&bytes).unwrap();
    for parked in &mut bench.aggregate.parked {
        parked.command.body = open();
    }
    assert!(bench.aggregate.can_unpark());
    let unparked = bench.send(&internal(ParkedCommand::Retry));
    assert!(is_accepted(&unparked));
    assert_eq!(unparked.unparked, Some(Offset(1)));
    assert_eq!(unparked.id, first.id, "its author hears of it");
    assert_eq!(unparked.follow_ups.len(), 1, "the next one is brought up");
    let next = CommandRecord {
        id: CommandId::FollowUp {
            partition: Partition(0),
            offset: Offset(9),
            index: 1,
        },
        ..internal(ParkedCommand::Retry)
    };
    let last = bench.send(&next);
    assert!(is_accepted(&last) && last.follow_ups.is_empty());
    assert_eq!(last.id, command(3, open()).id);
    let received: Vec<_> = last.received().collect();
    // Whoever replays the decision must know the follow-up when it comes again.
    assert_eq!(received, [(Partition(0), (Offset(9), 1))]);
    assert!(is_accepted(&bench.send(&command(4, open()))));
}

#[test]
fn a_parked_command_can_be_given_up() {
    let mut bench = Bench::new();
    bench.send(&command(1, newer(&open())));
    let other = ParkedCommand::GiveUp { offset: Offset(7) };
    let missed = bench.send(&internal(other));
    assert_eq!(
        missed.verdict,
        Verdict::Decided(Outcome::Rejected(Rejection::Void))
    );
    assert_eq!(bench.aggregate.parked().len(), 1);
    let given_up = bench.send(&internal(ParkedCommand::GiveUp { offset: Offset(0) }));
    assert!(matches!(given_up.verdict, Verdict::DeadLettered { .. }));
    assert!(is_accepted(&bench.send(&command(2, open()))));
}

#[test]
fn a_client_waits_when_too_many_are_parked() {
    let mut bench = Bench::new();
    bench.send(&command(1, newer(&open())));
    for n in 2..=PARKED_MAX as u64 {
        bench.send(&command(n, open()));
    }
    let next = PARKED_MAX as u64 + 1;
    let refused = bench.send(&command(next, open()));
    assert_eq!(
        refused.verdict,
        Verdict::Repeated(Reply::Expected { n: next })
    );
    assert_eq!(bench.aggregate.parked().len(), PARKED_MAX);
}

#[test]
fn time_never_goes_back_for_one_target() {
    let mut bench = Bench::new();
    bench.send(&command(1, open()));
    let input = Input {
        record: &command(2, open()),
        offset: Offset(9),
        at: Timestamp(-5),
        policies: &bench.policies,
        next_dialog: DialogId(7),
    };
    assert_eq!(bench.aggregate.decide(&input).at, Timestamp(1));
}

#[test]
fn a_decision_is_applied_once() {
    let mut bench = Bench::new();
    let decision = bench.send(&command(1, open()));
    let before = bench.aggregate.clone();
    bench.aggregate.apply(&decision);
    assert_eq!(bench.aggregate, before);
}
