//! Who is revoked is out at once, over whatever they came, and does not come back.

use std::collections::BTreeMap;

use chatcore_server::identity::{Claims, JwtAuthenticator, Role};
use serde_json::{Value, json};

use crate::{
    client::{Client, get, request},
    process::Process,
    tokens::{claims, now, signer_of},
};

/// A token of a service that may revoke.
fn may_revoke(claims: &mut Claims) {
    claims.sub = "branch-system".to_owned();
    claims.role = Role::Service;
    claims.scope = Some("openid chatcore:revoke".to_owned());
}

async fn post(server: &Process, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let head = format!("POST {path}\nauthorization: Bearer {token}");
    let (status, _, body) = request(&server.address, &head, &body.to_string()).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

async fn welcomed(server: &Process, token: &str, device: &str) -> Client {
    let mut client = Client::socket(server).await;
    client.hello(token, device, &BTreeMap::new()).await;
    client
}

/// Anna's token of this sign-in.
fn of_sign_in(signer: &JwtAuthenticator, jti: &str, sid: Option<&str>) -> String {
    let claims = claims(|c| {
        c.iat = Some(now());
        c.jti = Some(jti.to_owned());
        c.sid = sid.map(str::to_owned);
    });
    signer.sign(claims).unwrap()
}

async fn is_out(server: &Process, token: &str) {
    let mut client = Client::socket(server).await;
    client
        .say(&json!({"hello": {"token": token, "device": "again"}}))
        .await;
    assert_eq!(client.next("error").await["code"], "forbidden");
    assert_eq!(client.close_code().await, Some(4503));
    let (status, answer) = get(&server.address, "/api/me", Some(token)).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (403, &json!("forbidden"))
    );
}

#[tokio::test]
async fn a_service_revokes_and_sockets_streams_and_calls_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::on(folder.path()).await;
    let signer = signer_of(folder.path());
    let service = signer.sign(claims(may_revoke)).unwrap();
    // The person comes last: theirs covers what is issued in the seconds after it, too.
    let cases = [
        ("jti 1+", json!({"token": "jti 1+"})),
        ("jti-2", json!({"sign_in": "sid/jti-2"})),
        ("jti-3", json!({"person": {"customer": "anna"}})),
    ];
    // A token that is not meant goes on all the while.
    let olga = signer.sign(claims(|c| {
        c.sub = "olga".to_owned();
        c.role = Role::Operator;
        c.desk = Some("main".to_owned());
        c.iat = Some(now());
    }));
    let olga = olga.unwrap();
    let mut other = welcomed(&server, &olga, "desk").await;
    for (jti, body) in cases {
        let token = of_sign_in(&signer, jti, Some(&format!("sid/{jti}")));
        let mut tab = welcomed(&server, &token, "tab").await;
        let mut phone = welcomed(&server, &token, "phone").await;
        let (status, answer) = post(&server, "/api/revocations", &service, &body).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer["revoked_at"].is_i64(), "{answer}");
        assert_eq!(tab.close_code().await, Some(4503));
        assert_eq!(phone.close_code().await, Some(4503));
        is_out(&server, &token).await;
    }
    other.say(&json!({"ping": {}})).await;
    assert!(other.next("pong").await["now"].is_i64());
}

#[tokio::test]
async fn a_revocation_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::on(folder.path()).await;
    let signer = signer_of(folder.path());
    let token = of_sign_in(&signer, "t-1", Some("s-1"));
    let (status, _) = post(&server, "/api/sign-out", &token, &Value::Null).await;
    assert_eq!(status, 200);
    server.kill().await;
    let server = Process::on(folder.path()).await;
    is_out(&server, &token).await;
}

#[tokio::test]
async fn signing_out_ends_the_sign_in_everywhere_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::on(folder.path()).await;
    let signer = signer_of(folder.path());
    let first = of_sign_in(&signer, "t-1", Some("s-1"));
    let refreshed = of_sign_in(&signer, "t-2", Some("s-1"));
    let elsewhere = of_sign_in(&signer, "t-3", Some("s-2"));
    let mut mine = welcomed(&server, &refreshed, "tab").await;
    let mut others = welcomed(&server, &elsewhere, "phone").await;
    let (status, _) = post(&server, "/api/sign-out", &first, &Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(mine.close_code().await, Some(4503));
    is_out(&server, &first).await;
    is_out(&server, &refreshed).await;
    others.say(&json!({"ping": {}})).await;
    assert!(others.next("pong").await["now"].is_i64());
    // A refresh with what was revoked is refused, and the session goes on.
    others.say(&json!({"refresh": {"token": refreshed}})).await;
    assert_eq!(others.next("error").await["code"], "forbidden");
    let alone = of_sign_in(&signer, "t-4", None);
    let (status, _) = post(&server, "/api/sign-out", &alone, &Value::Null).await;
    assert_eq!(status, 200);
    is_out(&server, &alone).await;
    let nameless = signer.sign(claims(|_| {})).unwrap();
    let (status, answer) = post(&server, "/api/sign-out", &nameless, &Value::Null).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("invalid")));
}

#[tokio::test]
async fn only_a_service_with_the_scope_revokes_and_bad_bodies_revoke_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::on(folder.path()).await;
    let signer = signer_of(folder.path());
    let anna = json!({"person": {"customer": "anna"}});
    let mut callers = Vec::new();
    for role in [Role::Customer, Role::Operator, Role::Supervisor] {
        callers.push(claims(|c| {
            c.role = role;
            c.desk = (role != Role::Customer).then(|| "main".to_owned());
            c.scope = Some("chatcore:revoke".to_owned());
        }));
    }
    for scope in [None, Some("chatcore:revok chatcore: revoke")] {
        let mut service = claims(may_revoke);
        service.scope = scope.map(str::to_owned);
        callers.push(service);
    }
    for caller in callers {
        let token = signer.sign(caller).unwrap();
        let (status, answer) = post(&server, "/api/revocations", &token, &anna).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (403, &json!("forbidden"))
        );
    }
    let (status, _, _) = request(&server.address, "POST /api/revocations", &anna.to_string()).await;
    assert_eq!(status, 403);
    let service = signer.sign(claims(may_revoke)).unwrap();
    let bad = [
        json!({}),
        json!({"person": "bot"}),
        json!({"person": {"customer": "an na"}}),
        json!({"token": ""}),
        json!({"sign_in": 5}),
        json!({"token": "a", "sign_in": "b"}),
        json!({"token": "a", "why": "x"}),
        json!([]),
        Value::Null,
    ];
    for body in bad {
        let (status, answer) = post(&server, "/api/revocations", &service, &body).await;
        let code = (status, &answer["error"]["code"]);
        assert_eq!(code, (400, &json!("invalid")), "{body}");
    }
    let long = json!({"token": "x".repeat(5_000)});
    let (status, _) = post(&server, "/api/revocations", &service, &long).await;
    assert_eq!(status, 413);
    // A service reads nothing of people.
    for path in ["/api/me", "/api/dialogs/1", "/api/customers/anna/dialogs"] {
        let (status, _) = get(&server.address, path, Some(&service)).await;
        assert_eq!(status, 403, "{path}");
    }
    let anna = signer.sign(claims(|_| {})).unwrap();
    let (status, _) = get(&server.address, "/api/me", Some(&anna)).await;
    assert_eq!(status, 200, "nobody was revoked");
}

#[tokio::test]
async fn a_service_that_was_revoked_itself_revokes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::on(folder.path()).await;
    let named = |c: &mut Claims| {
        may_revoke(c);
        c.jti = Some("service-1".to_owned());
    };
    let leaked = signer_of(folder.path()).sign(claims(named)).unwrap();
    let body = json!({"token": "service-1"});
    let (status, _) = post(&server, "/api/revocations", &leaked, &body).await;
    assert_eq!(status, 200);
    let body = json!({"person": {"customer": "anna"}});
    let (status, answer) = post(&server, "/api/revocations", &leaked, &body).await;
    assert_eq!(status, 403, "{answer}");
}
