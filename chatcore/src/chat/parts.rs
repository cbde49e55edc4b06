//! What an embedder adds to a chat: the bot, pushes, channels, policies.

use std::sync::Arc;

use super::builder::invalid;
use crate::{
    bot::Bot,
    channel::ChannelAdapter,
    commands::CommandWriter,
    effects::{
        ArchiveEffect, BotEffect, ChannelEffect, Effect, EffectsConfig, IndexEffect, PushEffect,
    },
    error::Result,
    identity::BodySealer,
    ports::Ports,
    push::PushNotifier,
    queue::Policies,
    routing::admission::Rules,
};

/// The embedder's hooks that run beside the engine.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) bot: Option<Arc<dyn Bot>>,
    pub(super) push: Option<Arc<dyn PushNotifier>>,
    pub(super) channels: Vec<Arc<dyn ChannelAdapter>>,
    pub(super) policies: Policies,
    pub(super) effects: EffectsConfig,
}

impl Parts {
    /// Without a bot nobody would ever answer a dialog that it has: such dialogs wait at once.
    pub(super) fn rule(&self, rules: &mut Rules) {
        if self.bot.is_none() {
            rules.settings.bot = false;
            for settings in rules.settings_of.values_mut() {
                settings.bot = false;
            }
        }
    }

    /// The effects that these hooks ask for, and those that every chat has.
    pub(super) fn effects(
        &self,
        ports: &Ports,
        sealer: &Arc<dyn BodySealer>,
        rules: &Rules,
    ) -> Result<Vec<Arc<dyn Effect>>> {
        let streams = &ports.streams;
        let commands = CommandWriter::new(ports.journal.clone());
        let mut effects: Vec<Arc<dyn Effect>> = vec![
            Arc::new(IndexEffect::new(ports.index.clone())),
            Arc::new(ArchiveEffect::new(
                ports.archive.clone(),
                streams.clone(),
                commands.clone(),
            )),
        ];
        if let Some(bot) = &self.bot {
            let bot = BotEffect::new(bot.clone(), sealer.clone(), streams.clone(), commands);
            effects.push(Arc::new(bot));
        }
        if let Some(push) = &self.push {
            effects.push(Arc::new(PushEffect::new(push.clone(), streams.clone())));
        }
        for (i, adapter) in self.channels.iter().enumerate() {
            let id = adapter.id();
            if rules.own_channels.contains(id) {
                return Err(
                    invalid("sessions write in this channel, an adapter can't have it")
                        .with_context("channel", id),
                );
            }
            if self.channels.iter().take(i).any(|other| other.id() == id) {
                return Err(invalid("two adapters have one channel").with_context("channel", id));
            }
            let commands = CommandWriter::new(ports.journal.clone());
            let effect =
                ChannelEffect::try_new(adapter.clone(), sealer.clone(), streams.clone(), commands)?;
            effects.push(Arc::new(effect));
        }
        Ok(effects)
    }
}
