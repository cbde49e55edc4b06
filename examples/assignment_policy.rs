//! An assignment policy of one's own: dialogs of high priority go to the senior operators.
//!
//! Two customers write, one from the mobile bank of the priority clients and one from the site. Run
//! it and see who gets whom; `--check` does the same and fails when it is not as it should be.
//!
//! ```text
//! cargo run -p chatcore-examples --bin assignment_policy
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use chatcore::{
    chat::Chat,
    clock::{SystemClock, Timestamp},
    dialog::{CustomerCommand, DialogSettings, Open},
    identity::{Assurance, Identity, Proof, StaffRole, Who},
    ids::{ChannelId, CustomerId, DeskId, DeviceId, DialogId, QueueId, StaffId, Target},
    memory,
    queue::{
        Assignment, AssignmentPolicy, BoardEvent, Candidate, DeskCommand, DeskConfig, Offered,
        OperatorConfig, OperatorStatus, Presence, QueueConfig,
    },
    record::{Command, Event},
    routing::{Board, Connect, Session, SessionEvent, StreamState},
};
use tokio_util::sync::CancellationToken;

const PRIORITY: u8 = 50;

/// Dialogs of high priority go to seniors first, all others to juniors first; of those to whoever
/// has most free slots, then to whoever has been free the longest.
#[derive(Debug)]
struct SeniorsFirst {
    seniors: Vec<StaffId>,
}

impl AssignmentPolicy for SeniorsFirst {
    fn name(&self) -> &'static str {
        "seniors_first"
    }

    // Pure: the same dialog and candidates always get the same answer, in every process.
    fn rank(&self, dialog: &Offered<'_>, candidates: &[Candidate<'_>]) -> Vec<usize> {
        let wants_senior = dialog.wait.priority >= PRIORITY;
        let key = |candidate: &Candidate<'_>| {
            let fits = self.seniors.contains(candidate.operator) == wants_senior;
            let free = usize::from(candidate.config.capacity).saturating_sub(candidate.used);
            (Reverse(fits), Reverse(free), candidate.free_since)
        };
        let mut ranked: Vec<_> = candidates.iter().map(key).enumerate().collect();
        ranked.sort_by_key(|(_, key)| *key);
        ranked.into_iter().map(|(index, _)| index).collect()
    }
}

fn desk() -> Result<DeskConfig> {
    let queue = QueueId::try_new("general")?;
    let operator = |name: &str| OperatorConfig {
        name: name.to_owned(),
        capacity: 3,
        queues: [queue.clone()].into(),
    };
    let rules = QueueConfig {
        title: "General".to_owned(),
        assignment: Assignment::Custom("seniors_first".to_owned()),
    };
    Ok(DeskConfig {
        operators: BTreeMap::from([
            (StaffId::try_new("senior")?, operator("Sonya")),
            (StaffId::try_new("junior")?, operator("Yura")),
        ]),
        queues: BTreeMap::from([(queue, rules)]),
        grace_ms: 30_000,
        grant_resend_ms: 5_000,
        reconcile_ms: 60_000,
    })
}

fn chat() -> Result<Chat> {
    let policy = SeniorsFirst {
        seniors: vec![StaffId::try_new("senior")?],
    };
    let priority = DialogSettings {
        priority: PRIORITY,
        ..DialogSettings::default()
    };
    Ok(Chat::builder(memory::ports(4, Arc::new(SystemClock)))
        .with_policy(Arc::new(policy))
        .with_desk(DeskId::try_new("main")?, desk()?)
        .with_channel_settings(ChannelId::try_new("mobile")?, priority)
        .build()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let chat = chat()?;
    let stop = CancellationToken::new();
    let act = async {
        let played = tokio::time::timeout(Duration::from_secs(30), play(&chat)).await;
        stop.cancel();
        played.context("it takes too long")?
    };
    let (ran, played) = tokio::join!(chat.run(stop.clone()), act);
    played.and(Ok(ran?))
}

async fn play(chat: &Chat) -> Result<()> {
    let mut senior = Operator::come(chat, "senior").await?;
    let _junior = Operator::come(chat, "junior").await?;
    for (customer, channel, expected) in [
        ("rich", "mobile", "senior"),
        ("student", "web", "junior"),
        ("richer", "mobile", "senior"),
    ] {
        let _session = opens(chat, customer, channel).await?;
        let (dialog, operator, how) = senior.sees_a_grant().await?;
        println!("{channel}: dialog {dialog} of {customer} goes to {operator} ({how})");
        ensure!(operator.as_str() == expected && how == "seniors_first");
    }
    Ok(())
}

fn connect(chat: &Chat, who: Who) -> Result<Session> {
    Ok(chat.connect(Connect {
        identity: Identity {
            who,
            name: "Somebody".to_owned(),
            assurance: Assurance::Authenticated,
            expires_at: Timestamp(i64::MAX),
            proof: Proof::default(),
        },
        device: DeviceId::try_new("example")?,
        resume: BTreeMap::new(),
        trace: None,
    })?)
}

/// Without a bot a dialog waits for people as soon as it is open.
async fn opens(chat: &Chat, customer: &str, channel: &str) -> Result<Session> {
    let id = CustomerId::try_new(customer)?;
    let session = connect(chat, Who::Customer(id.clone()))?;
    let open = Command::Customer(CustomerCommand::Open(Open {
        channel: ChannelId::try_new(channel)?,
        topic: None,
        settings: DialogSettings::default(),
    }));
    session.sender().send(Target::Customer(id), 1, open).await?;
    Ok(session)
}

/// An operator who takes dialogs and watches the board.
struct Operator {
    id: StaffId,
    session: Session,
    board: Board,
}

impl Operator {
    async fn come(chat: &Chat, id: &str) -> Result<Self> {
        let id = StaffId::try_new(id)?;
        let desk = DeskId::try_new("main")?;
        let who = Who::Staff {
            id: id.clone(),
            desk: desk.clone(),
            role: StaffRole::Operator,
        };
        let mut me = Self {
            id: id.clone(),
            session: connect(chat, who)?,
            board: Board::default(),
        };
        me.until(|board| board.operators.get(&id).map(|o| o.presence) == Some(Presence::Online))
            .await?;
        let available = Command::Desk(DeskCommand::Status {
            operator: id.clone(),
            status: OperatorStatus::Available,
        });
        let sender = me.session.sender();
        sender.send(Target::Desk(desk), 1, available).await?;
        let status = Some(OperatorStatus::Available);
        me.until(|board| board.operators.get(&id).map(|o| o.status) == status)
            .await?;
        Ok(me)
    }

    async fn until(&mut self, is_so: impl Fn(&Board) -> bool) -> Result<()> {
        while !is_so(&self.board) {
            self.hear().await?;
        }
        Ok(())
    }

    /// The next grant on the board: which dialog, to whom, and how it was chosen.
    async fn sees_a_grant(&mut self) -> Result<(DialogId, StaffId, String)> {
        loop {
            for event in self.hear().await? {
                if let BoardEvent::Granted {
                    dialog: Some(dialog),
                    operator,
                    reason,
                    ..
                } = event
                {
                    return Ok((dialog, operator, reason.how));
                }
            }
        }
    }

    /// What the session is told next of the board; it is folded into the board, too.
    async fn hear(&mut self) -> Result<Vec<BoardEvent>> {
        let told = self.session.next().await;
        match told.with_context(|| format!("the session of {} ended", self.id))? {
            SessionEvent::Reset {
                state: StreamState::Board(board),
                ..
            } => self.board = board.as_ref().clone(),
            SessionEvent::Range { events, .. } => {
                let mut of_board = Vec::new();
                for told in &events {
                    if let Event::Board(event) = &told.event {
                        self.board.apply(event, told.at);
                        of_board.push(event.clone());
                    }
                }
                return Ok(of_board);
            }
            _ => {}
        }
        Ok(Vec::new())
    }
}
