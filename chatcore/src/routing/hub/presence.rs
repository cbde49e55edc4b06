//! Which operators are here: `Came` with the first session on this node, `Lost` with the last.
//!
//! The wish is kept, not the changes: whatever happened meanwhile, what is journaled next is how
//! it is now. One append at a time, so that they are journaled in order.

use std::collections::BTreeMap;

use super::Hub;
use crate::{
    commands::{CommandWriter, NewCommand},
    content::Sealed,
    error::Result,
    identity::Who,
    ids::{DeskId, StaffId, Target},
    queue::{DeskCommand, NodeName},
    record::Command,
    rights::{Action, Relations, Role, may},
};

/// The operators of this node.
#[derive(Debug, Default)]
pub(crate) struct Operators {
    here: BTreeMap<(DeskId, StaffId), Here>,
    /// Whether somebody may have to be told.
    changed: bool,
}

#[derive(Debug, Default)]
struct Here {
    sessions: usize,
    /// Whether `Came` was journaled last; none when that is not known.
    told: Option<bool>,
}

impl Operators {
    pub(super) fn came(&mut self, who: &Who) {
        if let Some((id, desk)) = serves(who) {
            let here = self.here.entry((desk.clone(), id.clone())).or_insert(Here {
                sessions: 0,
                told: Some(false),
            });
            here.sessions += 1;
            self.changed = true;
        }
    }

    pub(super) fn went(&mut self, who: &Who) {
        if let Some((id, desk)) = serves(who)
            && let Some(here) = self.here.get_mut(&(desk.clone(), id.clone()))
        {
            here.sessions = here.sessions.saturating_sub(1);
            self.changed = true;
        }
    }

    /// The node leaves: nobody is here any more.
    pub(super) fn all_went(&mut self) {
        self.changed = true;
        for here in self.here.values_mut() {
            here.sessions = 0;
        }
    }

    /// Others may have declared this node lost: tell all again.
    pub(super) fn forget_told(&mut self) {
        self.changed = true;
        for here in self.here.values_mut() {
            here.told = None;
        }
    }

    /// Who must be told next, and whether they are here.
    fn next(&mut self) -> Option<(DeskId, StaffId, bool)> {
        if !self.changed {
            return None;
        }
        let next = self
            .here
            .iter()
            .find(|(_, here)| here.told != Some(here.sessions > 0))
            .map(|((desk, id), here)| (desk.clone(), id.clone(), here.sessions > 0));
        self.changed = next.is_some();
        next
    }

    /// Who is told next. Until [`told`](Self::told) it is not known whether that was journaled: an
    /// append that failed may have happened.
    fn begin(&mut self) -> Option<(DeskId, StaffId, bool)> {
        let next = self.next();
        if let Some((desk, id, _)) = &next
            && let Some(here) = self.here.get_mut(&(desk.clone(), id.clone()))
        {
            here.told = None;
        }
        next
    }

    fn told(&mut self, desk: DeskId, id: StaffId, came: bool) {
        let key = (desk, id);
        if let Some(here) = self.here.get_mut(&key) {
            here.told = Some(came);
            if here.sessions == 0 && !came {
                self.here.remove(&key);
            }
        }
    }
}

/// Whoever looks on only is not told of as one who serves.
fn serves(who: &Who) -> Option<(&StaffId, &DeskId)> {
    match who {
        Who::Staff { id, desk, .. } if may(Role::from(who), Action::OwnStatus, Relations::DESK) => {
            Some((id, desk))
        }
        _ => None,
    }
}

impl Hub {
    /// Whether presence must be journaled.
    pub(crate) fn has_presence_to_tell(&self) -> bool {
        self.state().operators.next().is_some()
    }

    /// Journals what there is to tell; stops at the first that fails.
    pub(super) async fn tell_presence(&self) -> Result<()> {
        loop {
            let next = self.state().operators.begin();
            let Some((desk, id, came)) = next else {
                return Ok(());
            };
            let node = NodeName::from(&self.node);
            let operator = id.clone();
            let command = if came {
                DeskCommand::Came { operator, node }
            } else {
                DeskCommand::Lost { operator, node }
            };
            self.append_internal(Target::Desk(desk.clone()), Command::Desk(command))
                .await?;
            self.state().operators.told(desk, id, came);
        }
    }

    /// Appends a command of chatcore itself and waits until it is durable.
    ///
    /// # Errors
    /// As `Journal`.
    pub(crate) async fn append_internal(
        &self,
        target: Target,
        command: Command<Sealed>,
    ) -> Result<()> {
        let commands = CommandWriter::new(self.ports.journal.clone());
        commands
            .write(NewCommand::internal(target, command))
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::StaffRole;

    #[test]
    fn whoever_comes_back_while_it_is_not_known_whether_they_went_is_told_anew() {
        let (desk, id) = (DeskId::literal("main"), StaffId::try_new("oleg").unwrap());
        let who = Who::Staff {
            id: id.clone(),
            desk: desk.clone(),
            role: StaffRole::Operator,
        };
        for (came, then) in [(true, false), (false, true)] {
            let mut operators = Operators::default();
            let change = |operators: &mut Operators, came: bool| match came {
                true => operators.came(&who),
                false => operators.went(&who),
            };
            operators.came(&who);
            if !came {
                assert!(operators.begin().is_some());
                operators.told(desk.clone(), id.clone(), true);
                change(&mut operators, false);
            }
            let first = operators.begin();
            assert_eq!(first, Some((desk.clone(), id.clone(), came)));
            // The append fails, and was made or not.
            change(&mut operators, then);
            assert_eq!(operators.begin(), Some((desk.clone(), id.clone(), then)));
            operators.told(desk.clone(), id.clone(), then);
            assert_eq!(operators.begin(), None);
        }
    }
}
