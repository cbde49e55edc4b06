//! A dead letter as it may be shown: never what somebody wrote.

use std::fmt;

use chatcore::{
    clock::Timestamp,
    content::Sealed,
    ids::Participant,
    journal::DeadLetter,
    record::{self, Command, CommandId, CommandRecord, Event, EventRecord},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Letter {
    number: u64,
    /// `engine`, or an effect's name.
    origin: String,
    partition: u32,
    offset: u64,
    reason: String,
    attempts: u32,
    at: Timestamp,
    /// Of the whole record.
    bytes: usize,
    /// None when not even its envelope can be read.
    what: Option<What>,
}

/// What is in a record, by names and sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct What {
    target: String,
    author: String,
    /// How the command is counted: `client DEVICE N`, `follow-up`, `internal`, …
    id: String,
    /// Kinds of what it asks for or what happened, such as `customer.message`; empty when that can't
    /// be read.
    kinds: Vec<String>,
    bodies: Vec<Body>,
}

/// A sealed body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Body {
    kind: String,
    chars: u32,
    bytes: usize,
}

impl Letter {
    pub(super) fn of(number: u64, letter: &DeadLetter) -> Self {
        Self {
            number,
            origin: letter.origin.to_string(),
            partition: letter.partition.0,
            offset: letter.offset.0,
            reason: letter.reason.to_string(),
            attempts: letter.attempts,
            at: letter.at,
            bytes: letter.record.len(),
            what: what(&letter.record),
        }
    }
}

fn what(record: &[u8]) -> Option<What> {
    if let Ok(command) = record::decode::<CommandRecord>(record) {
        let mut bodies = Vec::new();
        let body = record::decode::<Command<Sealed>>(&command.body).ok();
        let kinds = body
            .iter()
            .map(|command| kind(&serde_json::to_value(command)));
        let kinds = kinds.collect();
        if let Some(Command::Customer(command)) = body {
            // It only looks, and so can't fail.
            let _ = command.try_map_bodies(|sealed| look(&mut bodies, &sealed));
        }
        return Some(What {
            target: command.target.to_string(),
            author: named(&command.author),
            id: counted(&command.id),
            kinds,
            bodies,
        });
    }
    let Ok(EventRecord::Decided { decision, .. }) = record::decode::<EventRecord>(record) else {
        return None;
    };
    let events = decision.appended.iter().flat_map(|stream| &stream.events);
    let kinds = events
        .clone()
        .map(|event| kind(&serde_json::to_value(&event.event)));
    let mut bodies = Vec::new();
    for event in events.clone() {
        if let Event::Dialog(dialog) = event.event.clone() {
            let _ = dialog.try_map_bodies(|sealed| look(&mut bodies, &sealed));
        }
    }
    Some(What {
        target: decision.target.to_string(),
        author: named(&decision.author),
        id: counted(&decision.id),
        kinds: kinds.collect(),
        bodies,
    })
}

fn look(bodies: &mut Vec<Body>, sealed: &Sealed) -> Result<(), std::convert::Infallible> {
    bodies.push(Body {
        kind: format!("{:?}", sealed.kind).to_lowercase(),
        chars: sealed.chars,
        bytes: sealed.bytes.len(),
    });
    Ok(())
}

/// `customer.message` of `{"customer": {"message": …}}`, and `board.held` of `{"board": "held"}`.
fn kind(value: &serde_json::Result<Value>) -> String {
    let tag = |value: &Value| match value {
        Value::String(name) => Some((name.clone(), Value::Null)),
        Value::Object(fields) => {
            let (name, inner) = fields.iter().next()?;
            Some((name.clone(), inner.clone()))
        }
        _ => None,
    };
    let outer = value.as_ref().ok().and_then(tag);
    let Some((outer, inner)) = outer else {
        return "unknown".to_owned();
    };
    match tag(&inner) {
        Some((inner, _)) => format!("{outer}.{inner}"),
        None => outer,
    }
}

fn named(who: &Participant) -> String {
    match who {
        Participant::Customer(id) => format!("customer/{id}"),
        Participant::Staff(id) => format!("staff/{id}"),
        Participant::Bot => "bot".to_owned(),
        Participant::System => "system".to_owned(),
    }
}

fn counted(id: &CommandId) -> String {
    match id {
        CommandId::Client { device, n } => format!("client {device} {n}"),
        CommandId::ChannelNumber { channel, number } => format!("channel {channel} {number}"),
        CommandId::ChannelKey { channel, .. } => format!("channel {channel}"),
        CommandId::FollowUp {
            partition,
            offset,
            index,
        } => format!("follow-up {partition}/{offset}/{index}"),
        CommandId::Internal => "internal".to_owned(),
    }
}

/// One line.
impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  at {}  {} {}/{}  {}  {} bytes",
            self.number,
            self.at.0,
            self.origin,
            self.partition,
            self.offset,
            self.reason,
            self.bytes
        )?;
        let Some(what) = &self.what else {
            return write!(f, "  not readable");
        };
        write!(f, "  to {} by {}, {}", what.target, what.author, what.id)?;
        for kind in &what.kinds {
            write!(f, ", {kind}")?;
        }
        for Body { kind, chars, bytes } in &what.bodies {
            write!(f, ", sealed {kind} of {chars} characters in {bytes} bytes")?;
        }
        Ok(())
    }
}
