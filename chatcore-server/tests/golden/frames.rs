//! A sample of every frame, and of all that is in them.

use std::{convert::Infallible, sync::Arc};

use chatcore::{
    content::{Button, CardField, Content, Sealed},
    dialog::Phase,
    identity::{Assurance, StaffRole},
    ids::*,
    queue::{OperatorStatus, PlaceInLine, Presence, WaitRange},
    record::{Command, CursorMove, Event, Outcome, Reply, StreamEvent},
    routing::CustomerPresence,
};
use chatcore_server::protocol::*;

use super::{
    commands::{commands, desk_config, wait},
    decisions::{rejections, replies},
    events::events,
    words::*,
};

fn button() -> Button {
    Button {
        id: "b1".to_owned(),
        label: "Yes".to_owned(),
    }
}

fn contents() -> Vec<Content> {
    vec![
        Content::Text("Здравствуйте \"x\" \u{1F600}".to_owned()),
        Content::Buttons {
            text: "Which?".to_owned(),
            buttons: vec![button()],
        },
        Content::QuickReplies {
            text: "Is it so?".to_owned(),
            replies: vec![button()],
        },
        Content::Pressed {
            id: "b1".to_owned(),
            label: "Yes".to_owned(),
        },
        Content::Attachment {
            reference: "files/7".to_owned(),
            name: "card.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            bytes: 1_048_576,
        },
        Content::Card {
            title: "Account".to_owned(),
            fields: vec![CardField {
                label: "Balance".to_owned(),
                value: "10.00".to_owned(),
            }],
            buttons: vec![button()],
        },
        Content::Erased,
    ]
}

fn said(_: Sealed) -> Result<Content, Infallible> {
    Ok(Content::Text("hello".to_owned()))
}

fn opened(command: Command<Sealed>) -> Command<Content> {
    let Ok(command) = match command {
        Command::Customer(command) => command.try_map_bodies(said).map(Command::Customer),
        Command::Desk(command) => Ok(Command::Desk(command)),
        Command::Parked(command) => Ok(Command::Parked(command)),
    };
    command
}

fn shown(event: StreamEvent<Sealed>) -> StreamEvent<Content> {
    let Ok(what) = match event.event {
        Event::Dialog(event) => event.try_map_bodies(said).map(Event::Dialog),
        Event::Customer(event) => Ok(Event::Customer(event)),
        Event::Board(event) => Ok(Event::Board(event)),
    };
    StreamEvent {
        seq: event.seq,
        hash: event.hash,
        at: event.at,
        visibility: event.visibility,
        event: what,
    }
}

fn target() -> Target {
    Target::Customer(customer("anna"))
}

fn dialog() -> StreamName {
    StreamName(StreamId::Dialog(DIALOG))
}

fn client_position() -> ClientPosition {
    let at = position(4);
    ClientPosition {
        seq: at.seq,
        hash: at.hash,
    }
}

pub(crate) fn of_clients() -> Vec<ClientFrame> {
    let mut frames = vec![
        ClientFrame::Hello(Hello {
            token: Secret("t".to_owned()),
            device: device(),
            locale: Some("ru-RU".to_owned()),
            traceparent: None,
            resume: [(dialog(), client_position())].into(),
        }),
        ClientFrame::Follow {
            stream: dialog(),
            after: Some(client_position()),
        },
        ClientFrame::Follow {
            stream: StreamName(StreamId::Board(desk())),
            after: None,
        },
        ClientFrame::Unfollow {
            stream: StreamName(StreamId::Customer(customer("anna"))),
        },
        ClientFrame::Settle {
            target: Target::Desk(desk()),
            n: 3,
        },
        ClientFrame::Cursor {
            target: target(),
            dialog: DIALOG,
            delivered: Seq(8),
            read: Seq(7),
        },
        ClientFrame::Typing { dialog: DIALOG },
        ClientFrame::Refresh {
            token: Secret("t2".to_owned()),
        },
        ClientFrame::Ping {},
        ClientFrame::Pong {},
    ];
    let commands = commands().into_iter();
    frames.extend(commands.map(|(_, command)| ClientFrame::Send {
        target: target(),
        n: 3,
        command: opened(command),
    }));
    frames
}

fn boards() -> BoardState {
    BoardState {
        config: desk_config(),
        waiting: vec![BoardWaiting {
            wait: wait(),
            boost: 50,
            by_hand: false,
        }],
        operators: vec![BoardOperator {
            operator: staff("olga"),
            presence: Presence::Online,
            status: OperatorStatus::Available,
            since: AT,
        }],
        grants: vec![BoardGrant {
            grant: GRANT,
            dialog: Some(DIALOG),
            customer: customer("anna"),
            operator: staff("olga"),
            epoch: Some(EPOCH),
        }],
    }
}

fn brief() -> DialogBrief {
    DialogBrief {
        customer: customer("anna"),
        channel: Some(channel()),
        phase: Phase::Assigned,
        owner: Some(staff("olga")),
        epoch: EPOCH,
        queue: Some(at_queue()),
        desk: Some(desk()),
        since: None,
        topic: Some(label("card")),
        tags: [label("vip")].into(),
        rating: Some(5),
        assurance: Some(Assurance::Known),
    }
}

fn welcome() -> Welcome {
    Welcome {
        session: SessionId(44),
        node: node().id,
        who: Participant::Staff(staff("olga")),
        name: "Olga".to_owned(),
        role: Some(StaffRole::Supervisor),
        desk: Some(desk()),
        now: AT,
        expires_at: AT,
        heartbeat_ms: HEARTBEAT_MS,
        window: 64,
        stream_key: Some("k".to_owned()),
    }
}

fn reset(reason: ResetWhy, board: bool) -> ServerFrame {
    ServerFrame::Reset(Box::new(StreamReset {
        stream: match board {
            true => StreamName(StreamId::Board(desk())),
            false => dialog(),
        },
        position: position(4),
        reason,
        board: board.then(boards),
        dialog: (!board).then(brief),
    }))
}

fn range(event: StreamEvent<Content>) -> ServerFrame {
    ServerFrame::Range {
        stream: dialog(),
        after: position(4),
        upto: position(5),
        events: vec![Arc::new(event)],
    }
}

fn errors() -> Vec<ServerFrame> {
    use ErrorCode as E;
    let codes = [
        E::BadFrame,
        E::HelloExpected,
        E::TooLarge,
        E::TooDeep,
        E::Invalid,
        E::Forbidden,
        E::Expired,
        E::NotFound,
        E::Overloaded,
        E::Rebuilding,
        E::Unavailable,
        E::Internal,
    ];
    let mut errors: Vec<_> = codes.map(|code| Wrong::new(code, "why")).into();
    errors.push(Wrong {
        target: Some(target()),
        n: Some(3),
        stream: Some(dialog()),
        retry_after_ms: Some(250),
        ..Wrong::new(E::Overloaded, "come back")
    });
    errors.into_iter().map(ServerFrame::Error).collect()
}

fn told() -> Vec<ServerFrame> {
    vec![
        ServerFrame::Welcome(welcome()),
        reset(ResetWhy::Start, true),
        reset(ResetWhy::Mismatch, false),
        reset(ResetWhy::Behind, false),
        ServerFrame::Cursors {
            dialog: DIALOG,
            cursors: vec![CursorMove {
                dialog: DIALOG,
                participant: Participant::Customer(customer("anna")),
                delivered: Seq(8),
                read: Seq(7),
            }],
        },
        ServerFrame::Typing {
            dialog: DIALOG,
            participant: Participant::Bot,
        },
        ServerFrame::Presence {
            dialog: DIALOG,
            presence: CustomerPresence::Away { since: Some(AT) },
        },
        ServerFrame::Place {
            dialog: DIALOG,
            place: PlaceInLine {
                first: 2,
                last: 4,
                wait: Some(WaitRange {
                    from_min: 1,
                    to_min: 3,
                }),
            },
        },
        ServerFrame::Durable {
            target: target(),
            n: 3,
        },
        ServerFrame::Ping {},
        ServerFrame::Pong { now: AT },
        ServerFrame::Expiring { at: AT },
        ServerFrame::Reconnect { after_ms: 1_500 },
        ServerFrame::Closed {
            code: 4412,
            text: "reconnect".to_owned(),
        },
    ]
}

pub(crate) fn of_the_server() -> Vec<ServerFrame> {
    let mut frames = told();
    let reasons = [Left::NoRight, Left::Unfollowed, Left::TooMany];
    frames.extend(reasons.map(|reason| ServerFrame::Left {
        stream: dialog(),
        reason,
    }));
    let rejected = rejections().into_iter();
    let rejected = rejected.map(|(_, why)| Reply::Outcome(Outcome::Rejected(why)));
    let replies = replies()
        .into_iter()
        .map(|(_, reply)| reply)
        .chain(rejected);
    frames.extend(replies.map(|reply| ServerFrame::Reply {
        target: target(),
        n: 3,
        reply,
    }));
    let events = events().into_iter().map(|(_, event)| shown(event));
    frames.extend(events.map(range));
    let said = contents().into_iter().map(|body| {
        let mut event = shown(super::events::at_its_place(Event::Dialog(
            chatcore::dialog::DialogEvent::System {
                body: super::words::body(),
            },
        )));
        event.event = Event::Dialog(chatcore::dialog::DialogEvent::System { body });
        range(event)
    });
    frames.extend(said);
    frames.extend(errors());
    frames
}
