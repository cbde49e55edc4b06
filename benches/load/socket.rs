//! Sockets to the target.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, Utf8Bytes, client::IntoClientRequest as _, protocol::WebSocketConfig},
};

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// As the server's.
const BUFFER_BYTES: usize = 4 * 1024;
/// Past this, what is waited for does not come.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// A client says something at least every 25 s.
pub(crate) const SPEAK_EVERY: Duration = Duration::from_secs(15);
/// One loopback address has about 28,000 ports; closed ones are taken for a minute.
const SOURCES: usize = 16;

/// The device of all whose commands count; it says when it was made.
pub(crate) const DEVICE: &str = "d-1790000000000-load";
/// The subprotocol of chatcore; the relay has none.
pub(crate) const CHATCORE: Option<&str> = Some("chatcore.v1");

/// Connects the `number`th socket and makes it a WebSocket.
pub(crate) async fn connect(
    address: SocketAddr,
    number: usize,
    subprotocol: Option<&str>,
) -> Result<Socket> {
    connect_with(address, number, subprotocol, None).await
}

/// With a receive buffer of the kernel of so many bytes.
pub(crate) async fn connect_with(
    address: SocketAddr,
    number: usize,
    subprotocol: Option<&str>,
    receive_bytes: Option<u32>,
) -> Result<Socket> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    let source = u8::try_from(2 + number % SOURCES)?;
    socket.bind(SocketAddr::from(([127, 0, 0, source], 0)))?;
    let stream = timeout(LONG, socket.connect(address))
        .await
        .context("no connection within 60 s")??;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{address}/ws").into_client_request()?;
    if let Some(name) = subprotocol {
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", name.parse()?);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES);
    let upgraded = client_async_with_config(request, stream, Some(config));
    let (socket, _) = timeout(LONG, upgraded)
        .await
        .context("no WebSocket within 60 s")??;
    Ok(socket)
}

/// Sends a text and flushes it.
pub(crate) async fn say(socket: &mut Socket, text: impl Into<String>) -> Result<()> {
    Ok(socket.send(Message::text(text.into())).await?)
}

/// The next text.
pub(crate) async fn hear(socket: &mut Socket) -> Result<Utf8Bytes> {
    loop {
        let message = timeout(LONG, socket.next())
            .await
            .context("nothing heard for 60 s")?;
        match message.context("the socket has ended")?? {
            Message::Text(text) => return Ok(text),
            Message::Close(close) => bail!("closed by the server: {close:?}"),
            _ => {}
        }
    }
}

/// Hears until `find` finds something in a frame.
pub(crate) async fn until<T>(
    socket: &mut Socket,
    mut find: impl FnMut(&Value) -> Option<T>,
) -> Result<T> {
    let mut spoke = Instant::now();
    loop {
        let text = hear(socket).await?;
        // Who is told something all the time is never asked whether they are still there.
        if spoke.elapsed() > SPEAK_EVERY {
            spoke = Instant::now();
            say(socket, r#"{"ping":{}}"#).await?;
        }
        if text.starts_with(r#"{"ping""#) {
            say(socket, r#"{"pong":{}}"#).await?;
        }
        let frame: Value = serde_json::from_str(&text)?;
        // A stream that has to wait goes on by itself.
        if let Some(error) = frame.get("error")
            && error.get("stream").is_none()
        {
            bail!("the server says: {error}");
        }
        if let Some(found) = find(&frame) {
            return Ok(found);
        }
    }
}

/// Connects to chatcore and says hello; answers when it is welcome.
pub(crate) async fn enter(
    address: SocketAddr,
    number: usize,
    token: &str,
    device: &str,
    resume: &Value,
) -> Result<Socket> {
    let mut socket = connect(address, number, CHATCORE).await?;
    say(&mut socket, hello(token, device, resume)).await?;
    until(&mut socket, |frame| frame.get("welcome").map(drop)).await?;
    Ok(socket)
}

pub(crate) fn hello(token: &str, device: &str, resume: &Value) -> String {
    let hello = serde_json::json!({"hello": {"token": token, "device": device, "resume": resume}});
    hello.to_string()
}
