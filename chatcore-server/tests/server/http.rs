//! What is read over HTTP.

use serde_json::json;

use crate::{
    client::{Client, get, request, token},
    process::Process,
};

#[tokio::test]
async fn history_and_lists_are_read_by_those_who_may() {
    let server = Process::ephemeral().await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.command(
        "anna",
        1,
        json!({"open": {"channel": "web", "topic": "cards"}}),
    )
    .await;
    let dialog = anna.reply(1).await["outcome"]["accepted"]["dialog"].clone();
    for n in 2..8 {
        anna.command(
            "anna",
            n,
            json!({"message": {"dialog": dialog,
            "body": {"text": format!("text {n}")}, "reply_to": null, "owner_epoch": null}}),
        )
        .await;
        anna.reply(n).await;
    }
    let token = token(&server, "Anna").await;
    let address = &server.address;
    let (status, me) = get(address, "/api/me", Some(&token)).await;
    assert_eq!((status, &me["who"]["customer"]), (200, &json!("anna")));
    let (status, state) = get(address, &format!("/api/dialogs/{dialog}"), Some(&token)).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&state["customer"], &state["topic"]),
        (&json!("anna"), &json!("cards"))
    );

    let path = format!("/api/dialogs/{dialog}/events");
    let (_, newest) = get(address, &format!("{path}?limit=3"), Some(&token)).await;
    let (_, older) = get(
        address,
        &format!(
            "{path}?limit=3&before={}",
            newest["after"]["seq"].as_u64().unwrap() + 1
        ),
        Some(&token),
    )
    .await;
    assert_eq!(older["upto"], newest["after"], "pages join");
    let (_, all) = get(address, &format!("{path}?after=0&limit=200"), Some(&token)).await;
    let texts = all["events"].as_array().unwrap().iter();
    let texts = texts.filter(|e| e["event"]["dialog"]["message"]["author"]["customer"] == "anna");
    assert_eq!(texts.count(), 6);
    for bad in [
        "?limit=0",
        "?limit=201",
        "?before=1&after=1",
        "?limit=x",
        "?more=1",
    ] {
        let (status, _) = get(address, &format!("{path}{bad}"), Some(&token)).await;
        assert_eq!(status, 400, "{bad}");
    }
    for (path, expected) in [
        ("/api/customers/anna/dialogs", 200),
        ("/api/customers/boris/dialogs", 403),
        ("/api/customers/anna/dialogs?before=x", 400),
        ("/api/closed", 403),
        ("/api/dialogs/999999", 403),
    ] {
        let (status, answer) = get(address, path, Some(&token)).await;
        assert_eq!(status, expected, "{path}: {answer}");
    }
    let (status, answer) = get(address, "/api/me", None).await;
    assert_eq!(status, 403, "{answer}");
}

#[tokio::test]
async fn probes_figures_and_pages_answer() {
    let server = Process::ephemeral().await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    anna.say(&json!({"ping": {}})).await;
    anna.next("pong").await;
    let address = &server.address;
    let (_, ready) = get(address, "/readyz", None).await;
    assert_eq!((&ready["ready"], &ready["why"]), (&json!(true), &json!([])));
    let (_, head, figures) = request(address, "GET /metrics", "").await;
    assert!(head.contains("text/plain"), "{head}");
    for line in [
        "chatcore_sessions{transport=\"websocket\"} 1",
        "chatcore_frames_in_total{kind=\"ping\"} 1",
        "chatcore_http_request_seconds_bucket{route=",
        "chatcore_engine_saves_total ",
        "chatcore_streams_followed ",
    ] {
        assert!(figures.contains(line), "{line} is not in:\n{figures}");
    }
    assert!(!figures.contains("anna"), "a person is named in a figure");
    let (status, head, page) = request(address, "GET /", "").await;
    assert_eq!(status, 200);
    assert!(head.contains("default-src 'none'"), "{head}");
    assert!(head.contains("x-content-type-options: nosniff"), "{head}");
    assert!(page.contains("<title>chatcore</title>"), "{page}");
    for path in [
        "/../Cargo.toml",
        "/nothing.html",
        "/jsconfig.json",
        "/.git/config.js",
    ] {
        let (status, ..) = request(address, &format!("GET {path}"), "").await;
        assert_eq!(status, 404, "{path}");
    }
}

#[tokio::test]
async fn pages_run_nothing_but_their_own_files_and_are_framed_by_nobody() {
    let server = Process::ephemeral().await;
    for page in ["/", "/customer.html", "/operator.html"] {
        let (status, head, body) = request(&server.address, &format!("GET {page}"), "").await;
        assert_eq!(status, 200, "{page}");
        for header in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(header), "{page} lacks {header}: {head}");
        }
        assert!(!head.contains("unsafe-"), "{page}: {head}");
        let scripts = body.matches("<script").count();
        let own = body.matches("<script type=\"module\" src=\"/").count();
        assert_eq!(scripts, own, "a script within {page}");
        for inline in ["style=", "<style", " onclick=", " onload=", "javascript:"] {
            assert!(!body.contains(inline), "{inline} within {page}");
        }
    }
}

#[tokio::test]
async fn a_page_of_another_site_may_read_only_when_it_is_named() {
    let flags = ["--ephemeral", "--origins", "https://bank.example"];
    let server = Process::demo(&flags).await;
    let good = "OPTIONS /api/me\norigin: https://bank.example";
    let (status, head, _) = request(&server.address, good, "").await;
    assert_eq!(status, 204);
    assert!(
        head.contains("access-control-allow-origin: https://bank.example"),
        "{head}"
    );
    let bad = "GET /api/demo/people\norigin: https://evil.example";
    let (status, head, body) = request(&server.address, bad, "").await;
    assert_eq!(status, 403, "{body}");
    assert!(!head.contains("access-control-allow-origin"), "{head}");
}
