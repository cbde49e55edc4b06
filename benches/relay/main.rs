//! The bound: a relay that does nothing but read a frame of one socket and write it to the others
//! of its room. No rights, no numbers, no history, no outcome. Same runtime, library and buffers as
//! the server's.
//!
//! The first frame of a socket names its room and is answered with `joined`. Prints
//! `listening on http://ADDRESS` like the server.
#![allow(
    clippy::print_stdout,
    reason = "whoever started it waits for the address"
)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use anyhow::Result;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _, stream::SplitSink};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{Message, Utf8Bytes, protocol::WebSocketConfig},
};
use tokio_util::task::TaskTracker;

/// As the server's.
const READ_BUFFER_BYTES: usize = 2 * 1024;
const WRITE_BUFFER_BYTES: usize = 4 * 1024;
/// Frames that wait for one socket.
const WAITING_MAX: usize = 64;

type Member = (u64, mpsc::Sender<Utf8Bytes>);

#[derive(Default)]
struct Room(RwLock<Vec<Member>>);

#[derive(Default)]
struct Rooms(Mutex<HashMap<String, Arc<Room>>>);

impl Rooms {
    fn join(&self, name: &str, member: Member) -> Arc<Room> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = Arc::clone(rooms.entry(name.to_owned()).or_default());
        drop(rooms);
        let mut members = room.0.write().unwrap_or_else(PoisonError::into_inner);
        members.push(member);
        drop(members);
        room
    }
}

impl Room {
    fn others(&self, me: u64) -> Vec<mpsc::Sender<Utf8Bytes>> {
        let members = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let others = members.iter().filter(|(id, _)| *id != me);
        others.map(|(_, sender)| sender.clone()).collect()
    }

    fn leave(&self, me: u64) {
        let mut members = self.0.write().unwrap_or_else(PoisonError::into_inner);
        members.retain(|(id, _)| *id != me);
    }
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(accept())
}

async fn accept() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let rooms = Arc::new(Rooms::default());
    let tasks = TaskTracker::new();
    for id in 0.. {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (rooms, spawner) = (Arc::clone(&rooms), tasks.clone());
        tasks.spawn(async move {
            // A socket that breaks off ends its own task, nothing else.
            let _ = serve(stream, id, &rooms, &spawner).await;
        });
    }
    Ok(())
}

async fn serve(stream: TcpStream, id: u64, rooms: &Rooms, tasks: &TaskTracker) -> Result<()> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    let Some(Ok(Message::Text(name))) = socket.next().await else {
        return Ok(());
    };
    let (sender, waiting) = mpsc::channel(WAITING_MAX);
    let room = rooms.join(&name, (id, sender));
    socket.send(Message::text(r#"{"joined":{}}"#)).await?;
    let (sink, mut stream) = socket.split();
    tasks.spawn(async move {
        let _ = write(sink, waiting).await;
    });
    while let Some(Ok(message)) = stream.next().await {
        if let Message::Text(text) = message {
            for other in room.others(id) {
                // Gone: nobody to send to.
                let _ = other.send(text.clone()).await;
            }
        }
    }
    room.leave(id);
    Ok(())
}

async fn write(
    mut sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    mut waiting: mpsc::Receiver<Utf8Bytes>,
) -> Result<()> {
    while let Some(text) = waiting.recv().await {
        sink.feed(Message::Text(text)).await?;
        while let Some(Some(text)) = waiting.recv().now_or_never() {
            sink.feed(Message::Text(text)).await?;
        }
        sink.flush().await?;
    }
    Ok(())
}
