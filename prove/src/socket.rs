//! A WebSocket to a gateway.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use chatcore_server::protocol::{ClientFrame, ErrorCode, ServerFrame, Welcome};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

/// How long a step of connecting may take.
const CONNECT: Duration = Duration::from_secs(3);
/// A frame that can't be written for so long is never going to be.
const WRITE: Duration = Duration::from_secs(3);

/// A WebSocket to a gateway.
#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<TcpStream>);

/// What a socket says.
#[derive(Debug)]
pub(crate) enum Heard {
    Frame(Box<ServerFrame>),
    /// With the number of the close, if the server said it.
    Closed(Option<u16>),
}

impl Socket {
    /// Connects and says hello; answers once it is welcome, or was refused.
    pub(crate) async fn enter(
        address: SocketAddr,
        hello: &ClientFrame,
    ) -> Result<std::result::Result<(Self, Welcome), ErrorCode>> {
        let stream = timeout(CONNECT, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{address}/ws").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "chatcore.v1".parse()?);
        let (socket, _) = timeout(CONNECT, client_async(request, stream)).await??;
        let mut socket = Self(socket);
        socket.say(hello).await?;
        match timeout(CONNECT, socket.hear()).await?? {
            Heard::Frame(frame) => match *frame {
                ServerFrame::Welcome(welcome) => Ok(Ok((socket, welcome))),
                ServerFrame::Error(wrong) => Ok(Err(wrong.code)),
                other => bail!("expected welcome, heard {}", other.kind()),
            },
            Heard::Closed(code) => bail!("closed with {code:?} instead of a welcome"),
        }
    }

    /// Writes a frame and flushes it.
    pub(crate) async fn say(&mut self, frame: &ClientFrame) -> Result<()> {
        let text = serde_json::to_string(frame)?;
        timeout(WRITE, self.0.send(Message::text(text))).await??;
        Ok(())
    }

    /// The next frame. Cancel safe.
    ///
    /// # Errors
    /// For a frame that no client could read.
    pub(crate) async fn hear(&mut self) -> Result<Heard> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    let frame = serde_json::from_str(&text)
                        .with_context(|| format!("a frame that can't be read: {text}"))?;
                    return Ok(Heard::Frame(Box::new(frame)));
                }
                Some(Ok(Message::Close(close))) => {
                    return Ok(Heard::Closed(close.map(|close| close.code.into())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(Heard::Closed(None)),
            }
        }
    }
}
