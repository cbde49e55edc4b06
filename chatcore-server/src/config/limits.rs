//! What one address, one person and one session may take.

use std::{collections::BTreeMap, time::Duration};

use chatcore::{
    rights::Action,
    routing::{PersonLimits, Rate},
};

use super::sources::Sources;
use crate::{http::accept::AcceptLimits, server::FrameLimits};

/// The limits at the door.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Of connections.
    pub connections: AcceptLimits,
    /// Of a person.
    pub person: PersonLimits,
    /// Of what a client sends over one session.
    pub frames: FrameLimits,
}

/// None if one of them can't be used.
pub(super) fn read(sources: &mut Sources) -> Option<Limits> {
    let connections = connections(sources);
    let sessions_max = count(sources, "sessions_per_person");
    let commands = rate(sources, "command_burst", "commands_per_second");
    let kinds = kinds(sources);
    let requests = rate(sources, "request_burst", "requests_per_second");
    let frames = rate(sources, "frame_burst", "frames_per_second");
    let refusals = sources.number("refusals_per_minute", 1..=1_000_000);
    let refusals = u32::try_from(refusals?).ok()?;
    Some(Limits {
        connections: connections?,
        person: PersonLimits {
            sessions_max: sessions_max?,
            commands: commands?,
            kinds: kinds?,
            requests: requests?,
        },
        frames: FrameLimits {
            frames: frames?,
            refusals: Rate::per_minute(refusals, refusals),
        },
    })
}

fn connections(sources: &mut Sources) -> Option<AcceptLimits> {
    let connections_max = count(sources, "connections_max");
    let connections_per_address = count(sources, "connections_per_address");
    let tls_timeout = milliseconds(sources, "tls_handshake_ms");
    let header_timeout = milliseconds(sources, "header_ms");
    let write_timeout = milliseconds(sources, "write_ms");
    Some(AcceptLimits {
        connections_max: connections_max?,
        connections_per_address: connections_per_address?,
        tls_timeout: tls_timeout?,
        header_timeout: header_timeout?,
        write_timeout: write_timeout?,
        ..AcceptLimits::default()
    })
}

fn count(sources: &mut Sources, name: &str) -> Option<usize> {
    let number = sources.number(name, 1..=1_000_000)?;
    usize::try_from(number).ok()
}

fn milliseconds(sources: &mut Sources, name: &str) -> Option<Duration> {
    let number = sources.number(name, 100..=600_000)?;
    Some(Duration::from_millis(number))
}

fn rate(sources: &mut Sources, burst: &str, per_second: &str) -> Option<Rate> {
    let burst = sources.number(burst, 1..=1_000_000);
    let per_second = sources.number(per_second, 1..=1_000_000);
    let (burst, per_second) = (burst?, per_second?);
    Some(Rate::per_second(
        u32::try_from(burst).ok()?,
        u32::try_from(per_second).ok()?,
    ))
}

/// `open=20/20`: so many at once, and so many more each minute.
fn kinds(sources: &mut Sources) -> Option<BTreeMap<Action, Rate>> {
    let expected = "KIND=AT_ONCE/A_MINUTE such as open=20/20, of a kind that docs/spec/rights.md \
                    names and numbers from 1 to 1000000";
    let items = sources.list("command_kinds", |item| kind(item).is_some(), expected);
    items.iter().map(|item| kind(item)).collect()
}

fn kind(item: &str) -> Option<(Action, Rate)> {
    let (name, numbers) = item.split_once('=')?;
    let (burst, per_minute) = numbers.split_once('/')?;
    let mut all = Action::ALL.iter().copied();
    let action = all.find(|action| action.to_string() == name.trim())?;
    let number = |text: &str| {
        let number = text.trim().parse::<u32>().ok();
        number.filter(|number| (1..=1_000_000).contains(number))
    };
    Some((
        action,
        Rate::per_minute(number(burst)?, number(per_minute)?),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_its_name_and_two_numbers() {
        let (action, rate) = kind("ask_person=3/6").unwrap();
        assert_eq!(action, Action::AskPerson);
        assert_eq!(rate, Rate::per_minute(3, 6));
        for wrong in [
            "open",
            "open=3",
            "open=0/1",
            "open=1/0",
            "opening=1/1",
            "=1/1",
        ] {
            assert!(kind(wrong).is_none(), "{wrong}");
        }
    }
}
