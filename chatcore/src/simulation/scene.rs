//! The bank of every run: its desk, its queues, its bot.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{node::LEASE, world::SimPush};
use crate::{
    bot::{Bot, BotReply, BotRules, BotTurn, RuleBot},
    chat::Chat,
    dialog::DialogSettings,
    engine::EngineConfig,
    error::Result,
    ids::{ChannelId, CustomerId, DeskId, Node, NodeId, QueueId, QueueRef, StaffId},
    ports::Ports,
    queue::{Assignment, DeskConfig, OperatorConfig, QueueConfig},
    routing::{HubConfig, SessionConfig},
};

/// Customers of a run.
pub(super) const CUSTOMERS: usize = 20;
/// Operators of a run; the first is a supervisor.
pub(super) const OPERATORS: usize = 5;

/// The only desk.
pub(super) fn desk() -> DeskId {
    DeskId::literal("main")
}

/// The name of a node.
pub(super) fn node_name(number: usize) -> Result<NodeId> {
    Ok(NodeId::try_new(format!("node-{number}"))?)
}

/// The name of a customer.
pub(super) fn customer(number: usize) -> Result<CustomerId> {
    Ok(CustomerId::try_new(format!("customer-{number}"))?)
}

/// The name of an operator.
pub(super) fn operator(number: usize) -> Result<StaffId> {
    Ok(StaffId::try_new(format!("operator-{number}"))?)
}

fn queue(name: &'static str) -> QueueRef {
    QueueRef {
        desk: desk(),
        queue: QueueId::literal(name),
    }
}

/// The queue that operators take from.
pub(super) fn by_hand() -> QueueRef {
    queue("general")
}

/// The queue that is shared out by itself.
pub(super) fn by_itself() -> QueueRef {
    queue("cards")
}

fn desk_rules() -> Result<DeskConfig> {
    let queues = [by_hand().queue, by_itself().queue];
    let mut operators = BTreeMap::new();
    for number in 0..OPERATORS {
        let config = OperatorConfig {
            name: format!("Operator {number}"),
            capacity: 2 + u16::try_from(number % 3).unwrap_or(0),
            queues: queues.iter().cloned().collect(),
        };
        operators.insert(operator(number)?, config);
    }
    let [general, cards] = queues;
    let shared_out = QueueConfig {
        title: "Cards".to_owned(),
        assignment: Assignment::LongestFree,
    };
    Ok(DeskConfig {
        queues: BTreeMap::from([(general, QueueConfig::default()), (cards, shared_out)]),
        operators,
        grace_ms: 10_000,
        grant_resend_ms: 3_000,
        reconcile_ms: 15_000,
    })
}

/// The bot, who takes a while for some answers: what is under way when a node dies is lost with it.
#[derive(Debug)]
struct SlowBot(RuleBot);

#[async_trait]
impl Bot for SlowBot {
    async fn answer(&self, turn: &BotTurn) -> Result<BotReply> {
        let ms = (turn.dialog.0 * 7 + turn.seen.0 * 131) % 800;
        if ms > 400 {
            tokio::time::sleep(Duration::from_millis(ms - 400)).await;
        }
        self.0.answer(turn).await
    }
}

fn bot() -> Result<SlowBot> {
    let rules = RuleBot::try_new(BotRules {
        greeting: "good day".to_owned(),
        rules: Vec::new(),
        person_button: "a person".to_owned(),
        person_words: vec!["person".to_owned()],
        handing_over: "somebody will come".to_owned(),
        not_understood: "pardon".to_owned(),
        failures_max: 2,
        queue: None,
    })?;
    Ok(SlowBot(rules))
}

/// The chat of a node.
pub(super) fn chat(ports: Ports, node: &Node, push: Arc<SimPush>) -> Result<Chat> {
    let settings = |queue: QueueRef, bot: bool| DialogSettings {
        queue,
        bot,
        wrap_up_ms: 20_000,
        ..DialogSettings::default()
    };
    let engine = EngineConfig {
        snapshot_decisions: 20,
        // Long enough for a node that renews its lease late.
        node_lost_after: LEASE + Duration::from_secs(2),
        ..EngineConfig::default()
    };
    let hub = HubConfig {
        lease_ttl: LEASE,
        head_check_interval: Duration::from_secs(5),
        page_max: 20,
        ..HubConfig::default()
    };
    let sessions = SessionConfig {
        expiry_warning: Duration::from_secs(4),
        ..SessionConfig::default()
    };
    Chat::builder(ports)
        .with_node(node.id.clone())
        .with_node_epoch(node.epoch)
        .with_desk(desk(), desk_rules()?)
        .with_channel_settings(ChannelId::literal("web"), settings(by_hand(), true))
        .with_channel_settings(ChannelId::literal("mobile"), settings(by_itself(), false))
        .with_bot(Arc::new(bot()?))
        .with_push(push)
        .with_engine(engine)
        .with_hub(hub)
        .with_sessions(sessions)
        .build()
}
