//! Dialogs as a desk sees them from afar: they wait, are owned, close, and answer.

use std::collections::{BTreeSet, VecDeque};

use super::desk::{freed, held, staff, wait};
use crate::{
    content::Sealed,
    dialog::{CustomerCommand, Granted, Rejection},
    ids::{GrantId, OwnerEpoch},
    queue::{DeskCommand, Wait},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Life {
    Waits(Wait),
    Owned(GrantId),
    Closed,
}

/// One customer with one dialog. What it hears and says keeps its order.
#[derive(Debug)]
pub(super) struct Dialog {
    number: u64,
    pub(super) life: Life,
    pub(super) epoch: u64,
    /// Refuses for a reason that is none.
    pub(super) stubborn: bool,
    /// Grants that began it.
    begun: BTreeSet<GrantId>,
    pub(super) hears: VecDeque<CustomerCommand<Sealed>>,
    pub(super) says: VecDeque<DeskCommand>,
}

impl Dialog {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            life: Life::Closed,
            epoch: 0,
            stubborn: false,
            begun: BTreeSet::new(),
            hears: VecDeque::new(),
            says: VecDeque::new(),
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.hears.is_empty() && self.says.is_empty()
    }

    pub(super) fn waits(&mut self, wait: Wait, to: Option<&str>) {
        self.life = Life::Waits(wait.clone());
        self.says.push_back(match to {
            None => DeskCommand::Wait(wait),
            Some(operator) => DeskCommand::Pass {
                wait,
                operator: staff(operator),
            },
        });
    }

    pub(super) fn returns(&mut self, grant: GrantId, lost: bool, to: Option<&str>) {
        self.says.push_back(freed(self.number, grant));
        self.epoch += 1;
        let wait = Wait {
            lost,
            ..wait(self.number, self.epoch)
        };
        self.waits(wait, to);
    }

    pub(super) fn answers(&mut self, command: &CustomerCommand<Sealed>) {
        match command {
            CustomerCommand::Grant(grant) => self.is_granted(grant.grant, &grant.what),
            CustomerCommand::Confirm { grant, epoch, .. } => {
                let stands = self.life == Life::Owned(*grant) && self.epoch == epoch.0;
                let grant = *grant;
                self.says
                    .push_back(DeskCommand::Confirmed { grant, stands });
            }
            CustomerCommand::OwnerLost { grant, epoch, .. } => {
                if self.life == Life::Owned(*grant) && self.epoch == epoch.0 {
                    self.returns(*grant, true, None);
                }
            }
            other => panic!("no desk says {other:?}"),
        }
    }

    fn is_granted(&mut self, grant: GrantId, what: &Granted) {
        if self.life == Life::Owned(grant) {
            self.says.push_back(held(grant, self.number, self.epoch));
            return;
        }
        let stale = Rejection::StaleEpoch {
            current: OwnerEpoch(self.epoch),
        };
        let refusal = match (what, &self.life) {
            (Granted::Waiting { .. }, Life::Waits(_)) if self.stubborn => {
                Some(Rejection::Unreadable)
            }
            (Granted::Waiting { expected_epoch, .. }, Life::Waits(wait)) => {
                (wait.epoch != *expected_epoch).then_some(stale)
            }
            (Granted::TakeOver { expected_epoch, .. }, Life::Owned(before)) => {
                let fits = self.epoch == expected_epoch.0;
                if fits {
                    self.says.push_back(freed(self.number, *before));
                }
                (!fits).then_some(stale)
            }
            // Begun once; the same grant again finds it ended.
            (Granted::New { .. }, Life::Closed) if self.begun.insert(grant) => None,
            (_, Life::Closed) => Some(Rejection::Closed),
            _ => Some(Rejection::NotWaiting),
        };
        if let Some(reason) = refusal {
            self.says.push_back(DeskCommand::Refused { grant, reason });
        } else {
            self.epoch += 1;
            self.life = Life::Owned(grant);
            self.says.push_back(held(grant, self.number, self.epoch));
        }
    }
}
