//! Firing timers: a due-line becomes a command, which says which setting of the timer it fires.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{context::Context, lane::Lane, presence::is_presence, silence::Silence, stats::count};
use crate::{
    clock::Timestamp,
    commands::NewCommand,
    content::Sealed,
    dialog::{CustomerCommand, CustomerTimer},
    error::Result,
    ids::Target,
    queue::{DeskCommand, DeskTimer},
    record::{self, Command},
    store::DueLine,
};

/// Most due-lines of a partition that are looked through after a silence.
const LINES_MAX: usize = 100_000;

/// Fires what is due in a partition. What was fired and is due still, because its command has not
/// been decided, is fired again only after a while; a second firing is void.
pub(super) async fn fire(cx: &Context, lane: &mut Lane) -> Result<()> {
    let now = cx.ports.clock.now();
    if lane.next_due > now {
        return Ok(());
    }
    let limit = cx.config.timers_max + lane.watched.len() + lane.fired.len();
    let lines = cx
        .ports
        .partitions
        .due(lane.partition, Timestamp(i64::MAX), limit)
        .await?;
    let is_all = lines.len() < limit;
    if is_all {
        // What is not due any more has been decided.
        lane.fired.retain(|fired, _| lines.contains(fired));
    }
    let instant = tokio_now();
    let refire_after = cx.config.refire_after;
    lane.fired
        .retain(|_, fired| instant - *fired < refire_after);
    let mut next = is_all.then_some(Timestamp(i64::MAX));
    let mut appended = Vec::new();
    for line in lines.into_iter().filter(|line| !is_presence(line)) {
        if line.at > now {
            next = Some(line.at);
            break;
        }
        next = None;
        if !lane.fired.contains_key(&line) && appended.len() < cx.config.timers_max {
            let Some(command) = command(&line) else {
                tracing::error!(target = %line.target, "a due-line can't be read");
                lane.fired.insert(line, instant);
                continue;
            };
            let record = NewCommand::internal(line.target.clone(), command).record()?;
            let bytes = record::encode(&record)?;
            appended.push(cx.append_soon(lane.partition, bytes).await?);
            lane.fired.insert(line, instant);
        }
    }
    // With fired ones among them the next look is at the next tick.
    lane.next_due = match lane.fired.is_empty() {
        true => next.unwrap_or(now),
        false => now,
    };
    count(&cx.stats.timers, appended.len());
    for pending in appended {
        pending.await?;
    }
    Ok(())
}

/// Tells the desks whose operators' grace runs that the journal was silent, before anything that
/// is due fires: what they are told comes first in their partition, and sets the timer anew.
pub(super) async fn tell_silence(
    cx: &Context,
    lane: &mut Lane,
    silence: Option<Silence>,
) -> Result<()> {
    let Some(silence) = silence.filter(|silence| Some(*silence) != lane.silence) else {
        return Ok(());
    };
    let lines = cx
        .ports
        .partitions
        .due(lane.partition, Timestamp(i64::MAX), LINES_MAX)
        .await?;
    let desks: BTreeSet<Target> = lines
        .into_iter()
        .filter(is_grace)
        .map(|l| l.target)
        .collect();
    let mut appended = Vec::new();
    for desk in desks {
        let Silence { from, to } = silence;
        let command = Command::Desk(DeskCommand::Silence { from, to });
        let bytes = record::encode(&NewCommand::internal(desk, command).record()?)?;
        appended.push(cx.append_soon(lane.partition, bytes).await?);
    }
    for pending in appended {
        pending.await?;
    }
    lane.silence = Some(silence);
    Ok(())
}

fn is_grace(line: &DueLine) -> bool {
    let key = record::decode::<DeskTimer>(&line.key);
    matches!(line.target, Target::Desk(_)) && matches!(key, Ok(DeskTimer::Grace(_)))
}

fn command(line: &DueLine) -> Option<Command<Sealed>> {
    let generation = line.generation;
    match line.target {
        Target::Customer(_) => {
            let key = record::decode::<CustomerTimer>(&line.key).ok()?;
            Some(Command::Customer(CustomerCommand::Timer {
                key,
                generation,
            }))
        }
        Target::Desk(_) => {
            let key = record::decode::<DeskTimer>(&line.key).ok()?;
            Some(Command::Desk(DeskCommand::Timer { key, generation }))
        }
    }
}

/// Tokio's time, which tests pause.
pub(super) fn tokio_now() -> Instant {
    Instant::now()
}
