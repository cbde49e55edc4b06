//! Each command is done once.

use std::time::Duration;

use proptest::prelude::*;

use crate::{
    clock::Timestamp,
    dialog::Rejection,
    engine::ledger::{
        CommandName, FORGOTTEN_AFTER, Ledger, MADE_AHEAD_MAX, OUTCOMES_MAX, RETENTION, SWEPT_EVERY,
    },
    ids::{ChannelId, DeviceId, Participant, Seq, StaffId},
    record::{Accepted, CommandId, Outcome, Reply},
};

fn oleg() -> Participant {
    Participant::Staff(StaffId::try_new("oleg").unwrap())
}

fn client(device: &str, n: u64) -> CommandId {
    CommandId::Client {
        device: DeviceId::try_new(device).unwrap(),
        n,
    }
}

fn number(number: u64) -> CommandId {
    CommandId::ChannelNumber {
        channel: ChannelId::try_new("telegram").unwrap(),
        number,
    }
}

fn key(key: &str) -> CommandId {
    CommandId::ChannelKey {
        channel: ChannelId::try_new("mail").unwrap(),
        key: key.to_owned(),
        redelivery_ms: 1_000,
    }
}

fn outcome(seq: u64) -> Outcome {
    Outcome::Accepted(Accepted {
        dialog: None,
        redacted: false,
        seq: Seq(seq),
    })
}

fn told(seq: u64) -> Option<Reply> {
    Some(Reply::Outcome(outcome(seq)))
}

/// Sends a command at a time: what its author hears at once, or none when it is taken.
fn send_at(ledger: &mut Ledger, id: &CommandId, digest: u64, at: i64) -> Option<Reply> {
    let at = Timestamp(at);
    let reply = ledger.check(&oleg(), id, digest, at);
    if reply.is_none() {
        let author = oleg();
        let name = CommandName {
            author: &author,
            id,
            digest,
            at,
        };
        ledger.keep(name, &outcome(digest), 3);
    }
    ledger.sweep(at);
    reply
}

fn send(ledger: &mut Ledger, id: &CommandId, digest: u64) -> Option<Reply> {
    send_at(ledger, id, digest, 0)
}

fn conflict() -> Option<Reply> {
    Some(Reply::Outcome(Outcome::Rejected(Rejection::IdConflict)))
}

#[test]
fn only_the_next_number_is_taken() {
    let mut ledger = Ledger::default();
    let table = [
        (client("a", 0), 7, Some(Reply::Expected { n: 1 })),
        (client("a", 2), 7, Some(Reply::Expected { n: 1 })),
        (client("a", 1), 10, None),
        (client("a", 1), 10, told(10)),
        (client("a", 1), 11, conflict()),
        (client("a", 3), 12, Some(Reply::Expected { n: 2 })),
        (client("b", 1), 20, None),
        (client("a", 2), 12, None),
        (client("a", 1), 10, told(10)),
        (number(5), 30, None),
        (number(5), 30, told(30)),
        (number(5), 31, conflict()),
        (number(4), 32, Some(Reply::Settled)),
        (number(9), 33, None),
        (key("x"), 40, None),
        (key("x"), 40, told(40)),
        (key("x"), 41, conflict()),
        (key("y"), 42, None),
        (CommandId::Internal, 50, None),
        (CommandId::Internal, 50, None),
    ];
    for (step, (id, digest, expected)) in table.into_iter().enumerate() {
        assert_eq!(send(&mut ledger, &id, digest), expected, "step {step}");
    }
}

#[test]
fn a_settled_number_answers_settled() {
    let mut ledger = Ledger::default();
    for n in 1..=3 {
        assert_eq!(send(&mut ledger, &client("a", n), n), None);
    }
    ledger.settle(&oleg(), &client("a", 3), 2);
    for (n, expected) in [
        (1, Some(Reply::Settled)),
        (2, Some(Reply::Settled)),
        (3, told(3)),
        (4, None),
    ] {
        assert_eq!(send(&mut ledger, &client("a", n), n), expected, "{n}");
    }
}

#[test]
fn the_oldest_outcome_is_settled_past_the_bound() {
    let mut ledger = Ledger::default();
    let last = OUTCOMES_MAX as u64 + 1;
    for n in 1..=last {
        assert_eq!(send(&mut ledger, &client("a", n), n), None);
    }
    let first = send(&mut ledger, &client("a", 1), 1);
    assert_eq!(first, Some(Reply::Settled));
    assert_eq!(send(&mut ledger, &client("a", 2), 2), told(2));
}

#[test]
fn a_silent_device_is_settled_and_later_forgotten() {
    let mut ledger = Ledger::default();
    let after = |duration: Duration| i64::try_from(duration.as_millis()).unwrap();
    assert_eq!(send(&mut ledger, &client("a", 1), 1), None);
    let week = after(RETENTION);
    assert_eq!(
        send_at(&mut ledger, &client("b", 1), 2, week - 1),
        None,
        "time goes on"
    );
    assert_eq!(send_at(&mut ledger, &client("a", 1), 1, week - 1), told(1));
    assert_eq!(
        send_at(&mut ledger, &client("b", 2), 3, week + after(SWEPT_EVERY)),
        None
    );
    let settled = send_at(&mut ledger, &client("a", 1), 1, week + after(SWEPT_EVERY));
    assert_eq!(settled, Some(Reply::Settled));
    let late = after(FORGOTTEN_AFTER) + after(SWEPT_EVERY);
    assert_eq!(send_at(&mut ledger, &client("c", 1), 4, late), None);
    for (n, digest) in [(1, 1), (2, 5)] {
        let again = send_at(&mut ledger, &client("a", n), digest, late);
        assert_eq!(again, Some(Reply::Forgotten), "{n}");
    }
}

#[test]
fn only_who_may_have_been_forgotten_needs_a_new_device() {
    let mut ledger = Ledger::default();
    let late = i64::try_from((FORGOTTEN_AFTER + SWEPT_EVERY).as_millis()).unwrap();
    assert_eq!(send_at(&mut ledger, &client("d-100-x", 1), 1, 50), None);
    assert_eq!(send_at(&mut ledger, &client("d-200-x", 1), 2, late), None);
    let ahead = late + i64::try_from(MADE_AHEAD_MAX.as_millis()).unwrap();
    let table = [
        ("d-100-x", Some(Reply::Forgotten)),
        ("d-100-y", Some(Reply::Forgotten)),
        ("d-99-y", Some(Reply::Forgotten)),
        ("of-a-form-of-its-own", Some(Reply::Forgotten)),
        ("d-101-y", None),
        (&format!("d-{ahead}-y"), None),
        (&format!("d-{}-y", ahead + 1), Some(Reply::Forgotten)),
    ];
    for (device, expected) in table {
        let mut ledger = ledger.clone();
        let reply = send_at(&mut ledger, &client(device, 1), 3, late);
        assert_eq!(reply, expected, "{device}");
        if expected.is_none() {
            let mut other = ledger.clone();
            let higher = send_at(&mut other, &client(device, 3), 4, late);
            assert_eq!(higher, Some(Reply::Expected { n: 2 }), "{device}");
        }
    }
    let higher = send_at(&mut ledger, &client("d-300-x", 2), 3, late);
    assert_eq!(higher, Some(Reply::Expected { n: 1 }), "it is new for sure");
}

#[test]
fn the_time_of_a_device_is_in_its_id() {
    for (id, made) in [
        ("d-1790000000000-6f1c", Some(Timestamp(1_790_000_000_000))),
        ("d-0-x", Some(Timestamp(0))),
        ("d-17", None),
        ("d-17-", None),
        ("d--17-x", None),
        ("d-99999999999999999999-x", None),
        ("d-6f1c-x", None),
        ("tab", None),
    ] {
        assert_eq!(DeviceId::try_new(id).unwrap().made_at(), made, "{id}");
    }
}

#[test]
fn the_device_that_was_silent_the_longest_goes_first() {
    let mut ledger = Ledger::default();
    for (at, device) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let at = i64::try_from(at).unwrap();
        assert_eq!(send_at(&mut ledger, &client(device, 1), 1, at), None);
    }
    let of_a = send_at(&mut ledger, &client("a", 2), 1, 9);
    assert_eq!(of_a, Some(Reply::Forgotten), "the bound here is 3");
    assert_eq!(send_at(&mut ledger, &client("b", 1), 1, 9), told(1));
}

#[test]
fn a_name_is_kept_for_its_redelivery_time() {
    let mut ledger = Ledger::default();
    assert_eq!(send_at(&mut ledger, &key("x"), 1, 0), None);
    assert_eq!(send_at(&mut ledger, &key("x"), 1, 999), told(1));
    assert_eq!(send_at(&mut ledger, &key("x"), 1, 1_000), None);
}

proptest! {
    /// Whatever comes in whatever order: each number is taken once, in order, and what is told
    /// about it later is what was told first.
    #[test]
    fn each_number_is_done_once(sends in prop::collection::vec((0u64..8, 0u64..3), 0..80)) {
        let mut ledger = Ledger::default();
        let mut done: Vec<u64> = Vec::new();
        for (n, digest) in sends {
            let reply = send(&mut ledger, &client("a", n), digest);
            match reply {
                None => {
                    prop_assert_eq!(n, done.len() as u64 + 1);
                    done.push(digest);
                }
                Some(Reply::Expected { n: next }) => {
                    prop_assert_eq!(next, done.len() as u64 + 1);
                    prop_assert!(n == 0 || n > next);
                }
                Some(Reply::Outcome(told)) => {
                    let first = done[usize::try_from(n).unwrap() - 1];
                    let expected = if first == digest {
                        outcome(first)
                    } else {
                        Outcome::Rejected(Rejection::IdConflict)
                    };
                    prop_assert_eq!(told, expected);
                }
                Some(Reply::Settled | Reply::Forgotten) => {
                    prop_assert!(false, "nothing was settled or forgotten");
                }
            }
        }
    }

    /// Whatever is forgotten, by silence or for want of room: no command of any device is taken
    /// twice, however often and late it comes again. And a device that was made after all the
    /// others is always taken.
    #[test]
    fn what_is_forgotten_is_not_done_again(
        steps in prop::collection::vec((0u64..6, 0u64..12, 1u64..4, prop::bool::weighted(0.1)), 0..120),
    ) {
        let mut ledger = Ledger::default();
        let mut now: i64 = 1_000;
        let mut devices: Vec<String> = vec!["plain".to_owned()];
        let mut done = std::collections::BTreeSet::new();
        for (make, device, n, wait) in steps {
            now += 1;
            if wait {
                now += i64::try_from((FORGOTTEN_AFTER + SWEPT_EVERY).as_millis()).unwrap();
            }
            // Made by a clock that goes right, is behind, or is ahead.
            let ahead = i64::try_from(MADE_AHEAD_MAX.as_millis()).unwrap();
            let made = match make {
                0 => Some(now),
                1 => Some(now - 2 * ahead),
                2 => Some(now + ahead),
                3 => Some(now + 1_000 * ahead),
                _ => None,
            };
            if let Some(made) = made {
                devices.push(format!("d-{}-{}", made.max(0), devices.len()));
            }
            let device = usize::try_from(device).unwrap() % devices.len();
            let id = client(&devices[device], n);
            if send_at(&mut ledger, &id, n, now).is_none() {
                prop_assert!(done.insert((device, n)), "{} {n} was done twice", devices[device]);
            }
        }
        let ahead = i64::try_from(MADE_AHEAD_MAX.as_millis()).unwrap();
        let newest = client(&format!("d-{}-newest", now + ahead + 1), 1);
        prop_assert_eq!(send_at(&mut ledger, &newest, 1, now + ahead + 1), None);
    }

    /// It reads back from its bytes as it was.
    #[test]
    fn it_reads_back(sends in prop::collection::vec(1u64..5, 0..20)) {
        let mut ledger = Ledger::default();
        for n in sends {
            send(&mut ledger, &client("a", n), n);
            send(&mut ledger, &number(n), n);
            send(&mut ledger, &key("x"), n);
        }
        let bytes = crate::record::encode(&ledger).unwrap();
        prop_assert_eq!(crate::record::decode::<Ledger>(&bytes).unwrap(), ledger);
    }
}
