//! The streaming fetch: the same frames, one a line.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpStream, tcp::OwnedReadHalf},
    time::timeout,
};

use crate::{
    client::{request, token},
    process::{LONG, Process},
};

struct Lines(BufReader<OwnedReadHalf>);

impl Lines {
    /// The next line that is a frame; the rest is the transfer's own.
    async fn frame(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            let read = timeout(LONG, self.0.read_line(&mut line))
                .await
                .expect("a line");
            if read.unwrap_or(0) == 0 {
                return None;
            }
            if let Ok(frame @ Value::Object(_)) = serde_json::from_str(line.trim()) {
                return Some(frame);
            }
        }
    }

    async fn next(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await.expect("it goes on");
            if let Some(inner) = frame.get(kind) {
                return inner.clone();
            }
        }
    }
}

async fn open(server: &Process, hello: &Value) -> Lines {
    let socket = TcpStream::connect(&server.address).await.unwrap();
    let (read, mut write) = socket.into_split();
    let body = hello.to_string();
    let head = format!(
        "POST /api/stream HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
        server.address,
        body.len()
    );
    write
        .write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
    // The half that writes stays open as long as the stream.
    write.forget();
    Lines(BufReader::new(read))
}

#[tokio::test]
async fn a_session_goes_over_a_fetch_and_posts() {
    let server = Process::ephemeral().await;
    let token = token(&server, "Anna").await;
    let mut lines = open(&server, &json!({"hello": {"token": token, "device": "d"}})).await;
    let welcome = lines.next("welcome").await;
    let key = welcome["stream_key"].as_str().unwrap().to_owned();
    assert_eq!(key.len(), 32);
    let send = json!({"send": {"target": {"customer": "anna"}, "n": 1,
        "command": {"customer": {"open": {"channel": "web", "topic": null}}}}});
    let post = format!("POST /api/stream/{key}");
    let (status, ..) = request(
        &server.address,
        &post,
        &format!("{send}\n{{\"ping\": {{}}}}\n"),
    )
    .await;
    assert_eq!(status, 204);
    // In either order: the outcome takes its own way.
    let (mut pong, mut outcome) = (false, false);
    while !(pong && outcome) {
        let frame = lines.frame().await.expect("it goes on");
        pong |= frame.get("pong").is_some();
        outcome |= frame["reply"]["reply"]["outcome"]["accepted"].is_object();
    }
    for _ in 0..16 {
        request(&server.address, &post, "{").await;
    }
    assert_eq!(lines.next("closed").await["code"], 4510);
    assert_eq!(lines.frame().await, None, "closed is the last line");
    let (status, ..) = request(&server.address, &post, "{\"ping\": {}}").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_stream_is_refused_with_a_status() {
    let server = Process::ephemeral().await;
    let hello = |token: &str| json!({"hello": {"token": token, "device": "d"}}).to_string();
    let large = " ".repeat(70_000);
    for (body, expected) in [
        (hello("x"), 403),
        ("{".to_owned(), 400),
        (json!({"ping": {}}).to_string(), 400),
        (large, 413),
    ] {
        let (status, _, answer) = request(&server.address, "POST /api/stream", &body).await;
        assert_eq!(status, expected, "{answer}");
    }
}
