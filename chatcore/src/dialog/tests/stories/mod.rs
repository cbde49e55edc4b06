//! What a dialog does, told one behaviour at a time.

mod hand;
mod leave;
mod life;
mod note;
mod talk;

use super::*;
use crate::dialog::{CustomerEvent, CustomerTimer, DialogEvent, HandOver, TransferTo, limits};

const SYSTEM: Participant = Participant::System;
const BOT: Participant = Participant::Bot;

fn freed(dialog: DialogId, grant: u64) -> (DeskId, DeskCommand) {
    let grant = GrantId(grant);
    (desk("main"), DeskCommand::Freed { dialog, grant })
}

fn wait_of(told: &(DeskId, DeskCommand)) -> crate::queue::Wait {
    match &told.1 {
        DeskCommand::Wait(wait) | DeskCommand::Pass { wait, .. } => wait.clone(),
        other => panic!("{other:?} is no wait"),
    }
}

fn kinds(decided: &Decided) -> Vec<String> {
    let name = |event: &Event<Sealed>| {
        let shown = match event {
            Event::Dialog(event) => format!("{event:?}"),
            Event::Customer(event) => format!("{event:?}"),
            Event::Board(event) => format!("{event:?}"),
        };
        shown
            .split([' ', '{', '('])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    decided
        .events
        .iter()
        .map(|(_, event)| name(event))
        .collect()
}

fn answers(dialog: DialogId, seen: Seq, epoch: OwnerEpoch, hand_over: bool) -> Cmd {
    Cmd::BotAnswer {
        dialog,
        seen,
        owner_epoch: epoch,
        replies: vec![text("good day")],
        hand_over: hand_over.then(|| HandOver {
            queue: None,
            reason: label("failed"),
        }),
    }
}
