//! The bot's turns: from what a customer said to what the bot answers.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Effect, Work,
    lookup::{channel_of, pauses, read_up_to},
};
use crate::{
    bot::{BOT_HISTORY_MAX, Bot, BotReply, BotTurn, Said},
    commands::{CommandWriter, NewCommand},
    content::Sealed,
    dialog::{CustomerCommand, DialogEvent, HandOver, Phase},
    error::Result,
    identity::BodySealer,
    ids::{CustomerId, DialogId, Label, OwnerEpoch, Participant, Seq, StreamId, Target},
    record::{Access, Appended, Command, CommandId, Event, Position, StreamEvent},
    store::StreamStore,
};

/// Events that are read to tell the bot what was said.
const EVENTS_MAX: u64 = 200;

/// Asks the bot when it is its turn, and writes down its answer.
#[derive(Debug)]
pub struct BotEffect {
    name: Label,
    bot: Arc<dyn Bot>,
    sealer: Arc<dyn BodySealer>,
    streams: Arc<dyn StreamStore>,
    commands: CommandWriter,
}

impl BotEffect {
    /// Asks this bot.
    #[must_use]
    pub fn new(
        bot: Arc<dyn Bot>,
        sealer: Arc<dyn BodySealer>,
        streams: Arc<dyn StreamStore>,
        commands: CommandWriter,
    ) -> Self {
        Self {
            name: Label::literal("bot"),
            bot,
            sealer,
            streams,
            commands,
        }
    }

    async fn turn(&self, turn: &Turn) -> Result<BotTurn> {
        let channel = channel_of(self.streams.as_ref(), turn.dialog).await?;
        let stream = StreamId::Dialog(turn.dialog);
        let from = Seq(turn.upto.seq.0.saturating_sub(EVENTS_MAX));
        let events = read_up_to(self.streams.as_ref(), &stream, from, turn.upto).await?;
        Ok(BotTurn {
            customer: turn.customer.clone(),
            dialog: turn.dialog,
            channel,
            seen: turn.upto.seq,
            said: self.said(&turn.customer, &events)?,
        })
    }

    /// What was said since the bot last got the dialog.
    fn said(&self, customer: &CustomerId, events: &[StreamEvent<Sealed>]) -> Result<Vec<Said>> {
        let mut said = Vec::new();
        for event in events {
            let Event::Dialog(event) = &event.event else {
                continue;
            };
            let (by_bot, body) = match event {
                DialogEvent::Opened { .. } | DialogEvent::Reopened { .. } => {
                    said.clear();
                    continue;
                }
                DialogEvent::Message {
                    author: Participant::Bot,
                    body,
                    ..
                } => (true, body),
                DialogEvent::Message {
                    author: Participant::Customer(_),
                    body,
                    ..
                } => (false, body),
                _ => continue,
            };
            said.push(Said {
                by_bot,
                content: self.sealer.open(customer, body)?,
            });
        }
        said.drain(..said.len().saturating_sub(BOT_HISTORY_MAX));
        Ok(said)
    }

    async fn answer(&self, turn: &Turn, work: &Work, reply: BotReply) -> Result<()> {
        let seal = |content| self.sealer.seal(&turn.customer, content);
        let replies = reply.says.iter().map(seal).collect::<Result<Vec<_>>>()?;
        let hand_over = reply
            .hand_over
            .map(|(queue, reason)| HandOver { queue, reason });
        if replies.is_empty() && hand_over.is_none() {
            return Ok(());
        }
        let command = Command::Customer(CustomerCommand::BotAnswer {
            dialog: turn.dialog,
            seen: turn.upto.seq,
            owner_epoch: turn.epoch,
            replies,
            hand_over,
        });
        let new = NewCommand {
            target: Target::Customer(turn.customer.clone()),
            author: Participant::Bot,
            assurance: None,
            id: CommandId::Internal,
            command,
            trace: work.decision.trace.clone(),
        };
        self.commands.write(new).await.map(drop).map_err(pauses)
    }
}

/// The bot's turn, as the events tell it.
#[derive(Debug)]
struct Turn {
    customer: CustomerId,
    dialog: DialogId,
    upto: Position,
    epoch: OwnerEpoch,
}

fn its_turn(appended: &Appended) -> Option<Turn> {
    let Access::Dialog {
        customer,
        epoch,
        phase: Phase::Bot,
        ..
    } = &appended.access
    else {
        return None;
    };
    let StreamId::Dialog(dialog) = appended.stream else {
        return None;
    };
    let asks = |event: &StreamEvent<Sealed>| {
        matches!(
            &event.event,
            Event::Dialog(
                DialogEvent::Opened { .. }
                    | DialogEvent::Reopened { .. }
                    | DialogEvent::Message {
                        author: Participant::Customer(_),
                        ..
                    }
            )
        )
    };
    appended.events.iter().any(asks).then(|| Turn {
        customer: customer.clone(),
        dialog,
        upto: appended.upto(),
        epoch: *epoch,
    })
}

#[async_trait]
impl Effect for BotEffect {
    fn name(&self) -> &Label {
        &self.name
    }

    fn wants(&self, appended: &Appended) -> bool {
        its_turn(appended).is_some()
    }

    async fn run(&self, work: &Work) -> Result<()> {
        let Some(turn) = work.appended().and_then(its_turn) else {
            return Ok(());
        };
        let told = self.turn(&turn).await?;
        let reply = self.bot.answer(&told).await?;
        self.answer(&turn, work, reply).await
    }

    /// A bot that fails gives the dialog to people.
    async fn give_up(&self, work: &Work, _: &Label) -> Result<()> {
        let Some(turn) = work.appended().and_then(its_turn) else {
            return Ok(());
        };
        let hand_over = Some((None, Label::literal("failed")));
        self.answer(
            &turn,
            work,
            BotReply {
                says: Vec::new(),
                hand_over,
            },
        )
        .await
    }
}
