//! A client for the console: a customer of `chatcore.v1` (docs/spec/protocol.md) in one file.
//!
//! ```text
//! cargo run -p chatcore-examples --bin console_client -- --url ws://127.0.0.1:8080/ws --token TOKEN
//! ```
//!
//! A line is a message; `/person` asks for a person, `/quit` leaves. The tokens of the demo's people
//! are told by `GET /api/demo/people`. When the connection is lost the client comes back with what it
//! has, and sends again what has no outcome yet. `--check` does all of this against a server of its
//! own.

#![allow(clippy::print_stdout, reason = "a console is what it writes to")]
#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value that has no such field answers null"
)]

use std::{
    collections::BTreeMap,
    env,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use chatcore::clock::{Clock as _, SystemClock};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

/// What the client keeps while connections come and go.
struct Client {
    url: String,
    token: String,
    /// Commands are counted per author and device: a new run is a new device.
    device: String,
    /// The position of each stream: what `hello` resumes from.
    positions: BTreeMap<String, Value>,
    /// Commands without an outcome, by their number.
    unsettled: BTreeMap<u64, Value>,
    last_n: u64,
    /// Who the server says that we are.
    me: Value,
    dialog: Option<u64>,
    /// What was shown, for the check.
    shown: Vec<String>,
}

type Socket = WebSocketStream<TcpStream>;

impl Client {
    fn new(url: &str, token: &str) -> Self {
        Self {
            url: url.to_owned(),
            token: token.to_owned(),
            device: format!(
                "d-{}-{:x}",
                SystemClock.now().0,
                RandomState::new().hash_one(0)
            ),
            positions: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            last_n: 0,
            me: Value::Null,
            dialog: None,
            shown: Vec::new(),
        }
    }

    /// Connects, says `hello` with what it has, and sends what is not settled.
    async fn connect(&mut self) -> Result<Socket> {
        let mut request = self.url.as_str().into_client_request()?;
        let uri = request.uri().clone();
        let host = uri.host().context("the URL has no host")?;
        let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
        let protocol = "chatcore.v1".parse()?;
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let (mut socket, _) = client_async(request, stream).await?;
        let hello = json!({"hello": {
            "token": self.token, "device": self.device, "resume": self.positions,
        }});
        say(&mut socket, &hello).await?;
        let welcome = hear(&mut socket).await?;
        self.me = welcome["welcome"]["who"].clone();
        ensure!(self.me.is_object(), "not welcomed: {welcome}");
        for (n, command) in &self.unsettled {
            say(&mut socket, &self.frame(*n, command)).await?;
        }
        Ok(socket)
    }

    fn frame(&self, n: u64, command: &Value) -> Value {
        json!({"send": {"target": self.me, "n": n, "command": {"customer": command}}})
    }

    /// Sends a command under the next number; it is kept until its outcome arrives.
    async fn send(&mut self, socket: &mut Socket, command: Value) -> Result<()> {
        self.last_n += 1;
        let frame = self.frame(self.last_n, &command);
        self.unsettled.insert(self.last_n, command);
        say(socket, &frame).await
    }

    async fn write(&mut self, socket: &mut Socket, text: &str) -> Result<()> {
        let dialog = self.dialog.context("no dialog is open yet")?;
        let command = json!({"message": {
            "dialog": dialog, "body": {"text": text}, "reply_to": null, "owner_epoch": null,
        }});
        self.send(socket, command).await
    }

    /// Takes a frame of the server in.
    async fn take(&mut self, socket: &mut Socket, frame: &Value) -> Result<()> {
        if let Some(range) = frame.get("range") {
            let stream = text(&range["stream"]);
            if self.positions.get(&stream) != Some(&range["after"]) {
                bail!("a hole in {stream}: come back and resume");
            }
            self.positions.insert(stream, range["upto"].clone());
            for told in range["events"].as_array().into_iter().flatten() {
                if let Some(event) = told["event"].get("dialog") {
                    self.show(event);
                }
            }
        } else if let Some(reset) = frame.get("reset") {
            let stream = text(&reset["stream"]);
            if let Some(number) = stream.strip_prefix("dialog/") {
                self.dialog = number.parse().ok();
            }
            self.positions.insert(stream, reset["position"].clone());
        } else if let Some(left) = frame.get("left") {
            self.positions.remove(&text(&left["stream"]));
        } else if let Some(reply) = frame.get("reply") {
            let n = reply["n"].as_u64().unwrap_or_default();
            let outcome = &reply["reply"]["outcome"];
            if let Some(dialog) = outcome["accepted"]["dialog"].as_u64() {
                self.dialog = Some(dialog);
            } else if outcome["rejected"].is_object() {
                println!("! not done: {}", outcome["rejected"]);
            }
            self.unsettled.remove(&n);
            let settled = self.unsettled.keys().next().map_or(n, |lowest| lowest - 1);
            say(
                socket,
                &json!({"settle": {"target": self.me, "n": settled}}),
            )
            .await?;
        } else if frame.get("ping").is_some() {
            say(socket, &json!({"pong": {}})).await?;
        } else if let Some(error) = frame.get("error") {
            println!("! {}", error["text"]);
        }
        Ok(())
    }

    fn show(&mut self, event: &Value) {
        let line = if let Some(message) = event.get("message") {
            let body = &message["body"];
            let said = ["text", "quick_replies", "buttons"]
                .iter()
                .find_map(|kind| body.get(kind))
                .map_or_else(|| body.to_string(), |b| text(b.get("text").unwrap_or(b)));
            format!("{}: {said}", text(&message["author"]))
        } else {
            let name = event.as_object().and_then(|event| event.keys().next());
            format!("[{}]", name.cloned().unwrap_or_else(|| text(event)))
        };
        println!("{line}");
        self.shown.push(line);
    }
}

async fn say(socket: &mut Socket, frame: &Value) -> Result<()> {
    Ok(socket.send(Message::text(frame.to_string())).await?)
}

/// The next frame; an error when the connection is lost.
async fn hear(socket: &mut Socket) -> Result<Value> {
    loop {
        match socket.next().await.context("the connection is lost")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(why) => bail!("closed: {why:?}"),
            _ => {}
        }
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = env::args().collect();
    if args.iter().any(|arg| arg == "--check") {
        return check::check().await;
    }
    let option = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).map(String::as_str)
    };
    let url = option("--url").unwrap_or("ws://127.0.0.1:8080/ws");
    let token = option("--token").context("--token is missing")?;
    let mut client = Client::new(url, token);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut socket = client.connect().await?;
    let open = json!({"open": {"channel": "web", "topic": null}});
    client.send(&mut socket, open).await?;
    loop {
        let went_on = tokio::select! {
            line = lines.next_line() => match line?.as_deref() {
                None | Some("/quit") => return Ok(()),
                Some("/person") => {
                    let command = json!({"ask_person": {"dialog": client.dialog, "queue": null}});
                    client.send(&mut socket, command).await
                }
                Some(line) => client.write(&mut socket, line).await,
            },
            frame = hear(&mut socket) => match frame {
                Ok(frame) => client.take(&mut socket, &frame).await,
                Err(lost) => Err(lost),
            },
        };
        if let Err(lost) = went_on {
            println!("! {lost:#}; coming back");
            socket = come_back(&mut client).await?;
        }
    }
}

/// With growing, jittered waits.
async fn come_back(client: &mut Client) -> Result<Socket> {
    for attempt in 0..8 {
        let most = 500_u64 << attempt;
        sleep(Duration::from_millis(
            RandomState::new().hash_one(attempt) % most,
        ))
        .await;
        match client.connect().await {
            Ok(socket) => return Ok(socket),
            Err(error) => println!("! {error:#}"),
        }
    }
    bail!("gave up")
}

/// The client against a server in this process.
mod check {
    use anyhow::Context as _;
    use chatcore::{
        bot::{BotRules, RuleBot},
        chat::Chat,
        clock::{Clock as _, SystemClock},
        memory,
    };
    use chatcore_server::{
        http::accept::{AcceptLimits, serve},
        identity::{Claims, JwtAuthenticator, Role, TokenRules},
        routes,
        server::{Server, ServerOptions},
    };
    use tokio::net::TcpListener;
    use tokio_util::{sync::CancellationToken, task::TaskTracker};

    use super::{Arc, Client, Duration, Result, Socket, ensure, hear, json, timeout};

    /// How long the token lives.
    const HOUR: Duration = Duration::from_secs(3_600);

    pub(super) async fn check() -> Result<()> {
        let clock = Arc::new(SystemClock);
        let rules = TokenRules {
            secret: vec![1; 32],
            issuer: None,
            audience: None,
        };
        let tokens = Arc::new(JwtAuthenticator::try_new(rules, clock.clone())?);
        let chat = Chat::builder(memory::ports(4, clock.clone()))
            .with_bot(Arc::new(bot()?))
            .build()?;
        let server = Server::new(chat.clone(), tokens.clone(), ServerOptions::default());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("ws://{}/ws", listener.local_addr()?);
        let (stop, sockets) = (CancellationToken::new(), TaskTracker::new());
        let limits = AcceptLimits::default();
        let serving = serve(listener, routes(&server), limits, sockets, stop.clone());
        let act = async {
            let token = tokens.sign(Claims::new("anna", Role::Customer, clock.now().plus(HOUR)))?;
            talk(&mut Client::new(&url, &token)).await
        };
        tokio::select! {
            talked = act => talked,
            ended = chat.run(stop.clone()) => ended.map_err(Into::into),
            ended = serving => ended.map_err(Into::into),
        }
    }

    fn bot() -> Result<RuleBot> {
        Ok(RuleBot::try_new(BotRules {
            greeting: "good day".to_owned(),
            rules: Vec::new(),
            person_button: "A person".to_owned(),
            person_words: vec!["person".to_owned()],
            handing_over: "somebody will come".to_owned(),
            not_understood: "pardon".to_owned(),
            failures_max: 2,
            queue: None,
        })?)
    }

    async fn talk(client: &mut Client) -> Result<()> {
        let mut socket = client.connect().await?;
        let open = json!({"open": {"channel": "web", "topic": null}});
        client.send(&mut socket, open).await?;
        until(client, &mut socket, "bot: good day").await?;
        client.write(&mut socket, "a person please").await?;
        // Lost before anything is heard of it: it is sent again, and taken once.
        drop(socket);
        let mut socket = client.connect().await?;
        until(client, &mut socket, "[waiting]").await?;
        while !client.unsettled.is_empty() {
            let frame = timeout(Duration::from_secs(20), hear(&mut socket)).await??;
            client.take(&mut socket, &frame).await?;
        }
        let anna = r#"{"customer":"anna"}: a person please"#;
        let expected = [
            "[opened]",
            "bot: good day",
            anna,
            "bot: somebody will come",
            "[waiting]",
        ];
        ensure!(client.shown == expected, "{:?}", client.shown);
        Ok(())
    }

    async fn until(client: &mut Client, socket: &mut Socket, line: &str) -> Result<()> {
        while !client.shown.iter().any(|shown| shown == line) {
            let frame = timeout(Duration::from_secs(20), hear(socket)).await;
            let frame = frame.with_context(|| format!("waited in vain for {line}"))??;
            client.take(socket, &frame).await?;
        }
        Ok(())
    }
}
