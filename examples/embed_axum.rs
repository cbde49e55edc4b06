//! chatcore inside a service of one's own: its routes beside the bank's, its chat driven by `run`.
//!
//! ```text
//! CHAT_SECRET=$(openssl rand -hex 32) cargo run -p chatcore-examples --bin embed_axum
//! ```
//!
//! `--check` serves on a free port, says `hello` over WebSocket and leaves.

use std::{env, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, routing::get};
use chatcore::{
    chat::Chat,
    clock::{Clock as _, SystemClock},
    ids::DeskId,
    memory,
};
use chatcore_server::{
    http::accept::{AcceptLimits, serve},
    identity::{Claims, JwtAuthenticator, Role, TokenRules, demo_desk},
    routes,
    server::{Server, ServerOptions},
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// All that embedding takes. Ends when told to, after everybody was asked to come back elsewhere.
async fn service(
    listener: TcpListener,
    tokens: Arc<JwtAuthenticator>,
    stop: CancellationToken,
) -> Result<()> {
    // `chatcore_embedded::Embedded::open` has ports that outlive the process.
    let chat = Chat::builder(memory::ports(12, Arc::new(SystemClock)))
        .with_desk(DeskId::try_new("main")?, demo_desk()?)
        .build()?;
    let options = ServerOptions {
        drain_timeout: Duration::from_secs(10),
        ..ServerOptions::default()
    };
    let server = Server::new(chat.clone(), tokens, options);
    let app = Router::new()
        .route("/rates", get(|| async { "the bank's own page" }))
        .merge(routes(&server));
    let (chat_stop, sockets) = (CancellationToken::new(), TaskTracker::new());
    let limits = AcceptLimits::default();
    let accept = serve(listener, app, limits, sockets.clone(), stop.clone());
    let leave = async {
        stop.cancelled().await;
        server.drain();
        server.tasks().close();
        server.tasks().wait().await;
        chat_stop.cancel();
    };
    let (accepted, ran, ()) = tokio::join!(accept, chat.run(chat_stop.clone()), leave);
    sockets.close();
    sockets.wait().await;
    Ok(accepted.and(Ok(ran?))?)
}

#[tokio::main]
async fn main() -> Result<()> {
    let stop = CancellationToken::new();
    if env::args().any(|arg| arg == "--check") {
        let tokens = tokens("0123456789abcdef0123456789abcdef")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let check = async {
            let checked = says_hello(&address, &tokens).await;
            stop.cancel();
            checked
        };
        let (served, checked) =
            tokio::join!(service(listener, tokens.clone(), stop.clone()), check);
        return checked.and(served);
    }
    let secret = env::var("CHAT_SECRET").context("CHAT_SECRET: at least 32 bytes are expected")?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    let ctrl_c = async {
        let pressed = tokio::signal::ctrl_c().await;
        stop.cancel();
        pressed
    };
    let (served, pressed) = tokio::join!(service(listener, tokens(&secret)?, stop.clone()), ctrl_c);
    pressed?;
    served
}

/// Checks tokens that the bank signs with the same secret.
fn tokens(secret: &str) -> Result<Arc<JwtAuthenticator>> {
    let rules = TokenRules {
        secret: secret.as_bytes().to_vec(),
        issuer: None,
        audience: None,
    };
    let clock = Arc::new(SystemClock);
    Ok(Arc::new(JwtAuthenticator::try_new(rules, clock)?))
}

/// How long a token of the check lives.
const HOUR: Duration = Duration::from_secs(3_600);

/// The check: a customer is welcomed.
async fn says_hello(address: &str, tokens: &JwtAuthenticator) -> Result<()> {
    let token = tokens.sign(Claims::new(
        "anna",
        Role::Customer,
        SystemClock.now().plus(HOUR),
    ))?;
    let mut request = format!("ws://{address}/ws").into_client_request()?;
    let protocol = "chatcore.v1".parse()?;
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let stream = TcpStream::connect(address).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    let hello = serde_json::json!({"hello": {"token": token, "device": "d1", "resume": {}}});
    socket.send(Message::text(hello.to_string())).await?;
    let answer = tokio::time::timeout(Duration::from_secs(20), socket.next()).await?;
    let answer = answer.context("the socket was closed")??.into_text()?;
    ensure!(answer.contains("\"welcome\""), "{answer}");
    socket.close(None).await?;
    Ok(())
}
