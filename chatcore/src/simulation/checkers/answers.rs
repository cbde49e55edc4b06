//! What runs from events runs: where there is a bot, it answered every turn of its own.
//!
//! The bot stands for all effects here, as the only one whose work is in the journal. Held against
//! a bot that always has something to say.

use std::collections::BTreeSet;

use super::Violation;
use crate::{
    content::Sealed,
    dialog::{CustomerCommand, DialogEvent, Phase},
    ids::{DialogId, Participant, Partition, Seq, StreamId},
    record::{self, Access, Appended, Command, Event},
    simulation::{history::History, truth::Truth},
};

pub(super) fn check(history: &History, truth: &Truth) -> Vec<Violation> {
    let answered = answered(truth);
    if !history.is_quiet() || answered.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (partition, decision) in truth.decisions() {
        for appended in &decision.appended {
            let Some((dialog, seen)) = turn(appended) else {
                continue;
            };
            if !answered.contains(&(dialog, seen)) && !gave_up(truth, partition) {
                let text = format!("the bot never answered event {seen} of dialog {dialog}");
                found.push(Violation::new("effects", text).by(partition, decision.cause));
            }
        }
    }
    found
}

/// The dialog and the last event, if it is the bot's turn to speak.
fn turn(appended: &Appended) -> Option<(DialogId, Seq)> {
    let (
        StreamId::Dialog(dialog),
        Access::Dialog {
            phase: Phase::Bot, ..
        },
    ) = (&appended.stream, &appended.access)
    else {
        return None;
    };
    let asks = appended.events.iter().any(|event| {
        matches!(
            &event.event,
            Event::Dialog(
                DialogEvent::Opened { .. }
                    | DialogEvent::Reopened { .. }
                    | DialogEvent::Message {
                        author: Participant::Customer(_),
                        ..
                    }
            )
        )
    });
    asks.then_some((*dialog, appended.upto().seq))
}

/// What the bot said something to, taken or not.
fn answered(truth: &Truth) -> BTreeSet<(DialogId, Seq)> {
    let commands = truth
        .partitions
        .iter()
        .flat_map(|one| one.commands.values());
    let bodies = commands.filter_map(|command| {
        let record = command.record.as_ref()?;
        (record.author == Participant::Bot).then_some(&record.body)
    });
    bodies
        .filter_map(|body| match record::decode::<Command<Sealed>>(body) {
            Ok(Command::Customer(CustomerCommand::BotAnswer { dialog, seen, .. })) => {
                Some((dialog, seen))
            }
            _ => None,
        })
        .collect()
}

/// What can't be answered is a dead letter of the bot's.
fn gave_up(truth: &Truth, partition: Partition) -> bool {
    let mut letters = truth.letters.iter();
    letters.any(|letter| letter.origin.as_str() == "bot" && letter.partition == partition)
}
