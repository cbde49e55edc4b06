//! Planted in what sessions were handed after their end (I8).

use crate::{
    clock::Timestamp,
    identity::{Proof, Revocation, Revoked, Who},
    ids::{
        CustomerId, DeviceId, Node, NodeEpoch, NodeId, Participant, SessionId, StreamId, Target,
        TokenId,
    },
    record::{Position, Reply},
    simulation::{
        Trouble, check,
        history::{Connection, Credential, History, Viewer, What},
        plan::{Fault, To},
        truth::Truth,
    },
};

/// When all begins, in milliseconds.
const NOW: i64 = 1_000_000;

fn anna() -> CustomerId {
    CustomerId::literal("anna")
}

fn on(session: u64) -> Connection {
    Connection {
        node: Node {
            id: NodeId::literal("node-1"),
            epoch: NodeEpoch(1),
        },
        session: SessionId(session),
    }
}

fn credential(token: &'static str, expires_at: i64) -> Credential {
    Credential {
        proof: Proof {
            token: Some(TokenId::literal(token)),
            sign_in: None,
            issued_at: Some(Timestamp(NOW)),
        },
        expires_at: Timestamp(expires_at),
    }
}

/// A history in which Anna comes at the beginning, and what else happens when.
fn story(expires_at: i64, more: &[(i64, u64, What)]) -> History {
    let mut history = History::default();
    let comes = came("t-1", expires_at);
    history.push(Timestamp(NOW), Some(&on(1)), comes);
    for (after, session, what) in more {
        let connection = on(*session);
        let of_nobody = matches!(what, What::Fault { .. } | What::Revoked(_));
        let on = (!of_nobody).then_some(&connection);
        history.push(Timestamp(NOW + after), on, what.clone());
    }
    history
}

fn came(token: &'static str, expires_at: i64) -> What {
    What::Connected {
        viewer: Viewer {
            who: Who::Customer(anna()),
            device: DeviceId::try_new("tab").unwrap(),
        },
        resume: Vec::new(),
        credential: Some(credential(token, expires_at)),
    }
}

fn refreshed(token: &'static str, expires_at: i64) -> What {
    What::Refreshed {
        who: Who::Customer(anna()),
        credential: Some(credential(token, expires_at)),
    }
}

fn shown() -> What {
    What::Shown {
        stream: StreamId::Customer(anna()),
        after: Position::default(),
        upto: Position::default(),
        events: Vec::new(),
    }
}

fn closed(code: Option<u16>) -> What {
    What::Disconnected { code }
}

fn revoked(what: Revoked, at: i64) -> What {
    let at = Timestamp(NOW + at);
    What::Revoked(Revocation { what, at })
}

fn token_revoked() -> What {
    revoked(Revoked::Token(TokenId::literal("t-1")), 0)
}

fn fault(fault: &Fault) -> What {
    What::Fault {
        name: "fault".to_owned(),
        node: None,
        partition: None,
        note: serde_json::to_string(fault).unwrap(),
    }
}

/// What I8 is said to be broken by.
fn found(history: &History) -> Vec<String> {
    let violations = check(history, &Truth::default()).into_iter();
    let of_it = violations.filter(|violation| violation.invariant == "I8");
    of_it.map(|violation| violation.text).collect()
}

fn is_green(history: &History) {
    assert_eq!(found(history), [""; 0]);
}

fn is_red(history: &History, text: &str) {
    let found = found(history);
    assert!(found.iter().any(|told| told.contains(text)), "{found:?}");
}

const NEVER: i64 = i64::MAX;

#[test]
fn i8_what_is_handed_out_after_a_revocation() {
    let heard = What::Heard {
        target: Target::Customer(anna()),
        n: 1,
        reply: Reply::Settled,
    };
    for what in [shown(), heard] {
        let told = |after| {
            let all = [
                (0, 0, token_revoked()),
                (after, 1, what.clone()),
                (after + 50, 1, closed(Some(4503))),
            ];
            story(NEVER, &all)
        };
        is_green(&told(1_900));
        is_red(&told(2_200), "2200 ms after it was revoked");
    }
    let whole = revoked(Revoked::Person(Participant::Customer(anna())), 0);
    is_red(
        &story(NEVER, &[(0, 0, whole), (3_000, 1, shown())]),
        "told something",
    );
    let of_another = revoked(Revoked::Token(TokenId::literal("t-2")), 0);
    is_green(&story(NEVER, &[(0, 0, of_another), (9_000, 1, shown())]));
}

#[test]
fn i8_a_session_that_is_not_closed() {
    let stays = |until| {
        let all = [(0, 0, token_revoked()), (until, 1, closed(Some(4503)))];
        story(NEVER, &all)
    };
    is_green(&stays(3_000));
    is_red(&stays(3_200), "was not closed 3200 ms after it was revoked");
    let all = [(0, 0, token_revoked()), (9_000, 2, came("t-9", NEVER))];
    is_red(&story(NEVER, &all), "was not closed");
    // Who left by themselves need not have heard it.
    let all = [(0, 0, token_revoked()), (9_000, 1, closed(None))];
    is_green(&story(NEVER, &all));
}

#[test]
fn i8_one_who_is_let_in_with_what_was_revoked() {
    let comes = |after, token| {
        let all = [
            (0, 0, token_revoked()),
            (10, 1, closed(Some(4503))),
            (after, 2, came(token, NEVER)),
            (after + 50, 2, closed(None)),
        ];
        story(NEVER, &all)
    };
    is_green(&comes(1_900, "t-1"));
    is_green(&comes(5_000, "t-2"));
    is_red(&comes(5_000, "t-1"), "was let in 5000 ms after");
}

#[test]
fn i8_a_node_that_may_not_have_heard_has_ten_seconds() {
    let cut = fault(&Fault::Link {
        node: 1,
        to: To::Journal,
        trouble: Trouble::Cut,
        for_ms: 20_000,
    });
    let told = |cut: &What, after| {
        let all = [
            (0, 0, cut.clone()),
            (10, 0, token_revoked()),
            (after, 1, shown()),
            (after + 10, 1, closed(Some(4503))),
        ];
        story(NEVER, &all)
    };
    is_green(&told(&cut, 9_900));
    is_red(&told(&cut, 10_300), "told something");
    let of_another = fault(&Fault::Pause {
        node: 2,
        for_ms: 20_000,
    });
    is_red(&told(&of_another, 9_900), "told something");
    // Days that are skipped are no time that passes.
    let days = fault(&Fault::DaysPass { ms: 3_600_000 });
    let all = [
        (0, 0, token_revoked()),
        (100, 0, days),
        (3_600_500, 1, closed(Some(4503))),
    ];
    is_green(&story(NEVER, &all));
}

#[test]
fn i8_what_is_handed_out_after_expiry() {
    let told = |after| story(NOW + 5_000, &[(after, 1, shown())]);
    is_green(&told(4_999));
    is_red(&told(5_000), "0 ms after expiry");
    let in_time = [
        (4_000, 1, refreshed("t-2", NOW + 9_000)),
        (8_000, 1, shown()),
    ];
    is_green(&story(NOW + 5_000, &in_time));
    let jumps = fault(&Fault::ClockJump {
        node: 1,
        by_ms: -2_000,
    });
    is_green(&story(
        NOW + 5_000,
        &[(0, 0, jumps.clone()), (6_000, 1, shown())],
    ));
    let late = story(NOW + 5_000, &[(0, 0, jumps), (7_000, 1, shown())]);
    is_red(&late, "after expiry");
}
