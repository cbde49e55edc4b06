//! The one question asked over HTTP.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const ANSWER: Duration = Duration::from_secs(3);

/// Whether the node at this address says that it is ready.
pub(crate) async fn is_ready(address: SocketAddr) -> bool {
    let answer = timeout(ANSWER, ask(address)).await;
    matches!(answer, Ok(Ok(text)) if text.starts_with("HTTP/1.1 200"))
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    let request = "GET /readyz HTTP/1.1\r\nhost: prove\r\nconnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    socket.read_to_string(&mut text).await?;
    Ok(text)
}
