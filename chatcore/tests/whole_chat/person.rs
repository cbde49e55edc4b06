//! Somebody at a session, who keeps everything that they are told and checks that it joins.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use chatcore::{
    chat::Chat,
    clock::Timestamp,
    content::Content,
    dialog::DialogEvent,
    identity::{Assurance, Identity, Proof, StaffRole, Who},
    ids::{CustomerId, DeskId, DeviceId, DialogId, Participant, StaffId, StreamId, Target},
    queue::DeskCommand,
    record::{Accepted, Command, CursorMove, Event, Outcome, Position, Reply},
    routing::{
        Board, CloseCode, Connect, LeftReason, SessionEvent, SessionEvents, SessionSender,
        StreamState,
    },
};

/// Longest wait for anything, on paused time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream as this person has it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The last position.
    pub(crate) at: Position,
    /// The events: their seq and in short what they say.
    pub(crate) events: Vec<(u64, String)>,
    /// How often it started anew.
    pub(crate) resets: usize,
    /// Why nothing more comes of it.
    pub(crate) left: Option<LeftReason>,
}

/// What two halves of a session amount to for whoever uses them.
#[derive(Debug)]
pub(crate) struct Person {
    who: Who,
    device: DeviceId,
    session: Option<(SessionSender, SessionEvents)>,
    next: BTreeMap<Target, u64>,
    sent: BTreeMap<(Target, u64), Command<Content>>,
    durable: BTreeMap<Target, u64>,
    replies: BTreeMap<(Target, u64), Reply>,
    pub(crate) streams: BTreeMap<StreamId, Told>,
    pub(crate) board: Board,
    pub(crate) cursors: Vec<CursorMove>,
    pub(crate) typing: Vec<Participant>,
}

impl Person {
    pub(crate) fn customer(id: &str) -> Self {
        Self::new(Who::Customer(CustomerId::try_new(id).unwrap()))
    }

    pub(crate) fn operator(id: &str) -> Self {
        Self::new(Who::Staff {
            id: StaffId::try_new(id).unwrap(),
            desk: DeskId::try_new("main").unwrap(),
            role: StaffRole::Operator,
        })
    }

    fn new(who: Who) -> Self {
        Self {
            who,
            device: DeviceId::try_new("d1").unwrap(),
            session: None,
            next: BTreeMap::new(),
            sent: BTreeMap::new(),
            durable: BTreeMap::new(),
            replies: BTreeMap::new(),
            streams: BTreeMap::new(),
            board: Board::default(),
            cursors: Vec::new(),
            typing: Vec::new(),
        }
    }

    pub(crate) fn id(&self) -> String {
        match &self.who {
            Who::Customer(id) => id.to_string(),
            Who::Staff { id, .. } => id.to_string(),
        }
    }

    pub(crate) fn staff(&self) -> StaffId {
        StaffId::try_new(self.id()).unwrap()
    }

    /// Has this of a stream, as one who was here long ago.
    pub(crate) fn had(&mut self, stream: StreamId, at: Position) {
        let told = Told {
            at,
            ..Told::default()
        };
        self.streams.insert(stream, told);
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity {
            who: self.who.clone(),
            name: self.id(),
            assurance: Assurance::Authenticated,
            expires_at: Timestamp(i64::MAX),
            proof: Proof::default(),
        }
    }

    /// Opens a session that goes on where the last one was.
    pub(crate) fn come(&mut self, chat: &Chat) {
        let followed = self.streams.iter().filter(|(_, told)| told.left.is_none());
        let connect = Connect {
            identity: self.identity(),
            device: self.device.clone(),
            resume: followed.map(|(id, told)| (id.clone(), told.at)).collect(),
            trace: None,
        };
        self.session = Some(chat.connect(connect).unwrap().split());
    }

    /// Vanishes without a word.
    pub(crate) fn vanish(&mut self) {
        self.session = None;
    }

    pub(crate) fn sender(&self) -> &SessionSender {
        &self.session.as_ref().expect("has a session").0
    }

    /// Sends the next command to a target and answers its number.
    pub(crate) async fn send(&mut self, target: &Target, command: Command<Content>) -> u64 {
        let n = self.next.get(target).copied().unwrap_or(0) + 1;
        self.next.insert(target.clone(), n);
        self.sent.insert((target.clone(), n), command);
        self.send_again(target, n).await;
        n
    }

    /// Sends what has this number, once more; what was heard of it before is forgotten.
    pub(crate) async fn send_again(&mut self, target: &Target, n: u64) {
        let command = self.sent[&(target.clone(), n)].clone();
        self.replies.remove(&(target.clone(), n));
        let sent = self.sender().send(target.clone(), n, command).await;
        sent.unwrap();
    }

    /// Waits for what became of a command.
    pub(crate) async fn outcome(&mut self, target: &Target, n: u64) -> Outcome {
        let key = (target.clone(), n);
        self.until("an outcome", |me| me.replies.contains_key(&key))
            .await;
        match &self.replies[&key] {
            Reply::Outcome(outcome) => outcome.clone(),
            other => panic!("{}: {other:?} instead of an outcome", self.id()),
        }
    }

    /// Sends a command and waits until it is accepted.
    pub(crate) async fn does(&mut self, target: &Target, command: Command<Content>) -> Accepted {
        let what = format!("{command:?}");
        let n = self.send(target, command).await;
        match self.outcome(target, n).await {
            Outcome::Accepted(accepted) => accepted,
            Outcome::Rejected(why) => panic!("{}: {what} was rejected: {why:?}", self.id()),
        }
    }

    /// Sends a command to the own desk and waits until it is accepted.
    pub(crate) async fn does_at_desk(&mut self, command: DeskCommand) -> Accepted {
        self.does(&desk(), Command::Desk(command)).await
    }

    pub(crate) async fn sees(&mut self, dialog: DialogId, what: &str) {
        let stream = StreamId::Dialog(dialog);
        self.until(what, |me| {
            let told = me.streams.get(&stream);
            told.is_some_and(|told| told.events.iter().any(|(_, event)| event == what))
        })
        .await;
    }

    /// Listens until it is so.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is_so(self) {
                let (_, events) = self.session.as_mut().expect("has a session");
                let event = events.next().await.expect("the session goes on");
                self.hear(event);
            }
        });
        if waited.await.is_err() {
            panic!("{} waited in vain for {what}: {self:#?}", self.id());
        }
    }

    /// Listens for a while, for what should not come.
    pub(crate) async fn listen(&mut self, time: Duration) {
        let _ = tokio::time::timeout(time, async {
            loop {
                let (_, events) = self.session.as_mut().expect("has a session");
                let event = events.next().await.expect("the session goes on");
                self.hear(event);
            }
        })
        .await;
    }

    /// Leaves in peace.
    pub(crate) async fn leave(&mut self) {
        self.sender().close(CloseCode::Done);
        let (_, mut events) = self.session.take().expect("has a session");
        while let Some(event) = events.next().await {
            match event {
                SessionEvent::Closed { code } => assert_eq!(code, CloseCode::Done),
                other => self.hear(other),
            }
        }
    }

    fn hear(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Durable { target, n } => {
                let upto = self.durable.entry(target).or_default();
                *upto = n.max(*upto);
            }
            SessionEvent::Reply { target, n, reply } => {
                let durable = self.durable.get(&target).copied().unwrap_or(0);
                assert!(durable >= n, "decided before it was told to be durable");
                self.replies.insert((target, n), reply);
            }
            SessionEvent::Reset {
                stream,
                position,
                state,
                ..
            } => {
                if let StreamState::Board(board) = state {
                    self.board = board.as_ref().clone();
                }
                let told = self.streams.entry(stream).or_default();
                *told = Told {
                    at: position,
                    resets: told.resets + 1,
                    ..Told::default()
                };
            }
            SessionEvent::Range {
                stream,
                after,
                upto,
                events,
                ..
            } => {
                let told = self.streams.entry(stream.clone()).or_default();
                assert_eq!(after, told.at, "{stream}: ranges join without holes");
                for event in events {
                    let last = told.events.last().map_or(after.seq.0, |(seq, _)| *seq);
                    assert!(event.seq.0 > last && event.seq <= upto.seq, "{event:?}");
                    told.events.push((event.seq.0, in_short(&event.event)));
                    if let Event::Board(what) = &event.event {
                        self.board.apply(what, event.at);
                    }
                }
                told.at = upto;
            }
            SessionEvent::Left { stream, reason } => {
                self.streams.entry(stream).or_default().left = Some(reason);
            }
            SessionEvent::Cursors { cursors, .. } => self.cursors.extend(cursors),
            SessionEvent::Typing { participant, .. } => self.typing.push(participant),
            SessionEvent::Waiting { .. }
            | SessionEvent::Presence { .. }
            | SessionEvent::Place { .. } => {}
            other => panic!("{}: {other:?}", self.id()),
        }
    }
}

/// The only desk.
pub(crate) fn desk() -> Target {
    Target::Desk(DeskId::try_new("main").unwrap())
}

/// An event in a few words: `olga: hello`, `waiting asked` …
fn in_short(event: &Event<Content>) -> String {
    match event {
        Event::Dialog(DialogEvent::Message { author, body, .. }) => {
            format!("{}: {}", name(author), text(body))
        }
        Event::Dialog(DialogEvent::Note { author, body }) => {
            format!("note of {}: {}", name(author), text(body))
        }
        Event::Dialog(DialogEvent::Waiting { reason, .. }) => format!("waiting {reason}"),
        Event::Dialog(DialogEvent::Assigned { operator, .. }) => format!("assigned {operator}"),
        Event::Dialog(DialogEvent::Closed { by, outcome, .. }) => {
            format!("closed by {}: {outcome}", name(by))
        }
        Event::Dialog(DialogEvent::Rated { score, comment }) => {
            format!(
                "rated {score}: {}",
                comment.as_ref().map_or("", |c| text(c))
            )
        }
        Event::Dialog(event) => variant(event),
        Event::Customer(event) => variant(event),
        Event::Board(event) => variant(event),
    }
}

/// The name of the variant, in lower case.
fn variant(event: &impl Debug) -> String {
    let text = format!("{event:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_lowercase()
}

fn name(participant: &Participant) -> String {
    match participant {
        Participant::Customer(id) => id.to_string(),
        Participant::Staff(id) => id.to_string(),
        Participant::Bot => "bot".to_owned(),
        Participant::System => "system".to_owned(),
    }
}

fn text(content: &Content) -> &str {
    match content {
        Content::Text(text) | Content::QuickReplies { text, .. } => text,
        Content::Pressed { label, .. } => label,
        other => panic!("nobody says this here: {other:?}"),
    }
}
