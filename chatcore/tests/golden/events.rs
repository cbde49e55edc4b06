//! A sample of every event.

use std::collections::{BTreeMap, BTreeSet};

use chatcore::{
    content::Sealed,
    dialog::{CustomerEvent, DialogEvent, Granted},
    identity::Assurance,
    ids::*,
    queue::{AssignmentReason, BoardEvent, NodeName, OperatorStatus, Presence},
    record::{Event, StreamEvent, Visibility},
};

use super::{
    commands::{desk_config, wait},
    words::*,
};

type D = DialogEvent<Sealed>;

fn dialog_name(event: &D) -> &'static str {
    match event {
        D::Opened { .. } => "dialog.opened",
        D::Ruled { .. } => "dialog.ruled",
        D::Message { .. } => "dialog.message",
        D::Edited { .. } => "dialog.edited",
        D::Deleted { .. } => "dialog.deleted",
        D::Waiting { .. } => "dialog.waiting",
        D::Assigned { .. } => "dialog.assigned",
        D::Held => "dialog.held",
        D::Resumed => "dialog.resumed",
        D::Note { .. } => "dialog.note",
        D::CustomerNoted { .. } => "dialog.customer_noted",
        D::CustomerNoteRemoved { .. } => "dialog.customer_note_removed",
        D::Tagged { .. } => "dialog.tagged",
        D::TopicSet { .. } => "dialog.topic_set",
        D::WrapUp => "dialog.wrap_up",
        D::Closed { .. } => "dialog.closed",
        D::Reopened { .. } => "dialog.reopened",
        D::Rated { .. } => "dialog.rated",
        D::System { .. } => "dialog.system",
        D::Emergency { .. } => "dialog.emergency",
        D::Undelivered { .. } => "dialog.undelivered",
    }
}

fn customer_name(event: &CustomerEvent) -> &'static str {
    match event {
        CustomerEvent::DialogOpened { .. } => "customer.dialog_opened",
        CustomerEvent::DialogClosed { .. } => "customer.dialog_closed",
        CustomerEvent::DialogReopened { .. } => "customer.dialog_reopened",
        CustomerEvent::DialogSettled { .. } => "customer.dialog_settled",
        CustomerEvent::Linked { .. } => "customer.linked",
    }
}

fn board_name(event: &BoardEvent) -> &'static str {
    match event {
        BoardEvent::Configured(_) => "board.configured",
        BoardEvent::Waiting { .. } => "board.waiting",
        BoardEvent::Left { .. } => "board.left",
        BoardEvent::Operator { .. } => "board.operator",
        BoardEvent::Granted { .. } => "board.granted",
        BoardEvent::Held { .. } => "board.held",
        BoardEvent::Refused { .. } => "board.refused",
        BoardEvent::Freed { .. } => "board.freed",
        BoardEvent::Resent { .. } => "board.resent",
        BoardEvent::Confirming { .. } => "board.confirming",
        BoardEvent::Silence { .. } => "board.silence",
        BoardEvent::Matching { .. } => "board.matching",
        BoardEvent::Repaired { .. } => "board.repaired",
    }
}

fn of_dialogs() -> Vec<D> {
    let (olga, anna) = (
        Participant::Staff(staff("olga")),
        Participant::Customer(customer("anna")),
    );
    vec![
        D::Opened {
            customer: customer("anna"),
            channel: channel(),
            by: anna.clone(),
            topic: Some(label("card")),
            assurance: Some(Assurance::Known),
        },
        D::Ruled {
            settings: settings(),
        },
        D::Message {
            author: anna.clone(),
            body: body(),
            reply_to: Some(Seq(4)),
            assurance: Some(Assurance::Authenticated),
        },
        D::Edited {
            message: Seq(4),
            body: body(),
            assurance: None,
        },
        D::Deleted {
            message: Seq(4),
            by: olga.clone(),
        },
        D::Waiting {
            queue: at_queue(),
            reason: label("asked"),
            by: Participant::Bot,
            since: AT,
            epoch: EPOCH,
        },
        D::Assigned {
            operator: staff("olga"),
            queue: at_queue(),
            epoch: EPOCH,
            desk: desk(),
            grant: GRANT,
            from: Some(staff("petr")),
        },
        D::Held,
        D::Resumed,
        D::Note {
            author: olga.clone(),
            body: body(),
        },
        D::CustomerNoted {
            note: NoteId(3),
            author: olga.clone(),
            body: body(),
        },
        D::CustomerNoteRemoved {
            note: NoteId(3),
            by: olga.clone(),
        },
        D::Tagged {
            tags: BTreeSet::from([label("vip"), label("loan")]),
            by: olga.clone(),
        },
        D::TopicSet {
            topic: None,
            by: olga,
        },
        D::WrapUp,
        D::Closed {
            by: Participant::System,
            outcome: label("solved"),
            epoch: EPOCH,
        },
        D::Reopened {
            by: anna,
            epoch: EPOCH,
        },
        D::Rated {
            score: 5,
            comment: Some(body()),
        },
        D::System { body: body() },
        D::Emergency {
            incident: label("outage-3"),
            body: body(),
        },
        D::Undelivered {
            message: Seq(4),
            reason: label("unavailable"),
        },
    ]
}

fn of_customers() -> Vec<CustomerEvent> {
    vec![
        CustomerEvent::DialogOpened { dialog: DIALOG },
        CustomerEvent::DialogClosed { dialog: DIALOG },
        CustomerEvent::DialogReopened { dialog: DIALOG },
        CustomerEvent::DialogSettled { dialog: DIALOG },
        CustomerEvent::Linked {
            other: customer("boris"),
        },
    ]
}

fn granted() -> BoardEvent {
    BoardEvent::Granted {
        grant: GRANT,
        dialog: Some(DIALOG),
        what: Granted::Waiting {
            dialog: DIALOG,
            expected_epoch: EPOCH,
        },
        customer: customer("anna"),
        operator: staff("olga"),
        by: Participant::System,
        reason: AssignmentReason {
            how: "least_loaded".to_owned(),
            next: vec![staff("petr")],
            refused: BTreeMap::from([("away".to_owned(), 2)]),
            over_capacity: true,
            instead_of: Some("seniors".to_owned()),
        },
    }
}

fn of_boards() -> Vec<BoardEvent> {
    vec![
        BoardEvent::Configured(desk_config()),
        BoardEvent::Waiting {
            wait: wait(),
            boost: 50,
            by_hand: true,
        },
        BoardEvent::Left { dialog: DIALOG },
        BoardEvent::Operator {
            operator: staff("olga"),
            presence: Presence::Lost,
            status: OperatorStatus::Available,
            since: AT,
            nodes: [NodeName::from(&node())].into(),
        },
        granted(),
        BoardEvent::Held {
            grant: GRANT,
            dialog: DIALOG,
            epoch: EPOCH,
        },
        BoardEvent::Refused {
            grant: GRANT,
            code: label("stale_epoch"),
        },
        BoardEvent::Freed {
            grant: GRANT,
            dialog: DIALOG,
        },
        BoardEvent::Resent {
            grants: vec![GRANT],
        },
        BoardEvent::Confirming {
            grants: vec![GRANT],
            more_after: Some(GRANT),
        },
        BoardEvent::Silence { from: AT, to: AT },
        BoardEvent::Matching { more: true },
        BoardEvent::Repaired { grant: GRANT },
    ]
}

pub(crate) fn at_its_place(event: Event<Sealed>) -> StreamEvent<Sealed> {
    let position = position(5);
    StreamEvent {
        seq: position.seq,
        hash: position.hash,
        at: AT,
        visibility: match event {
            Event::Board(_) => Visibility::Staff,
            _ => Visibility::Everyone,
        },
        event,
    }
}

pub(crate) fn events() -> Vec<(&'static str, StreamEvent<Sealed>)> {
    let dialogs = of_dialogs();
    let dialogs = dialogs
        .into_iter()
        .map(|e| (dialog_name(&e), Event::Dialog(e)));
    let customers = of_customers();
    let customers = customers
        .into_iter()
        .map(|e| (customer_name(&e), Event::Customer(e)));
    let boards = of_boards();
    let boards = boards
        .into_iter()
        .map(|e| (board_name(&e), Event::Board(e)));
    dialogs
        .chain(customers)
        .chain(boards)
        .map(|(name, event)| (name, at_its_place(event)))
        .collect()
}
