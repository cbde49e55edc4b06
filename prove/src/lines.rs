//! A small proxy before each gateway: its connections can be cut, slowed, or go dead.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};
use tokio_util::task::TaskTracker;

/// How a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Line {
    /// What comes goes on at once.
    #[default]
    Open,
    /// Nothing connects, and what was connected ends.
    Cut,
    /// What comes goes on later.
    Slow(Duration),
    /// What people say arrives; nothing comes back. Both ends believe to be connected.
    NoWayBack,
    /// Nothing passes either way, and both ends believe to be connected.
    Dead,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    Back,
}

/// A line to one server.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Where people connect.
    pub(crate) address: SocketAddr,
    state: watch::Sender<Line>,
}

impl Proxy {
    /// Listens, and passes on to `server` until this is dropped.
    pub(crate) async fn start(server: SocketAddr, tasks: &TaskTracker) -> Result<Arc<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = watch::Sender::new(Line::Open);
        let seen = state.subscribe();
        let inner = tasks.clone();
        tasks.spawn(accept(listener, server, seen, inner));
        Ok(Arc::new(Self { address, state }))
    }

    pub(crate) fn set(&self, line: Line) {
        self.state.send_replace(line);
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    mut state: watch::Receiver<Line>,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = is_over(&mut state) => return,
        };
        let Ok((near, _)) = accepted else { continue };
        if *state.borrow() == Line::Cut {
            continue;
        }
        let Ok(far) = TcpStream::connect(server).await else {
            continue;
        };
        // Without it small frames wait for the other side.
        if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
            continue;
        }
        let (near_read, near_write) = near.into_split();
        let (far_read, far_write) = far.into_split();
        tasks.spawn(pass(near_read, far_write, Way::ToServer, state.clone()));
        tasks.spawn(pass(far_read, near_write, Way::Back, state.clone()));
    }
}

/// Ends when the proxy was dropped.
async fn is_over(state: &mut watch::Receiver<Line>) {
    while state.changed().await.is_ok() {}
}

/// Ends when the line is cut or the proxy was dropped.
async fn is_cut(state: &mut watch::Receiver<Line>) {
    // An error says that it was dropped.
    let _ = state.wait_for(|line| *line == Line::Cut).await;
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    state: watch::Receiver<Line>,
) {
    let mut cut = state.clone();
    tokio::select! {
        () = is_cut(&mut cut) => {}
        () = pass_all(&mut from, &mut to, way, state) => {}
    }
}

async fn pass_all(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    way: Way,
    mut state: watch::Receiver<Line>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let holds = |line: &Line| match line {
            Line::Dead => true,
            Line::NoWayBack => way == Way::Back,
            _ => false,
        };
        if state.wait_for(|line| !holds(line)).await.is_err() {
            return;
        }
        let line = *state.borrow();
        if let Line::Slow(by) = line {
            tokio::time::sleep(by).await;
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
