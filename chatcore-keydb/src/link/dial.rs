//! Connections to one server.

use std::{fmt, io, pin::Pin};

use chatcore::error::Result;
use redis::{
    AsyncConnectionConfig, Pipeline, ProtocolVersion, RedisConnectionInfo, Value,
    aio::{MultiplexedConnection, PubSub},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use crate::{
    address::{HostPort, Login},
    config::Config,
    error::{from_connecting, unsent},
};

const CONNECT: &str = "connect to the store";
/// Commands that wait to be written to one connection.
const UNWRITTEN_MAX: usize = 1_024;

/// What brings bytes to a connection and back; it must be run, and closes the socket when dropped.
pub(crate) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection and its driver.
pub(crate) struct Dialled {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) driver: Driver,
}

impl fmt::Debug for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialled").finish_non_exhaustive()
    }
}

fn info(login: Option<&Login>) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP2)
        // KeyDB does not have the command.
        .set_skip_set_lib_name();
    if let Some(login) = login {
        info = info.set_password(login.password.expose());
        if let Some(user) = &login.user {
            info = info.set_username(user);
        }
    }
    info
}

type Stream = Either<TcpStream, TlsStream<TcpStream>>;

async fn stream(config: &Config, server: &HostPort) -> Result<Stream> {
    let connecting = async {
        let stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
        stream.set_nodelay(true)?;
        match &config.tls {
            None => Ok(Either::Left(stream)),
            Some(tls) => tls.connect(server, stream).await.map(Either::Right),
        }
    };
    let connected = timeout(config.connect_max, connecting).await;
    let stream = connected
        .map_err(|_| unsent(CONNECT, "no answer in time"))
        .and_then(|stream| stream.map_err(|e: io::Error| from_connecting(CONNECT, e.into())));
    stream.map_err(|error| error.with_context("address", server))
}

/// A multiplexed connection, logged in.
pub(crate) async fn dial(
    config: &Config,
    server: &HostPort,
    login: Option<&Login>,
) -> Result<Dialled> {
    let stream = stream(config, server).await?;
    // Time limits are kept by who calls: what is late costs the whole connection.
    let limits = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(None)
        .set_pipeline_buffer_size(UNWRITTEN_MAX);
    let info = info(login);
    let opening = MultiplexedConnection::new_with_config(&info, stream, limits);
    let opened = timeout(config.connect_max, opening).await;
    let opened = opened
        .map_err(|_| unsent(CONNECT, "no answer in time"))
        .and_then(|opened| opened.map_err(|e| from_connecting(CONNECT, e)));
    let (connection, driver) = opened.map_err(|error| error.with_context("address", server))?;
    Ok(Dialled {
        connection,
        driver: Box::pin(driver),
    })
}

/// A connection that only receives.
pub(crate) async fn dial_subscriber(
    config: &Config,
    server: &HostPort,
    login: Option<&Login>,
) -> Result<PubSub> {
    let stream = stream(config, server).await?;
    let info = info(login);
    let opened = timeout(config.connect_max, PubSub::new(&info, stream)).await;
    let opened = opened
        .map_err(|_| unsent(CONNECT, "no answer in time"))
        .and_then(|opened| opened.map_err(|e| from_connecting(CONNECT, e)));
    opened.map_err(|error| error.with_context("address", server))
}

/// Asks on a connection whose driver is run here, within the time limit for answers.
pub(crate) async fn ask(
    config: &Config,
    connection: &mut MultiplexedConnection,
    questions: &Pipeline,
) -> Result<Vec<Value>> {
    let count = questions.len();
    let asking = connection.send_packed_commands(questions, 0, count);
    match timeout(config.answer_max, asking).await {
        Err(_) => Err(unsent(CONNECT, "no answer in time")),
        Ok(answered) => answered.map_err(|error| from_connecting(CONNECT, error)),
    }
}
