//! Operators who come, vanish, and say what they are ready for.

use super::{
    command::{NodeName, OperatorStatus},
    draft::{Draft, Step},
    event::{BoardEvent, Presence},
    limits::{NODES_MAX, OPERATORS_MAX},
    state::Operator,
};
use crate::{clock::Timestamp, dialog::Rejection, ids::StaffId};

impl Draft<'_> {
    /// Also kept of somebody whom the rules do not name (yet): they may be named while they are
    /// here, and nobody would tell again that they came. They take nothing until then.
    pub(super) fn came(&mut self, operator: &StaffId, node: &NodeName) -> Step {
        let known = self.state.core.operators.get(operator);
        let is_stranger = known.is_none() && self.state.require_known(operator).is_err();
        if is_stranger && self.state.core.operators.size() >= 2 * OPERATORS_MAX {
            return Err(Rejection::UnknownOperator);
        }
        let mut one = known.cloned().unwrap_or_default();
        let is_new = one.nodes.len() < NODES_MAX && one.nodes.insert(node.clone());
        if is_new || one.presence != Presence::Online {
            self.becomes(operator, one, Presence::Online);
        }
        Ok(None)
    }

    /// The last node gone, the grace begins; status and dialogs are kept.
    pub(super) fn lost(&mut self, operator: &StaffId, node: &NodeName) -> Step {
        if let Some(mut one) = self.state.core.operators.get(operator).cloned()
            && one.nodes.remove(node)
        {
            let presence = if one.nodes.is_empty() {
                Presence::Lost
            } else {
                one.presence
            };
            self.becomes(operator, one, presence);
        }
        Ok(None)
    }

    /// Told again, at most a whole grace is left from the end of the silence.
    pub(super) fn silence(&mut self, from: Timestamp, to: Timestamp) -> Step {
        let to = to.min(self.cx.at);
        let is_extended = |operator: &StaffId| {
            let one = self.state.core.operators.get(operator);
            one.and_then(|one| one.lost)
                .is_some_and(|lost| lost.at.max(from) < to)
        };
        if self.state.index.lost().any(is_extended) {
            self.happens(BoardEvent::Silence { from, to });
        }
        Ok(None)
    }

    /// Whoever takes nothing gets nothing; what they have stays with them.
    pub(super) fn set_status(&mut self, operator: &StaffId, status: OperatorStatus) -> Step {
        self.state.require_known(operator)?;
        let mut one = self
            .state
            .core
            .operators
            .get(operator)
            .cloned()
            .unwrap_or_default();
        if one.status != status {
            one.status = status;
            one.since = self.cx.at;
            let presence = one.presence;
            self.becomes(operator, one, presence);
        }
        Ok(None)
    }

    /// The dialogs that they own return to their queues. A grant that is still out is told when
    /// it is answered, if they are not back by then.
    pub(super) fn grace_ends(&mut self, operator: &StaffId) {
        let Some(mut one) = self.state.core.operators.get(operator).cloned() else {
            return;
        };
        one.status = OperatorStatus::Away;
        one.nodes.clear();
        self.becomes(operator, one, Presence::Gone);
        for grant in self.state.index.grants_of_operator(operator) {
            self.owner_lost(grant);
        }
    }

    fn becomes(&mut self, operator: &StaffId, one: Operator, presence: Presence) {
        let since = if one.presence == presence {
            one.since
        } else {
            self.cx.at
        };
        self.happens(BoardEvent::Operator {
            operator: operator.clone(),
            presence,
            status: one.status,
            since,
            nodes: one.nodes,
        });
    }
}
