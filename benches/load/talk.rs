//! Dialogs: a customer's socket, its operator's socket, and what went between them.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, task::Poll};

use anyhow::{Context as _, Result, bail};
use chatcore_server::identity::Role;
use futures_util::{SinkExt as _, StreamExt as _, future::poll_fn};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    frames::{Heard, Pen, heard, marks},
    options::Kind,
    socket::{DEVICE, SPEAK_EVERY, Socket, connect, enter, say, until},
    target::Target,
};

/// Outcomes after which a client says that they have arrived.
const SETTLE_EVERY: u64 = 16;
/// Sockets of the set-up that connect at the same time.
const CONNECTING_MAX: usize = 64;

/// A dialog under load.
#[derive(Debug)]
pub(crate) struct Talk {
    kind: Kind,
    /// The customer's socket, and the other one.
    near: Socket,
    far: Socket,
    dialog: u64,
    pen: Pen,
    /// The number of the message with mark 0.
    first_n: u64,
    /// Messages sent, delivered at the other side, durable and answered: each is a count.
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    pub(crate) durable: u64,
    pub(crate) answered: u64,
    told_settled: u64,
    echoed: u64,
    positions: [u64; 2],
    /// Frames to and from the server.
    pub(crate) frames_out: u64,
    pub(crate) frames_in: u64,
    owes_pong: [bool; 2],
    far_spoke: Instant,
}

impl Talk {
    /// The dialog's number.
    pub(crate) fn dialog(&self) -> u64 {
        self.dialog
    }

    /// Messages that are not yet delivered and answered.
    pub(crate) fn under_way(&self) -> u64 {
        let done = match self.kind {
            Kind::Relay => self.delivered,
            Kind::Chatcore => self.delivered.min(self.answered),
        };
        self.sent - done
    }

    /// Sends so many messages with one flush.
    pub(crate) async fn say(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            let text = self.pen.message(self.first_n + self.sent, self.sent);
            self.near.feed(Message::text(text)).await?;
            self.sent += 1;
            self.frames_out += 1;
        }
        if self.kind == Kind::Chatcore && self.answered >= self.told_settled + SETTLE_EVERY {
            self.told_settled = self.answered;
            let settle = self.pen.settle(self.first_n + self.answered - 1);
            self.near.feed(Message::text(settle)).await?;
            self.frames_out += 1;
        }
        if std::mem::take(&mut self.owes_pong[0]) {
            self.near.feed(Message::text(r#"{"pong":{}}"#)).await?;
        }
        // Who is told something all the time is never asked whether they are still there.
        let is_silent = self.kind == Kind::Chatcore && self.far_spoke.elapsed() > SPEAK_EVERY;
        if std::mem::take(&mut self.owes_pong[1]) || is_silent {
            self.far_spoke = Instant::now();
            say(&mut self.far, r#"{"pong":{}}"#).await?;
        }
        Ok(self.near.flush().await?)
    }

    /// Waits until something is heard, and takes all that is there.
    pub(crate) async fn hear(&mut self) -> Result<()> {
        poll_fn(|cx| {
            let mut any = false;
            for side in 0..2 {
                loop {
                    let socket = if side == 0 {
                        &mut self.near
                    } else {
                        &mut self.far
                    };
                    match socket.poll_next_unpin(cx) {
                        Poll::Ready(Some(Ok(Message::Text(text)))) => {
                            any = true;
                            if let Err(error) = self.take(side, &text) {
                                return Poll::Ready(Err(error));
                            }
                        }
                        Poll::Ready(Some(Ok(Message::Close(close)))) => {
                            return Poll::Ready(Err(anyhow::anyhow!("closed: {close:?}")));
                        }
                        Poll::Ready(Some(Ok(_))) => {}
                        Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                        Poll::Ready(None) => {
                            return Poll::Ready(Err(anyhow::anyhow!("a socket has ended")));
                        }
                        Poll::Pending => break,
                    }
                }
            }
            if any {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// Takes a frame, and checks that nothing is lost, repeated or out of order.
    fn take(&mut self, side: usize, text: &str) -> Result<()> {
        self.frames_in += 1;
        match heard(text) {
            Heard::Range(after, upto) => {
                if self.positions[side] != after {
                    bail!("a range that does not join: {text}");
                }
                self.positions[side] = upto;
                self.count(side, text)?;
            }
            Heard::Passed => self.count(side, text)?,
            Heard::Durable(n) => self.durable = (n + 1).saturating_sub(self.first_n),
            Heard::Reply(n, true) if n == self.first_n + self.answered => self.answered += 1,
            // Of the set-up.
            Heard::Reply(n, true) if n < self.first_n => {}
            Heard::Reply(..) => bail!("not the outcome that was expected: {text}"),
            Heard::Ping => self.owes_pong[side] = true,
            Heard::Error if !text.contains("\"stream\":") => bail!("the server says: {text}"),
            Heard::Error => {}
            Heard::Other => {}
        }
        Ok(())
    }

    fn count(&mut self, side: usize, text: &str) -> Result<()> {
        for mark in marks(text) {
            let next = if side == 0 {
                &mut self.echoed
            } else {
                &mut self.delivered
            };
            if mark != *next {
                bail!("message {mark} where {next} was expected");
            }
            *next += 1;
        }
        Ok(())
    }
}

/// A socket of the set-up with its dialog and position.
struct Seat {
    socket: Socket,
    dialog: u64,
    position: u64,
}

/// Sets up the dialogs: each customer with an operator who has it.
pub(crate) async fn talks(target: &Target, count: usize) -> Result<Vec<Talk>> {
    match target.kind {
        Kind::Relay => rooms(target, count).await,
        Kind::Chatcore => dialogs(target, count).await,
    }
}

/// The customer of a dialog's number in the run.
pub(crate) fn customer(i: usize) -> String {
    format!("c{i}")
}

async fn rooms(target: &Target, count: usize) -> Result<Vec<Talk>> {
    let mut talks = Vec::with_capacity(count);
    for i in 0..count {
        let mut sides = Vec::with_capacity(2);
        for side in 0..2 {
            let mut socket = connect(target.address, 2 * i + side, None).await?;
            say(&mut socket, format!("room {i}")).await?;
            until(&mut socket, |frame| frame.get("joined").map(drop)).await?;
            sides.push(socket);
        }
        let (far, near) = (sides.pop(), sides.pop());
        let (near, far) = near.zip(far).context("two sides")?;
        let seat = |socket| Seat {
            socket,
            dialog: u64::try_from(i).unwrap_or_default(),
            position: 0,
        };
        talks.push(talk(Kind::Relay, &customer(i), 1, seat(near), seat(far)));
    }
    Ok(talks)
}

fn talk(kind: Kind, customer: &str, first_n: u64, near: Seat, far: Seat) -> Talk {
    Talk {
        kind,
        dialog: near.dialog,
        pen: Pen::new(customer, near.dialog),
        positions: [near.position, far.position],
        near: near.socket,
        far: far.socket,
        first_n,
        sent: 0,
        delivered: 0,
        durable: 0,
        answered: 0,
        told_settled: 0,
        echoed: 0,
        frames_out: 0,
        frames_in: 0,
        owes_pong: [false; 2],
        far_spoke: Instant::now(),
    }
}

async fn dialogs(target: &Target, count: usize) -> Result<Vec<Talk>> {
    let address = target.address;
    let mut operators = JoinSet::new();
    // One after another: a room full of operators that come at once is another measurement.
    for i in 0..count {
        let id = format!("o{i}");
        let token = target.token(&id, Role::Operator)?;
        let mut socket = enter(target.far, i, &token, DEVICE, &json!({})).await?;
        let status = json!({"status": {"operator": id, "status": "available"}});
        let send = json!({"send": {
            "target": {"desk": "main"}, "n": 1, "command": {"desk": status},
        }});
        say(&mut socket, send.to_string()).await?;
        operators.spawn(seated(socket, "operator"));
    }
    let mut customers = JoinSet::new();
    let room = Arc::new(tokio::sync::Semaphore::new(CONNECTING_MAX));
    for i in 0..count {
        let token = target.customer(&customer(i))?;
        let room = Arc::clone(&room);
        customers.spawn(async move {
            let _permit = room.acquire_owned().await?;
            let socket = ask(address, i, &token).await?;
            Ok::<_, anyhow::Error>((i, seated(socket, "customer").await?))
        });
    }
    let mut near = HashMap::new();
    while let Some(seat) = customers.join_next().await {
        let (i, seat) = seat??;
        near.insert(seat.dialog, (i, seat));
    }
    let mut talks = Vec::with_capacity(count);
    while let Some(far) = operators.join_next().await {
        let far = far??;
        let (i, near) = near.remove(&far.dialog).context("a dialog of nobody")?;
        talks.push(talk(Kind::Chatcore, &customer(i), 3, near, far));
    }
    Ok(talks)
}

/// A customer who opens a dialog and asks for a person.
async fn ask(address: SocketAddr, i: usize, token: &str) -> Result<Socket> {
    let id = customer(i);
    let mut socket = enter(address, i, token, DEVICE, &json!({})).await?;
    let dialog = open(&mut socket, &id, |_| Ok(())).await?;
    let ask = json!({"ask_person": {"dialog": dialog, "queue": null}});
    say(&mut socket, command(&id, 2, &ask)).await?;
    Ok(socket)
}

/// Opens the customer's dialog; `each` sees what is heard meanwhile.
pub(crate) async fn open(
    socket: &mut Socket,
    id: &str,
    mut each: impl FnMut(&Value) -> Result<()>,
) -> Result<u64> {
    let open = json!({"open": {"channel": "web", "topic": null}});
    say(socket, command(id, 1, &open)).await?;
    until(socket, |frame| {
        if let Err(error) = each(frame) {
            return Some(Err(error));
        }
        let accepted = frame.pointer("/reply/reply/outcome/accepted/dialog")?;
        accepted.as_u64().map(Ok)
    })
    .await?
}

fn command(customer: &str, n: u64, command: &Value) -> String {
    let target = json!({"customer": customer});
    json!({"send": {"target": target, "n": n, "command": {"customer": command}}}).to_string()
}

/// Waits until the socket has heard that its dialog has an owner.
async fn seated(mut socket: Socket, who: &str) -> Result<Seat> {
    let mut position = 0;
    let mut replies = 0;
    let found = until(&mut socket, |frame| {
        replies += u64::from(frame.get("reply").is_some());
        let (stream, at, is_owned) = if let Some(reset) = frame.get("reset") {
            let owner = reset.pointer("/dialog/owner")?;
            (reset, reset.pointer("/position/seq")?, owner.is_string())
        } else {
            let range = frame.get("range")?;
            let events = range.get("events")?.as_array()?;
            let owned = |e: &Value| e.pointer("/event/dialog/assigned").is_some();
            (range, range.pointer("/upto/seq")?, events.iter().any(owned))
        };
        let name = stream.get("stream")?.as_str()?.strip_prefix("dialog/")?;
        position = at.as_u64()?;
        (is_owned || who == "operator").then_some(name.parse().ok())?
    });
    let dialog = found.await.with_context(|| format!("seating a {who}"))?;
    Ok(Seat {
        socket,
        dialog,
        position,
    })
}
