//! Building a [`Chat`].

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, Hasher},
    sync::Arc,
};

use super::{Chat, Inner, NodeRole, parts::Parts};
use crate::{
    bot::Bot,
    channel::ChannelAdapter,
    dialog::DialogSettings,
    effects::EffectsConfig,
    engine::{Engine, EngineConfig},
    error::{Error, ErrorKind, Result},
    identity::{BodySealer, NoRedaction, PlainSealer, Redactor},
    ids::{ChannelId, DeskId, Node, NodeEpoch, NodeId},
    ports::Ports,
    push::PushNotifier,
    queue::AssignmentPolicy,
    queue::DeskConfig,
    routing::{Edge, Hub, HubConfig, SessionConfig, admission::Rules},
};

/// Builds a [`Chat`]. Everything but the ports has a default.
#[derive(Debug)]
pub struct ChatBuilder {
    ports: Ports,
    node: NodeId,
    epoch: Option<NodeEpoch>,
    role: NodeRole,
    redactor: Arc<dyn Redactor>,
    sealer: Arc<dyn BodySealer>,
    rules: Rules,
    desks: BTreeMap<DeskId, DeskConfig>,
    hub: HubConfig,
    engine: EngineConfig,
    session: SessionConfig,
    parts: Parts,
}

impl ChatBuilder {
    pub(super) fn new(ports: Ports) -> Self {
        Self {
            ports,
            node: NodeId::literal("node"),
            epoch: None,
            role: NodeRole::default(),
            redactor: Arc::new(NoRedaction),
            sealer: Arc::new(PlainSealer),
            rules: Rules::default(),
            desks: BTreeMap::new(),
            hub: HubConfig::default(),
            engine: EngineConfig::default(),
            session: SessionConfig::default(),
            parts: Parts::default(),
        }
    }

    /// The node's name, unique among the nodes that share the ports. Default `node`.
    #[must_use]
    pub fn with_node(mut self, node: NodeId) -> Self {
        self.node = node;
        self
    }

    /// The epoch of the node's life. Default: a random one. For tests.
    #[must_use]
    pub fn with_node_epoch(mut self, epoch: NodeEpoch) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// What the node does. Default: everything. All else is given to each node alike, whatever it
    /// does: a gateway, too, must know that there is a bot.
    #[must_use]
    pub fn with_role(mut self, role: NodeRole) -> Self {
        self.role = role;
        self
    }

    /// What takes out of contents what must not be written down. Default: nothing does.
    #[must_use]
    pub fn with_redactor(mut self, redactor: Arc<dyn Redactor>) -> Self {
        self.redactor = redactor;
        self
    }

    /// What seals contents. Default: [`PlainSealer`].
    #[must_use]
    pub fn with_sealer(mut self, sealer: Arc<dyn BodySealer>) -> Self {
        self.sealer = sealer;
        self
    }

    /// The rules for dialogs of channels that have none of their own.
    #[must_use]
    pub fn with_dialog_settings(mut self, settings: DialogSettings) -> Self {
        self.rules.settings = settings;
        self
    }

    /// The rules for dialogs of one channel.
    #[must_use]
    pub fn with_channel_settings(mut self, channel: ChannelId, settings: DialogSettings) -> Self {
        self.rules.settings_of.insert(channel, settings);
        self
    }

    /// The channels that sessions of customers may open dialogs in. Default `web` and `mobile`.
    #[must_use]
    pub fn with_own_channels(mut self, channels: impl IntoIterator<Item = ChannelId>) -> Self {
        self.rules.own_channels = channels.into_iter().collect();
        self
    }

    /// A desk with its rules. They are written down when the chat runs.
    #[must_use]
    pub fn with_desk(mut self, desk: DeskId, config: DeskConfig) -> Self {
        self.desks.insert(desk, config);
        self
    }

    /// How the node takes part.
    #[must_use]
    pub fn with_hub(mut self, config: HubConfig) -> Self {
        self.hub = config;
        self
    }

    /// Bounds and times of the engine.
    #[must_use]
    pub fn with_engine(mut self, config: EngineConfig) -> Self {
        self.engine = config;
        self
    }

    /// Bounds and times of sessions.
    #[must_use]
    pub fn with_sessions(mut self, config: SessionConfig) -> Self {
        self.session = config;
        self
    }

    /// The bot that meets customers. Without one their dialogs wait for a person at once.
    #[must_use]
    pub fn with_bot(mut self, bot: Arc<dyn Bot>) -> Self {
        self.parts.bot = Some(bot);
        self
    }

    /// Calls customers back who are away. Default: nobody is called.
    #[must_use]
    pub fn with_push(mut self, push: Arc<dyn PushNotifier>) -> Self {
        self.parts.push = Some(push);
        self
    }

    /// Connects a messenger; what comes in goes to [`Chat::channel`].
    #[must_use]
    pub fn with_channel(mut self, adapter: Arc<dyn ChannelAdapter>) -> Self {
        self.parts.channels.push(adapter);
        self
    }

    /// Adds an assignment policy. All nodes must have the same.
    #[must_use]
    pub fn with_policy(mut self, policy: Arc<dyn AssignmentPolicy>) -> Self {
        self.parts.policies = self.parts.policies.with_policy(policy);
        self
    }

    /// How bot, pushes and channels are run.
    #[must_use]
    pub fn with_effects(mut self, config: EffectsConfig) -> Self {
        self.parts.effects = config;
        self
    }

    /// Checks everything and puts it together. Does no I/O and starts nothing.
    ///
    /// # Errors
    /// `Invalid`, naming the value that can't be.
    pub fn build(mut self) -> Result<Chat> {
        self.validate()?;
        self.parts.rule(&mut self.rules);
        let effects = self.parts.effects(&self.ports, &self.sealer, &self.rules)?;
        let node = Node {
            id: self.node,
            epoch: self.epoch.unwrap_or_else(random_epoch),
        };
        let policies = self.parts.policies.clone();
        let engine = Engine::try_new(self.ports.clone(), node.clone(), policies, self.engine)?;
        self.parts.effects.decoded = engine.decoded();
        let edge = Edge {
            rules: self.rules,
            redactor: self.redactor,
            config: self.session,
        };
        Ok(Chat {
            inner: Arc::new(Inner {
                hub: Arc::new(Hub::new(self.ports, self.sealer, node, self.hub)),
                engine: Arc::new(engine),
                edge: Arc::new(edge),
                role: self.role,
                desks: self.desks.into_iter().collect(),
                effects,
                parts: self.parts,
            }),
        })
    }

    fn validate(&self) -> Result<()> {
        let at_least_one = [
            ("hub.sessions_max", self.hub.sessions_max),
            ("hub.work_max", self.hub.work_max),
            ("hub.page_max", self.hub.page_max),
            ("session.window", self.session.window),
            ("session.streams_max", self.session.streams_max),
            ("session.buffer.frames_max", self.session.buffer.frames_max),
            ("session.buffer.bytes_max", self.session.buffer.bytes_max),
            ("session.buffer.kept_max", self.session.buffer.kept_max),
            ("session.follower.tail", self.session.follower.tail),
        ];
        let zero = at_least_one.iter().find(|(_, value)| *value == 0);
        if let Some((name, _)) = zero {
            return Err(invalid("must be at least 1").with_context("value", name));
        }
        let times = [
            ("hub.lease_ttl", self.hub.lease_ttl),
            ("hub.head_check_interval", self.hub.head_check_interval),
            ("hub.call_timeout", self.hub.call_timeout),
            ("session.append_timeout", self.session.append_timeout),
        ];
        let zero = times.iter().find(|(_, value)| value.is_zero());
        if let Some((name, _)) = zero {
            return Err(invalid("must be more than nothing").with_context("value", name));
        }
        let settings = self.rules.settings_of.values();
        for settings in settings.chain([&self.rules.settings]) {
            let queue = &settings.queue;
            let desk = self.desks.get(&queue.desk);
            if desk.is_some_and(|desk| !desk.queues.contains_key(&queue.queue)) {
                return Err(invalid("the desk has no such queue")
                    .with_context("desk", &queue.desk)
                    .with_context("queue", &queue.queue));
            }
        }
        Ok(())
    }
}

pub(super) fn invalid(why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, "build a chat").with_context("reason", why)
}

/// Another one at each start: the standard library's hash keys are random.
fn random_epoch() -> NodeEpoch {
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u8(0);
    NodeEpoch(hasher.finish())
}
