//! Who is revoked hears nothing more, on every node, and is not let in again (I8).

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::{
    identity::Revoked,
    ids::{SignInId, TokenId},
    journal::{Change, SharedTable},
    routing::Session,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// A table that one node can be cut from.
#[derive(Debug)]
struct Cut {
    table: Arc<dyn SharedTable>,
    is_cut: AtomicBool,
}

impl Cut {
    fn set(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }

    async fn pass<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let answer = call.await;
        while self.is_cut.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        answer
    }
}

#[async_trait]
impl SharedTable for Cut {
    async fn put(&self, key: &str, value: Option<Bytes>) -> Result<u64> {
        self.pass(self.table.put(key, value)).await
    }

    async fn read(&self) -> Result<(u64, Vec<(String, Bytes)>)> {
        self.pass(self.table.read()).await
    }

    async fn newest(&self) -> Result<u64> {
        self.pass(self.table.newest()).await
    }

    async fn changes(&self, version: u64) -> Result<Vec<Change>> {
        self.pass(self.table.changes(version)).await
    }
}

/// Two nodes; the second can be cut from the table.
fn two_nodes() -> (Chat, Chat, Arc<Cut>) {
    let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
    let ports = memory::ports(4, clock);
    let cut = Arc::new(Cut {
        table: Arc::clone(&ports.shared),
        is_cut: AtomicBool::new(false),
    });
    let second = Ports {
        shared: cut.clone(),
        ..ports.clone()
    };
    let first = node(&ports, "first", NodeRole::All);
    (first, node(&second, "second", NodeRole::Gateway), cut)
}

async fn while_both_run<T>(both: (&Chat, &Chat), doing: impl Future<Output = T>) -> T {
    while_running(both.0, while_running(both.1, doing)).await
}

fn with(who: Who, device: &str, proof: Proof) -> Connect {
    let mut connect = connect(who, HOUR);
    connect.device = DeviceId::try_new(device).unwrap();
    connect.identity.proof = proof;
    connect
}

fn proof(token: &str, sign_in: &str, issued_at: Timestamp) -> Proof {
    Proof {
        token: Some(TokenId::try_new(token).unwrap()),
        sign_in: Some(SignInId::try_new(sign_in).unwrap()),
        issued_at: Some(issued_at),
    }
}

/// How a session ends within this time; none if it goes on.
async fn ends_within(session: &mut Session, time: Duration) -> Option<CloseCode> {
    let ends = async {
        loop {
            if let SessionEvent::Closed { code } = session.next().await.unwrap() {
                return code;
            }
        }
    };
    tokio::time::timeout(time, ends).await.ok()
}

/// Until the session has heard what it starts with.
async fn begins(session: &mut Session) {
    while !matches!(session.next().await.unwrap(), SessionEvent::Reset { .. }) {}
}

const SOON: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn a_person_is_out_of_every_node_and_comes_back_with_a_later_token() {
    let (first, second, _) = two_nodes();
    while_both_run((&first, &second), async {
        let now = || first.ports().clock.now();
        let old = proof("t-1", "s-1", now());
        let mut here = first.connect(with(anna(), "a", old.clone())).unwrap();
        let mut there = second.connect(with(anna(), "b", old.clone())).unwrap();
        let mut other = second.connect(with(olga(), "c", old.clone())).unwrap();
        begins(&mut there).await;
        let revoked = Revoked::Person(anna().participant());
        first.revoke(revoked).await.unwrap();
        for session in [&mut here, &mut there] {
            let ended = ends_within(session, SOON).await;
            assert_eq!(ended, Some(CloseCode::Revoked));
            assert!(session.next().await.is_none());
        }
        assert_eq!(ends_within(&mut other, SOON).await, None);
        for chat in [&first, &second] {
            let refused = chat.connect(with(anna(), "a", old.clone())).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Forbidden);
            let identity = with(anna(), "a", old.clone()).identity;
            assert_eq!(
                chat.admit(&identity).await.unwrap_err().kind(),
                ErrorKind::Forbidden
            );
        }
        tokio::time::sleep(Duration::from_secs(6)).await;
        let new = with(anna(), "a", proof("t-2", "s-2", now()));
        second.admit(&new.identity).await.unwrap();
        let mut again = second.connect(new).unwrap();
        assert_eq!(ends_within(&mut again, SOON).await, None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_alone_and_a_sign_in_with_all_its_tokens() {
    let (first, second, _) = two_nodes();
    while_both_run((&first, &second), async {
        let now = first.ports().clock.now();
        let mut sessions = Vec::new();
        for (token, sign_in) in [("t-1", "s-1"), ("t-2", "s-1"), ("t-3", "s-2")] {
            let connect = with(anna(), token, proof(token, sign_in, now));
            sessions.push(second.connect(connect).unwrap());
        }
        let token = Revoked::Token(TokenId::try_new("t-1").unwrap());
        first.revoke(token).await.unwrap();
        let mut ended = Vec::new();
        for session in &mut sessions {
            ended.push(ends_within(session, SOON).await);
        }
        assert_eq!(ended, [Some(CloseCode::Revoked), None, None]);
        let sign_in = Revoked::SignIn(SignInId::try_new("s-1").unwrap());
        first.revoke(sign_in).await.unwrap();
        let later = proof("t-4", "s-1", now.plus(HOUR));
        let mut ended = Vec::new();
        for session in &mut sessions[1..] {
            ended.push(ends_within(session, SOON).await);
        }
        assert_eq!(ended, [Some(CloseCode::Revoked), None]);
        assert!(second.connect(with(anna(), "d", later)).is_err());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_session_with_a_newer_token_outlives_its_older_one_and_takes_no_revoked_one() {
    let (first, second, _) = two_nodes();
    while_both_run((&first, &second), async {
        let now = first.ports().clock.now();
        let mut session = second
            .connect(with(anna(), "a", proof("t-1", "s-1", now)))
            .unwrap();
        begins(&mut session).await;
        let newer = with(anna(), "a", proof("t-2", "s-2", now)).identity;
        session.sender().refresh(newer).unwrap();
        let old = Revoked::Token(TokenId::try_new("t-1").unwrap());
        first.revoke(old).await.unwrap();
        assert_eq!(ends_within(&mut session, SOON).await, None);
        let back = with(anna(), "a", proof("t-1", "s-3", now)).identity;
        let refused = session.sender().refresh(back).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        let newer = Revoked::Token(TokenId::try_new("t-2").unwrap());
        first.revoke(newer).await.unwrap();
        let ended = ends_within(&mut session, SOON).await;
        assert_eq!(ended, Some(CloseCode::Revoked));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_can_not_tell_sends_staff_away_and_holds_back_what_others_would_hear() {
    let (first, second, cut) = two_nodes();
    while_both_run((&first, &second), async {
        let now = first.ports().clock.now();
        let kept = proof("t-1", "s-1", now);
        let mut staff = second.connect(with(olga(), "o", kept.clone())).unwrap();
        let mut revoked = second.connect(with(anna(), "a", kept.clone())).unwrap();
        let mut other = {
            let boris = Who::Customer(CustomerId::try_new("boris").unwrap());
            second.connect(with(boris, "b", kept.clone())).unwrap()
        };
        for session in [&mut staff, &mut revoked, &mut other] {
            begins(session).await;
        }
        cut.set(true);
        let anna_is_out = Revoked::Person(anna().participant());
        first.revoke(anna_is_out).await.unwrap();
        // Until it has been unsure for too long it goes on as before.
        assert_eq!(ends_within(&mut staff, Duration::from_secs(8)).await, None);
        let ended = ends_within(&mut staff, Duration::from_secs(4)).await;
        assert_eq!(ended, Some(CloseCode::Unsure));
        let refused = second.connect(with(olga(), "o", kept.clone())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        let identity = other.sender().identity();
        let refused = second.admit(&identity).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        // Something to hear of, for both: it comes when the node is sure again.
        let mut elsewhere = Vec::new();
        for (who, device) in [("anna", "x"), ("boris", "y")] {
            let id = CustomerId::try_new(who).unwrap();
            let issued = proof("t-9", "s-9", first.ports().clock.now());
            let session = first.connect(with(Who::Customer(id.clone()), device, issued));
            let session = session.unwrap();
            let sent = session.sender().send(Target::Customer(id), 1, open());
            sent.await.unwrap();
            elsewhere.push(session);
        }
        let heard = tokio::time::timeout(Duration::from_secs(5), other.next()).await;
        assert!(heard.is_err(), "{heard:?}");
        let heard = tokio::time::timeout(Duration::from_secs(5), revoked.next()).await;
        assert!(heard.is_err(), "{heard:?}");
        cut.set(false);
        match revoked.next().await.unwrap() {
            SessionEvent::Closed { code } => assert_eq!(code, CloseCode::Revoked),
            other => panic!("{other:?}"),
        }
        let heard = tokio::time::timeout(SOON, other.next()).await.unwrap();
        assert!(
            matches!(heard, Some(SessionEvent::Range { .. })),
            "{heard:?}"
        );
        assert!(second.connect(with(olga(), "o", kept)).is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_asks_before_it_says_anything() {
    let (first, second, cut) = two_nodes();
    while_both_run((&first, &second), async {
        let kept = proof("t-1", "s-1", first.ports().clock.now());
        let mut staff = second.connect(with(olga(), "o", kept)).unwrap();
        begins(&mut staff).await;
        tokio::time::advance(Duration::from_secs(12)).await;
        assert_eq!(ends_within(&mut staff, SOON).await, None, "it could ask");
        cut.set(true);
        tokio::time::advance(Duration::from_secs(12)).await;
        let ended = ends_within(&mut staff, SOON).await;
        assert_eq!(ended, Some(CloseCode::Unsure), "it could not");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_was_revoked_before_a_node_began_hears_nothing_of_it() {
    let (first, second, cut) = two_nodes();
    while_running(&first, async {
        let revoked = Revoked::Person(anna().participant());
        first.revoke(revoked).await.unwrap();
        // The node has not read anything yet: nobody is told anything.
        let early = with(anna(), "a", proof("t-1", "s-1", Timestamp(0)));
        let mut session = second.connect(early).unwrap();
        cut.set(true);
        while_running(&second, async {
            let heard = tokio::time::timeout(Duration::from_secs(5), session.next()).await;
            assert!(heard.is_err(), "{heard:?}");
            cut.set(false);
            match session.next().await.unwrap() {
                SessionEvent::Closed { code } => assert_eq!(code, CloseCode::Revoked),
                other => panic!("{other:?}"),
            }
        })
        .await;
    })
    .await;
}
