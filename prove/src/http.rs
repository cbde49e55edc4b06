//! What is asked over HTTP: whether a node is ready, and that somebody is revoked.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const OK: &str = "HTTP/1.1 200";
const ANSWER: Duration = Duration::from_secs(3);

/// Whether the node at this address says that it is ready.
pub(crate) async fn is_ready(address: SocketAddr) -> bool {
    let request = "GET /readyz HTTP/1.1\r\nhost: prove\r\nconnection: close\r\n\r\n";
    let answer = timeout(ANSWER, ask(address, request)).await;
    matches!(answer, Ok(Ok(text)) if text.starts_with(OK))
}

/// Asks the node at this address to revoke; answers the body of its yes.
pub(crate) async fn revoke(address: SocketAddr, token: &str, body: &str) -> Option<String> {
    let length = body.len();
    let request = format!(
        "POST /api/revocations HTTP/1.1\r\nhost: prove\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let answer = timeout(ANSWER, ask(address, &request)).await.ok()?.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with(OK).then(|| body.to_owned())
}

async fn ask(address: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    socket.read_to_string(&mut text).await?;
    Ok(text)
}
