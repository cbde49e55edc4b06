//! How events change what a desk knows. Infallible: whatever is wrong was refused before.

use std::sync::Arc;

use super::{
    command::{DeskConfig, OperatorStatus},
    event::{BoardEvent, Presence},
    index::{Index, Place},
    pace::{Behind, Pace},
    state::{DeskState, GrantRecord, GrantState, Moment, Operator, Reconcile, Waiting},
};
use crate::{
    clock::Timestamp,
    dialog::Granted,
    ids::{DialogId, GrantId, QueueId, Seq, StaffId},
};

impl DeskState {
    pub(super) fn apply_board(&mut self, event: &BoardEvent, moment: Moment) {
        match event {
            BoardEvent::Configured(config) => self.apply_config(config),
            BoardEvent::Waiting {
                wait,
                boost,
                by_hand,
            } => self.apply_waiting(Waiting {
                wait: wait.clone(),
                boost: *boost,
                by_hand: *by_hand,
            }),
            BoardEvent::Left { dialog } => self.apply_left(*dialog),
            BoardEvent::Operator {
                operator,
                presence,
                status,
                since,
                nodes,
            } => self.apply_operator(
                operator,
                Operator {
                    presence: *presence,
                    status: *status,
                    since: *since,
                    free_since: moment.at,
                    nodes: nodes.clone(),
                    lost: (*presence == Presence::Lost).then_some(moment),
                },
            ),
            BoardEvent::Silence { from, to } => self.apply_silence(*from, *to, moment.seq),
            BoardEvent::Matching { more } => self.core.matching = more.then_some(moment),
            of_grants => self.apply_to_grants(of_grants, moment),
        }
    }

    fn apply_to_grants(&mut self, event: &BoardEvent, moment: Moment) {
        match event {
            BoardEvent::Granted {
                grant,
                dialog,
                what,
                customer,
                operator,
                by,
                ..
            } => {
                let from = dialog.and_then(|dialog| self.granted_from(dialog, what));
                if let Some(from) = &from {
                    self.moved_on(from, moment.at);
                }
                let record = GrantRecord {
                    dialog: *dialog,
                    customer: customer.clone(),
                    operator: operator.clone(),
                    by: by.clone(),
                    granted: moment,
                    state: GrantState::Sent {
                        what: what.clone(),
                        from,
                        sent: moment,
                    },
                };
                self.apply_granted(*grant, record);
            }
            BoardEvent::Held {
                grant,
                dialog,
                epoch,
            } => self.change_grant(*grant, |record| {
                record.dialog = Some(*dialog);
                record.state = GrantState::Held {
                    epoch: *epoch,
                    since: moment,
                    asked: false,
                };
            }),
            BoardEvent::Refused { grant, .. } => self.drop_grant(*grant, None),
            BoardEvent::Freed { grant, .. } | BoardEvent::Repaired { grant } => {
                self.drop_grant(*grant, Some(moment.at));
            }
            BoardEvent::Resent { grants } => self.apply_resent(grants, moment),
            BoardEvent::Confirming { grants, more_after } => {
                self.apply_confirming(grants);
                self.core.reconcile = Reconcile {
                    last: moment,
                    more_after: *more_after,
                };
            }
            BoardEvent::Configured(_)
            | BoardEvent::Waiting { .. }
            | BoardEvent::Left { .. }
            | BoardEvent::Operator { .. }
            | BoardEvent::Silence { .. }
            | BoardEvent::Matching { .. } => {}
        }
    }

    fn apply_config(&mut self, config: &DeskConfig) {
        self.core.config = Arc::new(config.clone());
        let leaving: Vec<StaffId> = self
            .core
            .operators
            .keys()
            .filter(|operator| !self.is_kept(operator))
            .cloned()
            .collect();
        for operator in &leaving {
            self.core.operators.remove_mut(operator);
        }
        let queues = self.core.paces.keys();
        let gone: Vec<QueueId> = queues
            .filter(|queue| !config.queues.contains_key(*queue))
            .cloned()
            .collect();
        for queue in &gone {
            self.core.paces.remove_mut(queue);
        }
        self.index = Index::of(&self.core);
    }

    fn apply_waiting(&mut self, waiting: Waiting) {
        let dialog = waiting.wait.dialog;
        self.leaves_line(dialog);
        let queue = waiting.wait.queue.clone();
        let last = self.index.last(&queue);
        let before_others = last.is_some_and(|last| Place::of(&waiting) < last);
        let by_hand = waiting.by_hand;
        self.index.enter(&waiting);
        self.core.waiting.insert_mut(dialog, waiting);
        self.change_pace(&queue, |pace| {
            if by_hand {
                pace.put_back();
            } else {
                pace.came(before_others);
            }
        });
    }

    /// Not for an operator.
    fn leaves_line(&mut self, dialog: DialogId) {
        if let Some(left) = self.take_waiting(dialog)
            && self.index.head(&left.wait.queue).is_none()
        {
            self.change_pace(&left.wait.queue, Pace::emptied);
        }
    }

    /// Only of queues that the rules name: so many are remembered, and no more.
    fn change_pace(&mut self, queue: &QueueId, change: impl FnOnce(&mut Pace)) {
        if !self.core.config.queues.contains_key(queue) {
            return;
        }
        if self.core.paces.get(queue).is_none() {
            self.core.paces.insert_mut(queue.clone(), Pace::default());
        }
        if let Some(pace) = self.core.paces.get_mut(queue) {
            change(pace);
        }
    }

    fn take_waiting(&mut self, dialog: DialogId) -> Option<Waiting> {
        let waiting = self.core.waiting.get(&dialog)?.clone();
        self.index.leave(&waiting);
        self.core.waiting.remove_mut(&dialog);
        Some(waiting)
    }

    /// Also forgets the places of grants that are out, so that none of them is put back.
    fn apply_left(&mut self, dialog: DialogId) {
        self.leaves_line(dialog);
        for grant in self.index.grants_of_dialog(dialog) {
            self.change_grant(grant, |record| {
                if let GrantState::Sent { from, .. } = &mut record.state {
                    *from = None;
                }
            });
        }
    }

    fn granted_from(&mut self, dialog: DialogId, what: &Granted) -> Option<Waiting> {
        match what {
            Granted::Waiting { .. } => self.take_waiting(dialog),
            Granted::TakeOver { .. } | Granted::New { .. } => None,
        }
    }

    fn moved_on(&mut self, granted: &Waiting, at: Timestamp) {
        let queue = &granted.wait.queue;
        let behind = self.index.head(queue).map(|head| {
            if !granted.by_hand && head < Place::of(granted) {
                Behind::PassedOver
            } else {
                Behind::Later
            }
        });
        self.change_pace(queue, |pace| pace.granted(at, behind));
    }

    fn apply_operator(&mut self, operator: &StaffId, mut now: Operator) {
        let before = self.core.operators.get(operator);
        if let Some(before) = before {
            let became_free = now.status == OperatorStatus::Available
                && (before.status != now.status || before.presence == Presence::Gone);
            if !became_free {
                now.free_since = before.free_since;
            }
            // The grace runs from where it began, whatever else changes meanwhile.
            now.lost = now.lost.map(|lost| before.lost.unwrap_or(lost));
        }
        self.core.operators.insert_mut(operator.clone(), now);
        self.forget_stranger(operator);
        self.index.refresh(&self.core, operator);
    }

    /// What began before goes on as if the silence had not been; a timer of before is void.
    fn apply_silence(&mut self, from: Timestamp, to: Timestamp, seq: Seq) {
        let lost: Vec<StaffId> = self.index.lost().cloned().collect();
        for operator in lost {
            if let Some(one) = self.core.operators.get_mut(&operator)
                && let Some(lost) = one.lost.as_mut()
                && lost.at.max(from) < to
            {
                let silent = to.since(lost.at.max(from));
                *lost = Moment {
                    at: lost.at.plus(silent),
                    seq,
                };
            }
            self.index.refresh(&self.core, &operator);
        }
    }

    fn apply_granted(&mut self, grant: GrantId, record: GrantRecord) {
        let operator = record.operator.clone();
        if let Some(one) = self.core.operators.get_mut(&operator) {
            one.free_since = record.granted.at;
        }
        self.core.last_grant = self.core.last_grant.max(grant);
        self.index.add_grant(grant, &record);
        self.core.grants.insert_mut(grant, record);
        self.index.refresh(&self.core, &operator);
    }

    /// Keeps the indexes true while a grant changes in place.
    fn change_grant(&mut self, grant: GrantId, change: impl FnOnce(&mut GrantRecord)) {
        if let Some(record) = self.core.grants.get_mut(&grant) {
            self.index.remove_grant(grant, record);
            change(record);
            self.index.add_grant(grant, record);
        }
    }

    fn drop_grant(&mut self, grant: GrantId, freed_at: Option<Timestamp>) {
        let Some(record) = self.core.grants.get(&grant).cloned() else {
            return;
        };
        self.index.remove_grant(grant, &record);
        self.core.grants.remove_mut(&grant);
        if let (Some(at), Some(one)) = (freed_at, self.core.operators.get_mut(&record.operator)) {
            one.free_since = at;
        }
        self.forget_stranger(&record.operator);
        self.index.refresh(&self.core, &record.operator);
    }

    fn apply_resent(&mut self, grants: &[GrantId], moment: Moment) {
        for grant in grants {
            self.change_grant(*grant, |record| {
                if let GrantState::Sent { sent, .. } = &mut record.state {
                    *sent = moment;
                }
            });
        }
    }

    fn apply_confirming(&mut self, grants: &[GrantId]) {
        for grant in grants {
            self.change_grant(*grant, |record| {
                if let GrantState::Held { asked, .. } = &mut record.state {
                    *asked = true;
                }
            });
        }
    }

    fn is_kept(&self, operator: &StaffId) -> bool {
        self.core.config.operators.contains_key(operator)
            || self.index.used(operator) > 0
            || self
                .core
                .operators
                .get(operator)
                .is_some_and(|one| one.presence != Presence::Gone)
    }

    /// Whoever does not belong here is forgotten once they are gone and hold nothing.
    fn forget_stranger(&mut self, operator: &StaffId) {
        if !self.is_kept(operator) {
            self.core.operators.remove_mut(operator);
        }
    }
}
