//! Automatic queues: dialogs in order to operators who are ready, until none fits.

use std::collections::BTreeMap;

use super::{
    command::{Assignment, QueueConfig},
    draft::Draft,
    event::BoardEvent,
    index::{Place, Unready},
    limits::MATCH_MAX,
    policy::{Candidate, Offered},
    state::DeskState,
};
use crate::ids::{DialogId, Participant, QueueId};

impl Draft<'_> {
    /// Grants the first dialog of all automatic queues that somebody can serve, again and again.
    /// Each grant takes a dialog out of the line, so that this ends; after
    /// [`MATCH_MAX`] of them it goes on in a step of its own, so that no decision is too large.
    pub(super) fn match_all(&mut self) {
        let mut granted = 0;
        let mut more = false;
        while let Some(dialog) = self.state.next_match() {
            more = granted == MATCH_MAX;
            if more || !self.grant_by_policy(dialog) {
                break;
            }
            granted += 1;
        }
        if more || self.state.core.matching.is_some() {
            self.happens(BoardEvent::Matching { more });
        }
    }

    fn grant_by_policy(&mut self, dialog: DialogId) -> bool {
        let Some(waiting) = self.state.core.waiting.get(&dialog).cloned() else {
            return false;
        };
        let queue = &waiting.wait.queue;
        let assignment = self
            .state
            .core
            .config
            .queues
            .get(queue)
            .map(|config| config.assignment.clone())
            .unwrap_or_default();
        let offered = Offered {
            wait: &waiting.wait,
            boost: waiting.boost,
            at: self.cx.at,
        };
        let mut choice = self
            .policies
            .choose(&assignment, &offered, &self.state.candidates(queue));
        let Some(operator) = choice.operator.take() else {
            return false;
        };
        choice.reason.refused = self.state.refusals(queue);
        self.grant_waiting(&waiting.wait, operator, Participant::System, choice.reason);
        true
    }
}

impl DeskState {
    /// The first in order of all dialogs that somebody can be given automatically.
    pub(super) fn next_match(&self) -> Option<DialogId> {
        self.core
            .config
            .queues
            .iter()
            .filter(|(_, config)| is_automatic(config))
            .filter_map(|(queue, _)| {
                let head: Place = self.index.head(queue)?;
                self.index.ready(queue).next().map(|_| head)
            })
            .min()
            .map(|place| place.dialog)
    }

    fn candidates<'a>(&'a self, queue: &QueueId) -> Vec<Candidate<'a>> {
        self.index
            .ready(queue)
            .filter_map(|operator| {
                Some(Candidate {
                    operator,
                    config: self.core.config.operators.get(operator)?,
                    used: self.index.used(operator),
                    free_since: self.core.operators.get(operator)?.free_since,
                })
            })
            .collect()
    }

    fn refusals(&self, queue: &QueueId) -> BTreeMap<String, u32> {
        let mut counts: BTreeMap<Unready, u32> = BTreeMap::new();
        for (operator, config) in &self.core.config.operators {
            let why = if config.queues.contains(queue) {
                self.index.unready(&self.core, operator)
            } else {
                Some(Unready::OtherQueue)
            };
            if let Some(why) = why {
                *counts.entry(why).or_default() += 1;
            }
        }
        counts
            .into_iter()
            .map(|(why, count)| (why.name().to_owned(), count))
            .collect()
    }
}

pub(super) fn is_automatic(config: &QueueConfig) -> bool {
    config.assignment != Assignment::Manual
}
