//! Tokens that are good, and every kind that is not.

use chatcore::{
    clock::Timestamp,
    identity::{Assurance, StaffRole, Who},
    ids::CustomerId,
};

use super::*;

#[derive(Debug)]
struct At(i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp(self.0)
    }
}

const NOW: i64 = 1_790_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn authenticator(secret: &[u8], issuer: Option<&str>, audience: Option<&str>) -> JwtAuthenticator {
    let rules = TokenRules {
        secret: secret.to_vec(),
        issuer: issuer.map(str::to_owned),
        audience: audience.map(str::to_owned),
    };
    JwtAuthenticator::try_new(rules, Arc::new(At(NOW * 1000))).unwrap()
}

fn ours() -> JwtAuthenticator {
    authenticator(SECRET, None, None)
}

fn claims(change: impl FnOnce(&mut Claims)) -> Claims {
    let mut claims = Claims {
        sub: "anna".to_owned(),
        role: Role::Customer,
        name: "Anna".to_owned(),
        desk: None,
        assurance: Assurance::Authenticated,
        exp: NOW as u64 + 60,
        iat: None,
        jti: None,
        sid: None,
        scope: None,
        nbf: None,
        iss: None,
        aud: None,
    };
    change(&mut claims);
    claims
}

fn problem(token: &str) -> TokenProblem {
    ours().verify(token).unwrap_err()
}

fn signed(change: impl FnOnce(&mut Claims)) -> String {
    ours().sign(claims(change)).unwrap()
}

#[test]
fn a_good_token_tells_who() {
    let identity = ours().verify(&signed(|_| {})).unwrap();
    assert_eq!(
        identity.who,
        Who::Customer(CustomerId::try_new("anna").unwrap())
    );
    assert_eq!(identity.expires_at, Timestamp((NOW + 60) * 1000));
    let staff = signed(|c| {
        c.role = Role::Supervisor;
        c.desk = Some("main".to_owned());
    });
    let rights = ours().verify(&staff).unwrap().staff_rights().unwrap();
    assert_eq!(rights.role, StaffRole::Supervisor);
    let unsure = signed(|c| {
        c.role = Role::Operator;
        c.desk = Some("main".to_owned());
        c.assurance = Assurance::Known;
    });
    let wrong = ours().verify(&unsure).unwrap_err();
    assert!(wrong.to_string().contains("assurance"), "{wrong}");
}

#[test]
fn claims_that_break_a_rule_are_named() {
    let expired = signed(|c| c.exp = NOW as u64);
    assert_eq!(problem(&expired), TokenProblem::Expired);
    assert_eq!(
        problem(&signed(|c| c.nbf = Some(NOW as u64 + 11))),
        TokenProblem::NotYet
    );
    let sub = TokenProblem::Claim { name: "sub" };
    assert_eq!(problem(&signed(|c| c.sub = "a b".to_owned())), sub);
    let desk = TokenProblem::Claim { name: "desk" };
    assert_eq!(problem(&signed(|c| c.role = Role::Operator)), desk);
    let name = TokenProblem::Claim { name: "name" };
    assert_eq!(problem(&signed(|c| c.name = "a\nb".to_owned())), name);
    let long = 31 * 24 * 3_600;
    let at = |seconds: i64| u64::try_from(NOW + seconds).unwrap();
    let of_life = |life, issued: Option<i64>| {
        signed(move |c| {
            c.exp = at(life);
            c.iat = issued.map(at);
        })
    };
    assert!(ours().verify(&of_life(long, None)).is_ok());
    let too_long = Err(TokenProblem::LivesTooLong);
    assert_eq!(ours().verify(&of_life(long + 1, None)), too_long);
    assert_eq!(ours().verify(&of_life(60, Some(60 - long - 1))), too_long);
    assert_eq!(ours().verify(&signed(|c| c.exp = u64::MAX)), too_long);
}

#[test]
fn a_foreign_unsigned_or_changed_token_is_refused() {
    let foreign = authenticator(b"another secret of thirty-two bytes", None, None);
    let token = foreign.sign(claims(|_| {})).unwrap();
    assert_eq!(problem(&token), TokenProblem::Signature);
    let good = signed(|_| {});
    let (rest, _) = good.rsplit_once('.').unwrap();
    assert_eq!(problem(&format!("{rest}.")), TokenProblem::Signature);
    assert_eq!(problem(rest), TokenProblem::Malformed);
    for token in ["", "a.b.c", "...", "не токен"] {
        assert_eq!(problem(token), TokenProblem::Malformed, "{token}");
    }
    assert_eq!(
        problem(&"a".repeat(TOKEN_BYTES_MAX + 1)),
        TokenProblem::TooLong
    );
}

#[test]
fn another_algorithm_is_refused() {
    let body = signed(|_| {});
    let body = body.split('.').nth(1).unwrap();
    // {"alg":"none"}, {"alg":"HS512"}, {"alg":"RS256"}, {"alg":"none","typ":"JWT"}
    for header in [
        "eyJhbGciOiJub25lIn0",
        "eyJhbGciOiJIUzUxMiJ9",
        "eyJhbGciOiJSUzI1NiJ9",
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0",
    ] {
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{body}.{signature}");
            assert_eq!(problem(&token), TokenProblem::Algorithm, "{header}");
        }
    }
}

#[test]
fn issuer_and_audience_are_checked_when_named_and_an_unasked_audience_is_refused() {
    let strict = authenticator(SECRET, Some("bank"), Some("chat"));
    assert!(strict.verify(&strict.sign(claims(|_| {})).unwrap()).is_ok());
    let other = authenticator(SECRET, Some("other"), Some("chat"));
    let token = other.sign(claims(|_| {})).unwrap();
    assert_eq!(strict.verify(&token), Err(TokenProblem::Issuer));
    let other = authenticator(SECRET, Some("bank"), Some("shop"));
    let token = other.sign(claims(|_| {})).unwrap();
    assert_eq!(strict.verify(&token), Err(TokenProblem::Audience));
    let only_audience = authenticator(SECRET, None, Some("chat"));
    let without = only_audience.verify(&signed(|_| {}));
    assert_eq!(without, Err(TokenProblem::Audience));
    assert_eq!(problem(&token), TokenProblem::Audience);
}

#[test]
fn a_short_secret_is_refused() {
    let rules = TokenRules {
        secret: b"short".to_vec(),
        issuer: None,
        audience: None,
    };
    assert!(JwtAuthenticator::try_new(rules, Arc::new(At(0))).is_err());
}

#[test]
fn the_demo_keeps_its_secret_so_that_tokens_outlive_a_restart() {
    let folder = std::env::temp_dir().join(format!("chatcore-demo-{}", std::process::id()));
    let first = kept_secret(Some(&folder)).unwrap();
    assert_eq!(kept_secret(Some(&folder)).unwrap(), first);
    assert_ne!(kept_secret(None).unwrap(), first);
    let tokens = authenticator(&first, None, None);
    let people = demo_people(&tokens, Timestamp(NOW * 1000)).unwrap();
    assert_eq!(people.len(), 5);
    let again = authenticator(&kept_secret(Some(&folder)).unwrap(), None, None);
    for person in people {
        assert_eq!(
            again.verify(&person.token).unwrap().participant(),
            person.who
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn nodes_that_begin_at_once_in_an_empty_folder_have_one_secret() {
    const NODES: usize = 8;
    for _round in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("data");
        let at_once = std::sync::Barrier::new(NODES);
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let begin = || {
                at_once.wait();
                kept_secret(Some(&folder))
            };
            let nodes: Vec<_> = (0..NODES).map(|_| scope.spawn(begin)).collect();
            nodes.into_iter().map(|node| node.join().unwrap()).collect()
        });
        let first = secrets[0].as_ref().unwrap();
        assert!(
            secrets.iter().all(|s| s.as_ref().is_ok_and(|s| s == first)),
            "{secrets:?}"
        );
    }
}

#[test]
fn a_secret_that_was_not_written_whole_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("demo-secret"), b"half").unwrap();
    let refused = kept_secret(Some(folder.path())).unwrap_err();
    assert_eq!(refused.kind(), chatcore::error::ErrorKind::Corrupt);
}
