//! The running server's side: a socket in the data folder, one line asked and one answered.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use chatcore::ports::Ports;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{Answer, Request, handle};

/// How long one question may take, asked, done and answered.
const QUESTION: Duration = Duration::from_secs(30);
/// Longest question.
const QUESTION_BYTES_MAX: u64 = 1_024;
/// Longest answer that is read: a thousand letters.
const ANSWER_BYTES_MAX: u64 = 16 * 1_024 * 1_024;
/// Before the next `accept` after one that failed.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The folder is for the owner alone, before the socket is there.
fn place(data: &Path) -> PathBuf {
    data.join("admin").join("socket")
}

/// Answers questions about dead letters until the end, one at a time. A folder that can't have a
/// socket (its path is too long, its file system knows none) keeps nobody from chatting: that is
/// told, and the questions wait until the server is stopped.
pub(crate) async fn serve(data: PathBuf, ports: Ports, until: CancellationToken) {
    let path = place(&data);
    match bind(&path) {
        Ok(listener) => {
            until
                .run_until_cancelled(answer_all(&listener, &ports))
                .await;
            // Whoever comes now opens the folder, or is told that it is taken.
            let _ = fs::remove_file(&path);
        }
        Err(error) => {
            tracing::warn!(%error, "no questions about dead letters while this server runs");
            until.cancelled().await;
        }
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    // Left by a server that was killed: this one has the folder's lock, so nobody listens there.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path)
}

async fn answer_all(listener: &UnixListener, ports: &Ports) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match timeout(QUESTION, answer(stream, ports)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a question about dead letters was cut off")
                }
                Err(_) => tracing::warn!("a question about dead letters took too long"),
            },
            Err(error) => {
                tracing::warn!(%error, "a question about dead letters could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(mut stream: UnixStream, ports: &Ports) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(QUESTION_BYTES_MAX))
        .read_line(&mut line)
        .await?;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(request) => handle(ports, request).await,
        Err(error) => Answer::Failed(format!("the question can't be read: {error}")),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    write.shutdown().await
}

/// Asks the server that has this folder; none when no server answers there.
pub(super) async fn ask(data: &Path, request: Request) -> io::Result<Option<Answer>> {
    let mut stream = match UnixStream::connect(place(data)).await {
        Ok(stream) => stream,
        Err(error) if is_nobody(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let asked = async {
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = String::new();
        stream
            .take(ANSWER_BYTES_MAX)
            .read_to_string(&mut answer)
            .await?;
        Ok(Some(serde_json::from_str(&answer)?))
    };
    timeout(QUESTION, asked)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}
