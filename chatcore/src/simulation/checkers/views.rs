//! I3: every audience of a stream sees the same visible events, in the same order, in ranges that
//! join without holes. And I9: nothing is shown to whoever has no right to it.

use std::collections::BTreeMap;

use super::{
    Violation,
    people::{Held, People},
};
use crate::{
    content::Sealed,
    identity::Who,
    ids::{Seq, StreamId},
    record::{Access, Position, StreamEvent},
    routing::access::{Sight, shows, sight},
    simulation::{
        history::{Connection, History, ShownEvent, What},
        truth::Truth,
    },
};

/// What the journal has of the streams.
struct Streams<'a> {
    events: BTreeMap<StreamId, Vec<&'a StreamEvent<Sealed>>>,
    /// Who could see a stream once it had come this far.
    access: BTreeMap<&'a StreamId, BTreeMap<Seq, &'a Access>>,
}

impl<'a> Streams<'a> {
    fn of(truth: &'a Truth) -> Self {
        let mut access: BTreeMap<_, BTreeMap<Seq, &Access>> = BTreeMap::new();
        for (_, decision) in truth.decisions() {
            for appended in &decision.appended {
                let known = access.entry(&appended.stream).or_default();
                known.insert(appended.upto().seq, &appended.access);
            }
        }
        Self {
            events: truth.streams(),
            access,
        }
    }

    fn event(&self, stream: &StreamId, seq: Seq) -> Option<&'a StreamEvent<Sealed>> {
        let index = usize::try_from(seq.0.checked_sub(1)?).ok()?;
        self.events.get(stream)?.get(index).copied()
    }

    fn has(&self, stream: &StreamId, position: Position) -> bool {
        position == Position::default()
            || self
                .event(stream, position.seq)
                .is_some_and(|event| event.hash == position.hash)
    }

    /// Whether somebody with these rights could see the stream at `seq` or at any time after it.
    fn may_see(&self, rights: &[&Who], stream: &StreamId, seq: Seq) -> bool {
        self.access.get(stream).is_some_and(|known| {
            known
                .range(seq..)
                .any(|(_, access)| rights.iter().any(|who| sight(who, access) != Sight::None))
        })
    }
}

/// What all were shown of one event.
type Digests<'a> = BTreeMap<(&'a StreamId, Seq), (usize, u64)>;

pub(super) fn check(history: &History, truth: &Truth) -> Vec<Violation> {
    let people = People::of(history);
    let streams = Streams::of(truth);
    let mut found = Vec::new();
    let mut have: BTreeMap<(&Connection, &StreamId), Position> = BTreeMap::new();
    let mut digests = Digests::new();
    for (index, entry) in history.entries().iter().enumerate() {
        let Some(on) = &entry.on else { continue };
        match &entry.what {
            What::Connected { resume, .. } => {
                for (stream, position) in resume {
                    have.insert((on, stream), *position);
                }
            }
            What::Reset {
                stream,
                position,
                reason,
                ..
            } => {
                have.insert((on, stream), *position);
                let wrong = if reason == "mismatch" {
                    Some("starts anew because histories differ".to_owned())
                } else if streams.has(stream, *position) {
                    None
                } else {
                    Some(format!(
                        "starts at {position:?}, which the journal does not have"
                    ))
                };
                if let Some(text) = wrong {
                    found.push(Violation::new("I3", format!("{stream} {text}")).at(index));
                }
            }
            What::Left { stream, .. } => {
                have.remove(&(on, stream));
            }
            What::Shown {
                stream,
                after,
                upto,
                events,
            } => {
                let before = have.insert((on, stream), *upto);
                let range = Range {
                    index,
                    stream,
                    after: *after,
                    upto: *upto,
                    events,
                };
                let held = people.on(on);
                let wrong = range
                    .joins(before)
                    .and_then(|()| range.is_true(&streams, held))
                    .and_then(|()| range.is_alike(&mut digests));
                if let Err(text) = wrong {
                    found.push(Violation::new("I3", format!("{stream} {text}")).at(index));
                }
                if let Some(held) = held
                    && !streams.may_see(&held.rights, stream, upto.seq)
                {
                    let text = format!("{stream} was shown to {:?}", held.viewer.key().0);
                    found.push(Violation::new("I9", text).at(index));
                }
            }
            _ => {}
        }
    }
    found
}

struct Range<'a> {
    index: usize,
    stream: &'a StreamId,
    after: Position,
    upto: Position,
    events: &'a [ShownEvent],
}

impl<'a> Range<'a> {
    fn joins(&self, before: Option<Position>) -> Result<(), String> {
        let (after, upto) = (self.after, self.upto);
        match before {
            None => return Err("was shown before it started".to_owned()),
            Some(before) if before != after => {
                return Err(format!("was shown from {after:?} on, after {before:?}"));
            }
            Some(_) => {}
        }
        if upto.seq <= after.seq {
            return Err(format!("was shown back from {after:?} to {upto:?}"));
        }
        Ok(())
    }

    /// All that is visible in the range was shown, as the journal has it, and nothing else.
    fn is_true(&self, streams: &Streams<'_>, held: Option<&Held<'_>>) -> Result<(), String> {
        if !streams.has(self.stream, self.upto) {
            return Err(format!(
                "was shown up to {:?}, which the journal does not have",
                self.upto
            ));
        }
        let Some(held) = held else {
            return Err("was shown to nobody known".to_owned());
        };
        let mut shown = self.events.iter();
        for seq in (self.after.seq.0 + 1..=self.upto.seq.0).map(Seq) {
            let Some(event) = streams.event(self.stream, seq) else {
                return Err(format!("has no event {seq} in the journal"));
            };
            if !shows(&held.viewer.who, event.visibility) {
                continue;
            }
            match shown.next() {
                Some(shown) if (shown.seq, shown.hash) == (event.seq, event.hash) => {}
                other => return Err(format!("event {seq} is visible, shown was {other:?}")),
            }
        }
        match shown.next() {
            Some(more) => Err(format!("event {} is not visible, and was shown", more.seq)),
            None => Ok(()),
        }
    }

    fn is_alike(&self, digests: &mut Digests<'a>) -> Result<(), String> {
        for event in self.events {
            let (first, digest) = *digests
                .entry((self.stream, event.seq))
                .or_insert((self.index, event.digest));
            if digest != event.digest {
                let seq = event.seq;
                return Err(format!("event {seq} was shown otherwise in entry {first}"));
            }
        }
        Ok(())
    }
}
