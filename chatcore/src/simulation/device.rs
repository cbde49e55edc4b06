//! A device of a person: what it has of streams, what it said, and the connection it has.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::{
    fired::Kind,
    history::{Connection, Credential, Sent, Viewer, What, digest_of},
    node::SimNode,
    socket::{Said, Socket, Told},
    wallet::Wallet,
    world::World,
};
use crate::{
    clock::Clock as _,
    content::Content,
    dialog::Phase,
    error::{ErrorKind, Result},
    identity::{Assurance, Identity, StaffRole, Who},
    ids::{DeviceId, DialogId, StreamId, Target},
    record::{Command, CommandId, Event, Outcome, Position, Reply},
    routing::{Board, CloseCode, Connect, DialogView, SessionEvent, StreamState},
};

/// After this long without an answer a device sends again.
const ANSWER_MS: i64 = 8_000;
/// How long after a refusal it tries again.
const RETRY_MS: i64 = 400;
/// A node that says nothing for so long is left for another.
const SILENCE_MS: i64 = 4_000;
/// Commands that wait for a number; more is not said at all.
const WAITING_MAX: usize = 8;

/// A device of a person.
pub(super) struct Device {
    pub(super) who: Who,
    name: String,
    wallet: Wallet,
    /// How often it forgot what it was, and began as another one.
    renewed: u32,
    /// Whether it must do so.
    must_renew: bool,
    /// Commands to one target without a known outcome.
    window: usize,
    pub(super) wants: bool,
    on: Option<On>,
    again_at: i64,
    next_node: usize,
    stalled_until: i64,
    lines: BTreeMap<Target, Line>,
    pub(super) streams: BTreeMap<StreamId, Seen>,
    pub(super) dialogs: BTreeMap<DialogId, DialogView>,
    pub(super) board: Board,
}

struct On {
    connection: Connection,
    socket: Arc<Socket>,
    node: usize,
    silent_since: Option<i64>,
}

/// A stream as the device has it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) at: Position,
    pub(super) left: bool,
}

/// Commands to one target.
#[derive(Default)]
struct Line {
    last: u64,
    open: VecDeque<Open>,
    waiting: VecDeque<(Command<Content>, &'static str)>,
}

struct Open {
    n: u64,
    command: Command<Content>,
    kind: &'static str,
    /// When it was said last; none when it must be said.
    said_at: Option<i64>,
    not_before: i64,
    /// Whether some earlier try may have been taken.
    doubtful: bool,
}

impl Device {
    pub(super) fn new(who: Who, name: String, window: usize, first_node: usize) -> Self {
        Self {
            who,
            wallet: Wallet::new(&name),
            name,
            renewed: 0,
            must_renew: false,
            window,
            wants: false,
            on: None,
            again_at: 0,
            next_node: first_node,
            stalled_until: 0,
            lines: BTreeMap::new(),
            streams: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            board: Board::default(),
        }
    }

    fn id(&self) -> Result<DeviceId> {
        Ok(DeviceId::try_new(format!(
            "{}.{}",
            self.name, self.renewed
        ))?)
    }

    pub(super) fn is_supervisor(&self) -> bool {
        matches!(
            self.who,
            Who::Staff {
                role: StaffRole::Supervisor,
                ..
            }
        )
    }

    /// Dialogs that its person has, by the journal, and that it is not shown.
    pub(super) fn not_shown(&self, dialogs: &BTreeMap<DialogId, DialogView>) -> Vec<DialogId> {
        let has = |view: &DialogView| match &self.who {
            Who::Customer(me) => view.customer == *me && view.phase != Phase::Closed,
            Who::Staff { id, .. } => view.owner.as_ref() == Some(id),
        };
        let is_shown = |dialog: &DialogId| {
            let seen = self.streams.get(&StreamId::Dialog(*dialog));
            seen.is_some_and(|seen| !seen.left)
        };
        let theirs = dialogs.iter().filter(|(_, view)| has(view));
        let theirs = theirs.map(|(dialog, _)| *dialog);
        theirs.filter(|dialog| !is_shown(dialog)).collect()
    }

    /// With what it came last.
    pub(super) fn credential(&self) -> Option<&Credential> {
        self.wallet.current()
    }

    /// From now on it keeps what lets it in.
    pub(super) fn calm_down(&mut self) {
        self.wallet.calm_down();
    }

    fn identity(&self, credential: &Credential) -> Identity {
        Identity {
            who: self.who.clone(),
            name: self.name.clone(),
            assurance: Assurance::Authenticated,
            expires_at: credential.expires_at,
            proof: credential.proof.clone(),
        }
    }

    /// Whether it has nothing to say and to hear any more.
    pub(super) fn is_settled(&self) -> bool {
        self.lines
            .values()
            .all(|l| l.open.is_empty() && l.waiting.is_empty())
    }

    pub(super) fn is_connected(&self) -> bool {
        self.on.is_some()
    }

    pub(super) fn come(&mut self, pick: u64) {
        if !self.wants {
            self.wants = true;
            self.next_node = usize::try_from(pick % 64).unwrap_or(0);
        }
    }

    /// Goes away without a word.
    pub(super) fn go(&mut self, world: &World) {
        self.wants = false;
        self.lose(world, 0);
    }

    pub(super) fn lose(&mut self, world: &World, for_ms: i64) {
        self.again_at = world.time.passed_ms() + for_ms;
        let Some(on) = self.on.take() else {
            return;
        };
        on.socket.cut();
        world.saw(Some(&on.connection), What::Disconnected { code: None });
        for line in self.lines.values_mut() {
            line.unsay(1, 0);
        }
    }

    pub(super) fn stall(&mut self, until: i64) {
        self.stalled_until = until;
    }

    /// Sends all again that no outcome is known of.
    pub(super) fn resend(&mut self) {
        for line in self.lines.values_mut() {
            line.unsay(1, 0);
        }
    }

    pub(super) fn say(&mut self, said: Said) {
        if let Some(on) = &self.on {
            on.socket.say(said);
        }
    }

    /// Says that all outcomes that are known have arrived.
    pub(super) fn acknowledge(&mut self, world: &World) {
        let Some(on) = &self.on else { return };
        for (target, line) in &self.lines {
            let n = line.open.front().map_or(line.last, |open| open.n - 1);
            if n > 0 {
                let target = target.clone();
                on.socket.say(Said::Acknowledge {
                    target: target.clone(),
                    n,
                });
                world.saw(Some(&on.connection), What::Acknowledged { target, n });
            }
        }
    }

    /// Wants to do something.
    pub(super) fn command(
        &mut self,
        target: Target,
        command: Command<Content>,
        kind: &'static str,
    ) {
        let line = self.lines.entry(target).or_default();
        if line.waiting.len() < WAITING_MAX {
            line.waiting.push_back((command, kind));
        }
    }

    /// Hears what has arrived, says what there is to say, comes back where it was lost.
    pub(super) fn step(&mut self, world: &World, nodes: &[SimNode]) -> Result<()> {
        let now = world.time.passed_ms();
        self.hear(world, now)?;
        if self.must_renew {
            self.renew(world)?;
        }
        self.mind_silence(world, nodes, now);
        if self.wants && self.on.is_none() && now >= self.again_at {
            self.connect(world, nodes, now)?;
        }
        self.speak(world, now)
    }

    fn mind_silence(&mut self, world: &World, nodes: &[SimNode], now: i64) {
        let Some(on) = &mut self.on else { return };
        if nodes.get(on.node).is_some_and(SimNode::answers) {
            on.silent_since = None;
        } else if now - *on.silent_since.get_or_insert(now) > SILENCE_MS {
            self.lose(world, 100);
        }
    }

    fn connect(&mut self, world: &World, nodes: &[SimNode], now: i64) -> Result<()> {
        let at = self.next_node % nodes.len().max(1);
        self.next_node += 1;
        self.again_at = now + RETRY_MS;
        let Some(node) = nodes.get(at).filter(|node| node.answers()) else {
            return Ok(());
        };
        let followed = self.streams.iter().filter(|(_, seen)| !seen.left);
        let resume: BTreeMap<StreamId, Position> =
            followed.map(|(id, seen)| (id.clone(), seen.at)).collect();
        let device = self.id()?;
        let credential = self.wallet.shown(world.time.now())?;
        let connect = Connect {
            identity: self.identity(&credential),
            device: device.clone(),
            resume: resume.clone(),
            trace: None,
        };
        let (connection, socket) = match node.connect(world, connect) {
            Ok(connected) => connected,
            Err(error) => {
                // Otherwise full, or leaving: the next one.
                if error.kind() == ErrorKind::Forbidden {
                    self.wallet.refused();
                }
                return Ok(());
            }
        };
        let viewer = Viewer {
            who: self.who.clone(),
            device,
        };
        let resume = resume.into_iter().collect();
        let credential = Some(credential);
        let what = What::Connected {
            viewer,
            resume,
            credential,
        };
        world.saw(Some(&connection), what);
        self.on = Some(On {
            connection,
            socket,
            node: at,
            silent_since: None,
        });
        self.resend();
        Ok(())
    }

    fn speak(&mut self, world: &World, now: i64) -> Result<()> {
        let Some(on) = &self.on else {
            return Ok(());
        };
        let device = self.id()?;
        for (target, line) in &mut self.lines {
            while line.open.len() < self.window
                && let Some((command, kind)) = line.waiting.pop_front()
            {
                line.last += 1;
                line.open.push_back(Open {
                    n: line.last,
                    command,
                    kind,
                    said_at: None,
                    not_before: 0,
                    doubtful: false,
                });
            }
            if line
                .open
                .iter()
                .any(|o| o.said_at.is_some_and(|at| now - at > ANSWER_MS))
            {
                line.unsay(1, 0);
            }
            // In order: what comes before goes first.
            for open in &mut line.open {
                if open.said_at.is_some() {
                    continue;
                }
                if open.not_before > now {
                    break;
                }
                open.said_at = Some(now);
                let n = open.n;
                let sent = Sent {
                    author: self.who.participant(),
                    id: CommandId::Client {
                        device: device.clone(),
                        n,
                    },
                    target: target.clone(),
                    digest: digest_of(&open.command),
                    kind: open.kind.to_owned(),
                };
                world.saw(Some(&on.connection), What::Sent(sent));
                on.socket.say(Said::Send {
                    target: target.clone(),
                    n,
                    command: open.command.clone(),
                });
            }
        }
        Ok(())
    }

    fn hear(&mut self, world: &World, now: i64) -> Result<()> {
        if now < self.stalled_until {
            return Ok(());
        }
        let Some(on) = &self.on else {
            return Ok(());
        };
        let connection = on.connection.clone();
        for told in on.socket.read() {
            match told {
                Told::Event { event, handed_at } => {
                    let times = (handed_at, world.time.now());
                    world.history().push_told(times, &connection, &event);
                    match *event {
                        SessionEvent::Closed { code } => {
                            self.closed(world, code);
                            self.again_at = now + RETRY_MS;
                            return Ok(());
                        }
                        SessionEvent::Expiring { .. } => self.refresh(world, &connection)?,
                        event => self.told(event, now),
                    }
                }
                Told::NotTaken { target, n, error } => {
                    let kind = format!("{:?}", error.kind());
                    let what = What::NotTaken {
                        target: target.clone(),
                        n,
                        kind,
                    };
                    world.saw(Some(&connection), what);
                    self.not_taken(&target, n, error.kind(), now);
                }
                Told::Gone => {
                    self.lose(world, RETRY_MS);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn closed(&mut self, world: &World, code: CloseCode) {
        self.on = None;
        match code {
            CloseCode::Revoked => {
                self.wallet.refused();
                world.fired.count(Kind::Revoked);
            }
            CloseCode::Expired => world.fired.count(Kind::Expired),
            CloseCode::Unsure => world.fired.count(Kind::Unsure),
            _ => {}
        }
    }

    /// Its token ends soon: a new one is brought in time, or forgotten.
    fn refresh(&mut self, world: &World, connection: &Connection) -> Result<()> {
        if !self.wallet.is_refreshed() {
            return Ok(());
        }
        let credential = self.wallet.renew(world.time.now())?;
        let identity = self.identity(&credential);
        let what = What::Refreshed {
            who: self.who.clone(),
            credential: Some(credential),
        };
        world.saw(Some(connection), what);
        self.say(Said::Refresh(Box::new(identity)));
        Ok(())
    }

    fn told(&mut self, event: SessionEvent, now: i64) {
        match event {
            SessionEvent::Reply { target, n, reply } => self.replied(&target, n, &reply),
            SessionEvent::Refused { target, n, .. } => {
                if let Some(line) = self.lines.get_mut(&target) {
                    line.unsay(n, now + RETRY_MS);
                }
            }
            SessionEvent::Reset {
                stream,
                position,
                state,
                ..
            } => {
                match (state, &stream) {
                    (StreamState::Board(board), _) => self.board = board.as_ref().clone(),
                    (StreamState::Dialog(view), StreamId::Dialog(id)) => {
                        self.dialogs.insert(*id, *view);
                    }
                    _ => {}
                }
                let seen = Seen {
                    at: position,
                    left: false,
                };
                self.streams.insert(stream, seen);
            }
            SessionEvent::Range {
                stream,
                upto,
                events,
                ..
            } => {
                for event in events {
                    match (&event.event, &stream) {
                        (Event::Board(board), _) => self.board.apply(board, event.at),
                        (Event::Dialog(event), StreamId::Dialog(id)) => {
                            if let Some(view) = self.dialogs.get_mut(id) {
                                view.apply(event);
                            }
                        }
                        _ => {}
                    }
                }
                let seen = self.streams.entry(stream).or_default();
                seen.at = upto;
                seen.left = false;
            }
            SessionEvent::Left { stream, .. } => {
                self.streams.entry(stream).or_default().left = true;
            }
            _ => {}
        }
    }

    fn replied(&mut self, target: &Target, n: u64, reply: &Reply) {
        use crate::dialog::Rejection;
        let Some(line) = self.lines.get_mut(target) else {
            return;
        };
        match reply {
            Reply::Outcome(Outcome::Rejected(Rejection::IdConflict)) => self.must_renew = true,
            Reply::Outcome(_) | Reply::Settled => {
                line.open.retain(|open| open.n != n);
            }
            Reply::Forgotten => self.must_renew = true,
            Reply::Expected { n: expected } => {
                let first = line.open.front().map(|open| open.n);
                match first {
                    // It knows less of this device than the device knows of itself.
                    Some(first) if *expected < first => self.must_renew = true,
                    Some(_) => line.unsay(*expected, 0),
                    None => {}
                }
            }
        }
    }

    fn not_taken(&mut self, target: &Target, n: u64, kind: ErrorKind, now: i64) {
        let Some(line) = self.lines.get_mut(target) else {
            return;
        };
        let Some(at) = line.open.iter().position(|open| open.n == n) else {
            return;
        };
        if !matches!(kind, ErrorKind::Forbidden | ErrorKind::Invalid) {
            return line.unsay(n, now + RETRY_MS);
        }
        let doubtful = line.open.get(at).is_some_and(|open| open.doubtful);
        if doubtful || at + 1 < line.open.len() {
            // What became of it can't be learnt here any more, or later ones were sent already.
            self.must_renew = true;
            return;
        }
        line.open.remove(at);
        line.last = n - 1;
    }

    /// Begins as another device: what is not settled is given up.
    fn renew(&mut self, world: &World) -> Result<()> {
        self.lose(world, 0);
        let viewer = Viewer {
            who: self.who.clone(),
            device: self.id()?,
        };
        world.saw(None, What::Abandoned { viewer });
        self.must_renew = false;
        self.renewed += 1;
        self.lines.clear();
        Ok(())
    }
}

impl Line {
    /// What has this number or a higher one must be said again, not before then.
    fn unsay(&mut self, from: u64, not_before: i64) {
        for open in self.open.iter_mut().filter(|open| open.n >= from) {
            open.doubtful |= open.said_at.is_some();
            open.said_at = None;
            open.not_before = open.not_before.max(not_before);
        }
    }
}
