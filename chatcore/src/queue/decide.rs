//! What a command leads to.

use super::{
    command::{DeskCommand, DeskConfig, DeskTimer},
    draft::{Draft, Step},
    event::BoardEvent,
    limits::{OPERATORS_MAX, QUEUES_MAX},
    policy::Policies,
    state::DeskState,
};
use crate::{
    dialog::Rejection,
    machine::{Context, Decided},
    rights::{Action, Relations, Role, may},
    sabotage::{Switch, on},
};

impl DeskState {
    /// What the command leads to; nothing is done yet. After every command automatic queues are
    /// matched, so that no operator who could serve is idle while a dialog waits there.
    ///
    /// Commands that chatcore itself sends (answers of dialogs, presence, timers) are harmless
    /// when they come again: they are accepted with no event, or rejected as void.
    #[must_use]
    pub fn decide(&self, command: &DeskCommand, cx: &Context, policies: &Policies) -> Decided {
        let mut draft = Draft::new(self, cx, policies);
        let outcome = match self.authorise(command, cx) {
            Ok(()) => draft.take_in(command),
            Err(why) => Err(why),
        };
        if outcome.is_ok() && (draft.is_changed() || draft.state.core.matching.is_some()) {
            draft.match_all();
        }
        draft.finish(outcome)
    }

    /// Refuses whoever may not, by the table of rights. That a participant is who they say was
    /// checked at admission.
    fn authorise(&self, command: &DeskCommand, cx: &Context) -> Result<(), Rejection> {
        let role = Role::of(&cx.author, cx.rights.as_ref());
        let action = Action::at_desk(command, &cx.author);
        let rights = cx.rights.as_ref();
        let relations = rights.map_or(Relations::NONE, |rights| {
            Relations::to_desk(&rights.desk, self.desk())
        });
        if may(role, action, relations) {
            Ok(())
        } else {
            Err(Rejection::Forbidden)
        }
    }
}

impl Draft<'_> {
    fn take_in(&mut self, command: &DeskCommand) -> Step {
        match command {
            DeskCommand::Wait(wait) => self.wait(wait).map(|_| Some(wait.dialog)),
            DeskCommand::Leave { dialog, epoch } => self.leave(*dialog, *epoch),
            DeskCommand::Pass { wait, operator } => self.pass(wait, operator),
            DeskCommand::Take { dialog } => self.take(*dialog),
            DeskCommand::Assign {
                dialog,
                operator,
                over_capacity,
            } => self.assign(*dialog, operator, *over_capacity),
            DeskCommand::Begin {
                customer,
                channel,
                queue,
                settings,
            } => self.begin(customer, channel, queue, settings),
            DeskCommand::Came { operator, node } => self.came(operator, node),
            DeskCommand::Lost { operator, node } => self.lost(operator, node),
            DeskCommand::Status { operator, status } => self.set_status(operator, *status),
            DeskCommand::Held {
                grant,
                dialog,
                customer,
                epoch,
            } => self.held(*grant, *dialog, customer, *epoch),
            DeskCommand::Refused { grant, reason } => self.refused(*grant, reason),
            DeskCommand::Freed { dialog, grant } => self.freed(*dialog, *grant),
            DeskCommand::Confirmed { grant, stands } => self.confirmed(*grant, *stands),
            DeskCommand::Configure(config) => self.configure(config),
            DeskCommand::Silence { from, to } => self.silence(*from, *to),
            DeskCommand::Timer { key, generation } => self.timer(key, *generation),
        }
    }

    fn configure(&mut self, config: &DeskConfig) -> Step {
        at_most(config.queues.len(), QUEUES_MAX)?;
        at_most(config.operators.len(), OPERATORS_MAX)?;
        if *self.state.core.config != *config {
            self.happens(BoardEvent::Configured(config.clone()));
        }
        Ok(None)
    }

    fn timer(&mut self, key: &DeskTimer, generation: u64) -> Step {
        let in_force = self.state.due_of(key).is_some_and(|due| {
            (due.generation == generation && due.at <= self.cx.at) || on(Switch::TimerUnchecked)
        });
        if !in_force {
            return Err(Rejection::Void);
        }
        match key {
            DeskTimer::Grace(operator) => self.grace_ends(operator),
            DeskTimer::Resend => self.resend(),
            DeskTimer::Reconcile => self.reconcile(),
            // Matching follows every command.
            DeskTimer::Match => {}
        }
        Ok(None)
    }
}

fn at_most(count: usize, limit: usize) -> Result<(), Rejection> {
    if count <= limit {
        return Ok(());
    }
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    Err(Rejection::TooMany { limit })
}
