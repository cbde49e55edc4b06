//! The boards of all desks, event by event, as the journal has them.

use std::collections::BTreeMap;

use crate::{
    clock::Timestamp,
    ids::{DeskId, DialogId, Partition, StaffId, StreamId},
    queue::BoardEvent,
    record::{Decision, Event},
    routing::{Board, DialogView},
    simulation::truth::Truth,
};

/// An event of a board, and what stood before it.
#[derive(Debug)]
pub(super) struct BoardStep<'a> {
    pub(super) desk: &'a DeskId,
    pub(super) partition: Partition,
    pub(super) decision: &'a Decision,
    pub(super) at: Timestamp,
    pub(super) event: &'a BoardEvent,
    pub(super) before: &'a Board,
}

/// Goes through the events of all boards; answers how they stand at the end.
pub(super) fn walk(
    truth: &Truth,
    mut visit: impl FnMut(&BoardStep<'_>),
) -> BTreeMap<DeskId, Board> {
    let mut boards: BTreeMap<DeskId, Board> = BTreeMap::new();
    for (partition, decision) in truth.decisions() {
        for appended in &decision.appended {
            let StreamId::Board(desk) = &appended.stream else {
                continue;
            };
            let board = boards.entry(desk.clone()).or_default();
            for event in &appended.events {
                if let Event::Board(what) = &event.event {
                    visit(&BoardStep {
                        desk,
                        partition,
                        decision,
                        at: event.at,
                        event: what,
                        before: board,
                    });
                    board.apply(what, event.at);
                }
            }
        }
    }
    boards
}

/// How the dialogs stand at the end.
pub(super) fn dialogs(truth: &Truth) -> BTreeMap<DialogId, DialogView> {
    let mut views: BTreeMap<DialogId, DialogView> = BTreeMap::new();
    for (_, decision) in truth.decisions() {
        for appended in &decision.appended {
            let (StreamId::Dialog(dialog), crate::record::Access::Dialog { customer, .. }) =
                (&appended.stream, &appended.access)
            else {
                continue;
            };
            let view = views
                .entry(*dialog)
                .or_insert_with(|| DialogView::new(customer.clone()));
            for event in &appended.events {
                if let Event::Dialog(event) = &event.event {
                    view.apply(event);
                }
            }
        }
    }
    views
}

/// The slots that an operator's grants take.
pub(super) fn used(board: &Board, operator: &StaffId) -> usize {
    board.grants_of(operator).count()
}
