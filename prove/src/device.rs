//! A device of a person: what it has of streams, what it said, and the socket it has.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Result;
use chatcore::{
    ids::{DeviceId, DialogId, Target},
    record::{CommandId, Reply},
    simulation::{Connection, Sent, ShownEvent, Viewer, What, history::digest_of},
};
use chatcore_server::protocol::{
    ClientFrame, ClientPosition, Close, ErrorCode, Hello, ResetWhy, Secret, ServerFrame,
    StreamName, StreamReset, Wrong,
};
use tokio::{sync::watch, time::Instant};

use crate::{
    outgoing::{Goes, Outgoing, RETRY},
    people::Person,
    socket::{Heard, Socket},
    view::Views,
    wallet::{Signer, Wallet},
    world::{Orders, Status, World},
};

/// How often it looks what there is to do.
const LOOK: Duration = Duration::from_millis(50);
/// How long it waits before it tries the next gateway.
const AGAIN: Duration = Duration::from_millis(200);
/// After so long without a word it asks for one.
const ASK_AFTER: Duration = Duration::from_secs(2);
/// After so long without a word it leaves for another gateway.
const LEAVE_AFTER: Duration = Duration::from_secs(5);
/// How often it says that outcomes have arrived.
const SETTLE_EVERY: Duration = Duration::from_secs(2);

/// A device of a person.
pub(crate) struct Device {
    world: Arc<World>,
    orders: watch::Receiver<Orders>,
    person: Person,
    name: String,
    /// How often it forgot what it was, and began as another one.
    renewed: u32,
    wallet: Wallet,
    next_gateway: usize,
    views: Views,
    outgoing: BTreeMap<Target, Outgoing>,
    /// What it said to have arrived.
    told_settled: BTreeMap<Target, u64>,
}

/// A connection that stands.
struct Live {
    socket: Socket,
    connection: Connection,
    heard_at: Instant,
    asked_at: Instant,
    settled_at: Instant,
    storm: u64,
}

/// Why a connection is not used any more.
enum Ended {
    /// It was lost, or is left.
    Lost,
    /// What this device said before can't be learnt any more.
    Renew,
    /// It closed, for this reason.
    Closed(Option<u16>),
    /// People have nothing more to do.
    Over,
}

impl Device {
    pub(crate) fn new(
        world: Arc<World>,
        person: Person,
        name: String,
        signer: Signer,
        first_gateway: usize,
    ) -> Self {
        let orders = world.orders.subscribe();
        let wallet = Wallet::new(signer, person.who.clone(), name.clone());
        Self {
            world,
            orders,
            person,
            name,
            renewed: 0,
            wallet,
            next_gateway: first_gateway,
            views: Views::default(),
            outgoing: BTreeMap::new(),
            told_settled: BTreeMap::new(),
        }
    }

    /// Connects, talks and comes back, until all are told to end.
    ///
    /// # Errors
    /// For a frame that no client could read, or a name that is none.
    pub(crate) async fn run(mut self) -> Result<()> {
        loop {
            if self.orders.borrow().end {
                return Ok(());
            }
            let Some(mut live) = self.connect().await? else {
                self.tell(false);
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            let ended = self.live(&mut live).await?;
            let code = match ended {
                Ended::Over => return Ok(()),
                Ended::Closed(code) => {
                    if code == Some(Close::Revoked.code()) {
                        self.wallet.refused();
                    }
                    code
                }
                Ended::Lost | Ended::Renew => None,
            };
            self.world
                .saw(Some(&live.connection), What::Disconnected { code });
            for outgoing in self.outgoing.values_mut() {
                outgoing.unsay(1, None);
            }
            if matches!(ended, Ended::Renew) {
                self.renew()?;
            }
            self.tell(false);
        }
    }

    fn id(&self) -> Result<DeviceId> {
        Ok(DeviceId::try_new(format!(
            "{}.{}",
            self.name, self.renewed
        ))?)
    }

    async fn connect(&mut self) -> Result<Option<Live>> {
        let gateways = &self.world.gateways;
        let at = self.next_gateway % gateways.len().max(1);
        self.next_gateway += 1;
        let Some(address) = gateways.get(at).copied() else {
            return Ok(None);
        };
        let resume = self.views.streams.iter().map(|(stream, at)| {
            let position = ClientPosition {
                seq: at.seq,
                hash: at.hash,
            };
            (StreamName(stream.clone()), position)
        });
        let shown = self.wallet.shown(self.is_calm())?;
        let hello = ClientFrame::Hello(Hello {
            token: Secret(shown.token),
            device: self.id()?,
            locale: None,
            traceparent: None,
            resume: resume.collect(),
        });
        let storm = self.orders.borrow().storm;
        let (socket, welcome) = match Socket::enter(address, &hello).await {
            Ok(Ok(entered)) => entered,
            Ok(Err(ErrorCode::Forbidden)) => {
                self.wallet.refused();
                return Ok(None);
            }
            // Dead, leaving or full: the next one.
            Ok(Err(_)) | Err(_) => return Ok(None),
        };
        let connection = self.world.connection(welcome.node);
        let viewer = Viewer {
            who: self.person.who.clone(),
            device: self.id()?,
        };
        let resume = self.views.streams.iter();
        let resume = resume.map(|(stream, at)| (stream.clone(), *at)).collect();
        let person = self.person.who.participant();
        self.world
            .came_with(&self.name, person, shown.credential.clone());
        let what = What::Connected {
            viewer,
            resume,
            credential: Some(shown.credential),
        };
        self.world.saw(Some(&connection), what);
        let now = Instant::now();
        Ok(Some(Live {
            socket,
            connection,
            heard_at: now,
            asked_at: now,
            settled_at: now,
            storm,
        }))
    }

    /// Whether all must come to rest: what lets it in lasts from then on.
    fn is_calm(&self) -> bool {
        !self.orders.borrow().talk
    }

    /// Its token ends soon: a new one is brought in time, or forgotten.
    async fn refresh(&mut self, live: &mut Live) -> Result<()> {
        if !self.wallet.is_refreshed() {
            return Ok(());
        }
        let shown = self.wallet.renew(self.is_calm())?;
        let person = self.person.who.participant();
        self.world
            .came_with(&self.name, person, shown.credential.clone());
        let what = What::Refreshed {
            who: self.person.who.clone(),
            credential: Some(shown.credential),
        };
        self.world.saw(Some(&live.connection), what);
        let token = Secret(shown.token);
        live.socket.say(&ClientFrame::Refresh { token }).await
    }

    async fn live(&mut self, live: &mut Live) -> Result<Ended> {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let orders = *self.orders.borrow();
            if orders.end {
                return Ok(Ended::Over);
            }
            if orders.storm != live.storm {
                return Ok(Ended::Lost);
            }
            let is_deaf = orders.deaf && self.person.may_be_deaf;
            tokio::select! {
                heard = live.socket.hear(), if !is_deaf => {
                    live.heard_at = Instant::now();
                    match heard? {
                        Heard::Closed(code) => return Ok(Ended::Closed(code)),
                        Heard::Frame(frame) => {
                            if let Some(ended) = self.take_in(live, *frame).await {
                                return Ok(ended);
                            }
                        }
                    }
                }
                _ = looks.tick() => {
                    if is_deaf {
                        live.heard_at = Instant::now();
                    }
                    let now = Instant::now();
                    if now - live.heard_at > LEAVE_AFTER {
                        return Ok(Ended::Lost);
                    }
                    if self.speak(live, orders, now).await.is_err() {
                        return Ok(Ended::Lost);
                    }
                    self.tell(true);
                }
            }
        }
    }

    /// Tells how far it is, when somebody waits for that.
    fn tell(&self, is_connected: bool) {
        if self.orders.borrow().talk {
            return;
        }
        let is_settled = self.outgoing.values().all(Outgoing::is_settled);
        let status = Status {
            is_connected,
            is_settled,
            streams: self.views.streams.clone(),
        };
        self.world.tell(&self.name, status);
    }

    async fn speak(&mut self, live: &mut Live, orders: Orders, now: Instant) -> Result<()> {
        if orders.talk {
            let wants = self.person.wants(&self.views, now);
            if let Some((target, command, kind)) = wants.command {
                self.outgoing.entry(target).or_default().push(command, kind);
            }
            if let Some((target, dialog)) = wants.read {
                self.say_read(live, target, dialog).await?;
            }
        }
        let device = self.id()?;
        for (target, outgoing) in &mut self.outgoing {
            for due in outgoing.due(self.person.window, now) {
                let sent = Sent {
                    author: self.person.who.participant(),
                    id: CommandId::Client {
                        device: device.clone(),
                        n: due.n,
                    },
                    target: target.clone(),
                    digest: digest_of(&due.command),
                    kind: due.kind.to_owned(),
                };
                self.world.saw(Some(&live.connection), What::Sent(sent));
                let frame = ClientFrame::Send {
                    target: target.clone(),
                    n: due.n,
                    command: due.command,
                };
                live.socket.say(&frame).await?;
            }
        }
        if now - live.settled_at > SETTLE_EVERY {
            live.settled_at = now;
            self.say_settled(live).await?;
        }
        if now - live.heard_at.max(live.asked_at) > ASK_AFTER {
            live.asked_at = now;
            live.socket.say(&ClientFrame::Ping {}).await?;
        }
        Ok(())
    }

    async fn say_read(&mut self, live: &mut Live, target: Target, dialog: DialogId) -> Result<()> {
        let stream = chatcore::ids::StreamId::Dialog(dialog);
        let Some(at) = self.views.streams.get(&stream) else {
            return Ok(());
        };
        let cursor = ClientFrame::Cursor {
            target,
            dialog,
            delivered: at.seq,
            read: at.seq,
        };
        live.socket.say(&cursor).await
    }

    async fn say_settled(&mut self, live: &mut Live) -> Result<()> {
        for (target, outgoing) in &self.outgoing {
            let n = outgoing.heard_upto();
            let told = self.told_settled.entry(target.clone()).or_default();
            if n <= *told {
                continue;
            }
            *told = n;
            let target = target.clone();
            let said = What::Acknowledged {
                target: target.clone(),
                n,
            };
            self.world.saw(Some(&live.connection), said);
            live.socket.say(&ClientFrame::Settle { target, n }).await?;
        }
        Ok(())
    }

    /// Writes down what was heard, and takes it in. Answers if the connection is of no more use.
    async fn take_in(&mut self, live: &mut Live, frame: ServerFrame) -> Option<Ended> {
        let on = &live.connection;
        match frame {
            ServerFrame::Reset(reset) => self.reset(on, *reset),
            ServerFrame::Range {
                stream: StreamName(stream),
                after,
                upto,
                events,
            } => {
                let what = What::Shown {
                    stream: stream.clone(),
                    after,
                    upto,
                    events: events.iter().map(|event| ShownEvent::of(event)).collect(),
                };
                self.world.saw(Some(on), what);
                let events = events.iter().map(AsRef::as_ref);
                self.views.shown(&stream, upto, events);
            }
            ServerFrame::Left {
                stream: StreamName(stream),
                reason,
            } => {
                let what = What::Left {
                    stream: stream.clone(),
                    reason: format!("{reason:?}"),
                };
                self.world.saw(Some(on), what);
                self.views.left(&stream);
            }
            ServerFrame::Cursors { cursors, .. } => {
                self.world.saw(Some(on), What::Cursors { cursors });
            }
            ServerFrame::Durable { target, n } => {
                self.world.saw(Some(on), What::Durable { target, n });
            }
            ServerFrame::Reply { target, n, reply } => return self.replied(on, target, n, reply),
            ServerFrame::Error(wrong) => return self.refused(live, wrong),
            ServerFrame::Ping {} => {
                let said = live.socket.say(&ClientFrame::Pong {}).await;
                return said.is_err().then_some(Ended::Lost);
            }
            ServerFrame::Expiring { .. } => {
                let said = self.refresh(live).await;
                return said.is_err().then_some(Ended::Lost);
            }
            // It leaves; whoever stays is closed soon.
            ServerFrame::Reconnect { after_ms } => {
                tokio::time::sleep(Duration::from_millis(after_ms.min(500))).await;
                return Some(Ended::Lost);
            }
            _ => {}
        }
        None
    }

    fn reset(&mut self, on: &Connection, reset: StreamReset) {
        let StreamName(stream) = reset.stream;
        let reason = match reset.reason {
            ResetWhy::Start => "start",
            ResetWhy::Mismatch => "mismatch",
            ResetWhy::Behind => "behind",
        };
        let what = What::Reset {
            stream: stream.clone(),
            position: reset.position,
            reason: reason.to_owned(),
            state: None,
        };
        self.world.saw(Some(on), what);
        self.views.reset(&stream, reset.position, reset.dialog);
    }

    fn replied(&mut self, on: &Connection, target: Target, n: u64, reply: Reply) -> Option<Ended> {
        let goes = self.outgoing.get_mut(&target);
        let goes = goes.map(|outgoing| outgoing.replied(n, &reply));
        self.world.saw(Some(on), What::Heard { target, n, reply });
        (goes == Some(Goes::Anew)).then_some(Ended::Renew)
    }

    fn refused(&mut self, live: &Live, wrong: Wrong) -> Option<Ended> {
        let (Some(target), Some(n)) = (wrong.target, wrong.n) else {
            return None;
        };
        let kind = wrong.code.name().to_owned();
        let what = What::Refused {
            target: target.clone(),
            n,
            kind,
        };
        self.world.saw(Some(&live.connection), what);
        let outgoing = self.outgoing.get_mut(&target)?;
        let is_final = matches!(
            wrong.code,
            ErrorCode::Forbidden | ErrorCode::Invalid | ErrorCode::NotFound
        );
        if !is_final {
            let after = wrong.retry_after_ms.map_or(RETRY, Duration::from_millis);
            outgoing.unsay(n, Some(Instant::now() + after));
            return None;
        }
        match outgoing.refused_for_good(n) {
            Goes::On => None,
            Goes::Anew => Some(Ended::Renew),
        }
    }

    /// Begins as another device: what is not settled is given up.
    fn renew(&mut self) -> Result<()> {
        let viewer = Viewer {
            who: self.person.who.clone(),
            device: self.id()?,
        };
        self.world.saw(None, What::Abandoned { viewer });
        self.renewed += 1;
        self.outgoing.clear();
        self.told_settled.clear();
        Ok(())
    }
}
