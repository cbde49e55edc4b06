//! A client of the tests: speaks JSON, knows nothing of the server's types.

use std::collections::BTreeMap;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};

use crate::process::{LONG, Process};

/// What a client hears.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Frame(Value),
    Closed(Option<u16>),
}

/// A socket to the server.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// The position of each stream, by the frames heard so far.
    pub(crate) positions: BTreeMap<String, Value>,
    /// Events heard so far, by stream and number.
    pub(crate) events: BTreeMap<(String, u64), Value>,
    /// What was told to be durable last, by target.
    durable: BTreeMap<String, u64>,
}

/// One request over HTTP/1.1: the status, the head and the body.
pub(crate) async fn request(address: &str, head: &str, body: &str) -> (u16, String, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    // Further headers may follow the first line of the head.
    let (first, more) = head.split_once('\n').unwrap_or((head, ""));
    let more = if more.is_empty() {
        String::new()
    } else {
        format!("{more}\r\n")
    };
    let whole = format!(
        "{first} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{more}\
         content-length: {length}\r\n\r\n{body}",
    );
    socket.write_all(whole.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LONG, socket.read_to_string(&mut answer))
        .await
        .expect("an answer")
        .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or_default();
    (status, head.to_lowercase(), body.to_owned())
}

/// `GET` with a token.
pub(crate) async fn get(address: &str, path: &str, token: Option<&str>) -> (u16, Value) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let bearer = token.map_or_else(String::new, |t| format!("authorization: Bearer {t}\r\n"));
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{bearer}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LONG, socket.read_to_string(&mut answer))
        .await
        .expect("an answer")
        .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// The token of one of the demo's people.
pub(crate) async fn token(server: &Process, name: &str) -> String {
    let (_, people) = get(&server.address, "/api/demo/people", None).await;
    let people = people["people"].as_array().unwrap();
    let person = people.iter().find(|p| p["name"] == name).unwrap();
    person["token"].as_str().unwrap().to_owned()
}

impl Client {
    /// A socket before `hello`.
    pub(crate) async fn socket(server: &Process) -> Self {
        let stream = TcpStream::connect(&server.address).await.unwrap();
        let mut request = format!("ws://{}/ws", server.address)
            .into_client_request()
            .unwrap();
        let protocol = "chatcore.v1".parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let (socket, answer) = client_async(request, stream).await.unwrap();
        assert_eq!(answer.headers()["sec-websocket-protocol"], "chatcore.v1");
        Self {
            socket,
            positions: BTreeMap::new(),
            events: BTreeMap::new(),
            durable: BTreeMap::new(),
        }
    }

    /// Somebody of the demo, welcomed.
    pub(crate) async fn demo(server: &Process, name: &str, device: &str) -> Self {
        let token = token(server, name).await;
        let mut client = Self::socket(server).await;
        client.hello(&token, device, &BTreeMap::new()).await;
        client
    }

    /// Says `hello` and hears `welcome`.
    pub(crate) async fn hello(
        &mut self,
        token: &str,
        device: &str,
        resume: &BTreeMap<String, Value>,
    ) -> Value {
        self.positions.clone_from(resume);
        self.say(&json!({"hello": {"token": token, "device": device, "resume": resume}}))
            .await;
        let first = self.frame().await;
        assert!(first["welcome"].is_object(), "{first}");
        first["welcome"].clone()
    }

    pub(crate) async fn say(&mut self, frame: &Value) {
        self.raw(Message::text(frame.to_string())).await;
    }

    pub(crate) async fn raw(&mut self, message: Message) {
        self.try_raw(message).await.unwrap();
    }

    /// Fails when the socket has been closed.
    pub(crate) async fn try_raw(&mut self, message: Message) -> Result<(), Error> {
        self.socket.send(message).await
    }

    /// A command to a customer.
    pub(crate) async fn command(&mut self, customer: &str, n: u64, command: Value) {
        self.say(&json!({"send": {
            "target": {"customer": customer}, "n": n, "command": {"customer": command},
        }}))
        .await;
    }

    /// An operator becomes available, and takes a dialog.
    pub(crate) async fn take(&mut self, operator: &str, dialog: &Value) {
        let status = json!({"status": {"operator": operator, "status": "available"}});
        for (n, command) in [(1, status), (2, json!({"take": {"dialog": dialog}}))] {
            let command = json!({"desk": command});
            self.say(&json!({"send": {"target": {"desk": "main"}, "n": n, "command": command}}))
                .await;
            let reply = self.reply(n).await;
            assert!(reply["outcome"]["accepted"].is_object(), "{reply}");
        }
    }

    /// What comes next.
    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            let message = timeout(LONG, self.socket.next())
                .await
                .expect("something is heard");
            match message {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    self.take_in(&frame);
                    return Heard::Frame(frame);
                }
                Some(Ok(Message::Close(close))) => {
                    return Heard::Closed(close.map(|c| c.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Closed(None),
            }
        }
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Value {
        match self.hear().await {
            Heard::Frame(frame) => frame,
            Heard::Closed(code) => panic!("closed with {code:?}"),
        }
    }

    /// The next frame of this kind: what is in it.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if let Some(inner) = frame.get(kind) {
                return inner.clone();
            }
        }
    }

    /// The reply to a command, after it was durable.
    pub(crate) async fn reply(&mut self, n: u64) -> Value {
        loop {
            let frame = self.frame().await;
            if let Some(reply) = frame.get("reply")
                && reply["n"] == n
            {
                let decided = reply["reply"].get("outcome").is_some();
                let durable = self.durable.get(&reply["target"].to_string());
                assert!(
                    durable.is_some_and(|told| *told >= n) || !decided,
                    "an outcome before durable: {frame}"
                );
                return reply["reply"].clone();
            }
            assert_ne!(frame["error"]["n"], n, "{frame}");
        }
    }

    /// The code of the close that comes, whatever is heard before.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            if let Heard::Closed(code) = self.hear().await {
                return code;
            }
        }
    }

    /// Waits until an event of a stream was heard for which this holds.
    pub(crate) async fn event(&mut self, stream: &str, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let known = self
                .events
                .iter()
                .find(|((s, _), event)| s == stream && is(event));
            if let Some((_, event)) = known {
                return event.clone();
            }
            self.frame().await;
        }
    }

    /// Keeps what was told, and checks that ranges join, as every client must.
    fn take_in(&mut self, frame: &Value) {
        if let Some(told) = frame.get("durable") {
            let n = told["n"].as_u64().unwrap();
            self.durable.insert(told["target"].to_string(), n);
        }
        if let Some(reset) = frame.get("reset") {
            let stream = reset["stream"].as_str().unwrap().to_owned();
            self.positions.insert(stream, reset["position"].clone());
        }
        if let Some(range) = frame.get("range") {
            let stream = range["stream"].as_str().unwrap().to_owned();
            let last = self.positions.get(&stream);
            assert_eq!(
                last,
                Some(&range["after"]),
                "a range that does not join: {frame}"
            );
            self.positions.insert(stream.clone(), range["upto"].clone());
            for event in range["events"].as_array().unwrap() {
                let seq = event["seq"].as_u64().unwrap();
                let twice = self.events.insert((stream.clone(), seq), event.clone());
                assert!(twice.is_none(), "an event came twice: {event}");
            }
        }
    }
}
