//! What one person may do at once and how often, over all their sessions on this node.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::rate::{Bucket, Rate};
use crate::{
    error::{Error, ErrorKind, Result, Retry},
    ids::Participant,
    rights::Action,
};

/// When somebody with too many sessions may try again.
const SESSIONS_RETRY: Duration = Duration::from_secs(5);
/// People that are remembered before it is looked who may be forgotten.
const SWEEP_MIN: usize = 1_024;

/// What one person may do on one node. Each bound is refused with `Overloaded` and when to come
/// back; nothing else is lost by it.
#[derive(Debug, Clone)]
pub struct PersonLimits {
    /// Most sessions at a time.
    pub sessions_max: usize,
    /// Commands of any kind, over all sessions.
    pub commands: Rate,
    /// Of these, those of a kind; a kind that is not named is bounded by `commands` alone.
    pub kinds: BTreeMap<Action, Rate>,
    /// Calls that are answered beside sessions, each asked for by
    /// [`Chat::admit`](crate::chat::Chat::admit).
    pub requests: Rate,
}

impl Default for PersonLimits {
    /// 32 sessions; 128 commands at once and 50 a second; 20 dialogs opened at once and 20 a
    /// minute; 200 requests at once and 50 a second.
    fn default() -> Self {
        Self {
            sessions_max: 32,
            commands: Rate::per_second(128, 50),
            kinds: BTreeMap::from([(Action::Open, Rate::per_minute(20, 20))]),
            requests: Rate::per_second(200, 50),
        }
    }
}

/// Everybody who is here, or was until a moment ago: who comes back does not start with full
/// buckets.
#[derive(Debug)]
pub(crate) struct People {
    limits: PersonLimits,
    known: Mutex<Known>,
    refused: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Known {
    people: HashMap<Participant, Arc<Person>>,
    sweep_at: usize,
}

/// What one person has done of what they may.
#[derive(Debug)]
pub(crate) struct Person {
    limits: PersonLimits,
    used: Mutex<Used>,
    /// Of all people: how often something was refused.
    refused: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Used {
    sessions: usize,
    commands: Bucket,
    kinds: BTreeMap<Action, Bucket>,
    requests: Bucket,
}

/// The place of one session, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Person>);

impl People {
    pub(crate) fn new(limits: PersonLimits) -> Self {
        Self {
            limits,
            known: Mutex::default(),
            refused: Arc::default(),
        }
    }

    /// A session more of somebody.
    ///
    /// # Errors
    /// `Overloaded` when they have as many as they may.
    pub(crate) fn enter(&self, who: &Participant) -> Result<Place> {
        let person = self.person(who);
        person.enter()?;
        Ok(Place(person))
    }

    /// What somebody has done.
    pub(crate) fn person(&self, who: &Participant) -> Arc<Person> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(person) = known.people.get(who) {
            return Arc::clone(person);
        }
        if known.people.len() >= known.sweep_at {
            known.people.retain(|_, person| person.is_remembered());
            known.sweep_at = SWEEP_MIN.max(known.people.len() * 2);
        }
        let person = Arc::new(Person::new(self.limits.clone(), Arc::clone(&self.refused)));
        known.people.insert(who.clone(), Arc::clone(&person));
        person
    }

    /// How often something was refused, ever.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Person {
    fn new(limits: PersonLimits, refused: Arc<AtomicU64>) -> Self {
        let used = Used {
            sessions: 0,
            commands: Bucket::new(limits.commands),
            kinds: BTreeMap::new(),
            requests: Bucket::new(limits.requests),
        };
        Self {
            limits,
            used: Mutex::new(used),
            refused,
        }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> Result<()> {
        let mut used = self.used();
        if used.sessions >= self.limits.sessions_max {
            return Err(self.refuse("too many sessions of this person", SESSIONS_RETRY));
        }
        used.sessions += 1;
        Ok(())
    }

    /// One more command of any kind.
    pub(crate) fn take_command(&self) -> Result<()> {
        let taken = self.used().commands.take();
        taken.map_err(|after| self.refuse("too many commands of this person", after))
    }

    /// One more of this kind.
    pub(crate) fn take_kind(&self, kind: Action) -> Result<()> {
        let Some(rate) = self.limits.kinds.get(&kind) else {
            return Ok(());
        };
        let mut used = self.used();
        let bucket = used.kinds.entry(kind).or_insert_with(|| Bucket::new(*rate));
        let taken = bucket.take();
        drop(used);
        taken.map_err(|after| self.refuse("too many commands of this kind", after))
    }

    /// One more request beside sessions.
    pub(crate) fn take_request(&self) -> Result<()> {
        let taken = self.used().requests.take();
        taken.map_err(|after| self.refuse("too many requests of this person", after))
    }

    fn refuse(&self, reason: &'static str, after: Duration) -> Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        Error::new(ErrorKind::Overloaded, "do so much at a time")
            .with_retry(Retry::Safe { after })
            .with_context("reason", reason)
    }

    /// Whether forgetting them would forgive them something.
    fn is_remembered(&self) -> bool {
        let used = self.used();
        let buckets = [&used.commands, &used.requests];
        let mut buckets = buckets.into_iter().chain(used.kinds.values());
        used.sessions > 0 || buckets.any(|bucket| !bucket.is_full())
    }
}

impl Place {
    /// Whose it is.
    pub(crate) fn person(&self) -> Arc<Person> {
        Arc::clone(&self.0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.used().sessions -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CustomerId;

    fn customer(name: &str) -> Participant {
        Participant::Customer(CustomerId::try_new(name).unwrap())
    }

    fn people() -> People {
        People::new(PersonLimits {
            sessions_max: 2,
            commands: Rate::per_second(3, 10),
            kinds: BTreeMap::from([(Action::Open, Rate::per_minute(1, 6))]),
            requests: Rate::per_second(1, 1),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_of_a_person_are_bounded_until_one_ends() {
        let people = people();
        let first = people.enter(&customer("anna")).unwrap();
        let _second = people.enter(&customer("anna")).unwrap();
        let refused = people.enter(&customer("anna")).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Overloaded);
        assert!(matches!(refused.retry(), Retry::Safe { after } if after == SESSIONS_RETRY));
        let _other = people.enter(&customer("boris")).unwrap();
        drop(first);
        let _third = people.enter(&customer("anna")).unwrap();
        assert_eq!(people.refused(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn kinds_requests_and_commands_have_buckets_of_their_own() {
        let people = people();
        let anna = people.person(&customer("anna"));
        anna.take_kind(Action::Open).unwrap();
        let refused = anna.take_kind(Action::Open).unwrap_err();
        let ten = Duration::from_secs(10);
        assert!(matches!(refused.retry(), Retry::Safe { after } if after == ten));
        for _ in 0..100 {
            anna.take_kind(Action::Message).unwrap();
        }
        anna.take_request().unwrap();
        assert!(anna.take_request().is_err());
        for _ in 0..3 {
            anna.take_command().unwrap();
        }
        assert!(anna.take_command().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_finds_the_buckets_as_they_were_and_idle_people_are_forgotten() {
        let people = people();
        let place = people.enter(&customer("anna")).unwrap();
        place.person().take_kind(Action::Open).unwrap();
        drop(place);
        for n in 0..SWEEP_MIN * 4 {
            people.person(&customer(&format!("c-{n}")));
        }
        let known = || people.known.lock().unwrap().people.len();
        assert!(known() <= SWEEP_MIN * 2, "{} are known", known());
        let again = people.enter(&customer("anna")).unwrap();
        assert!(again.person().take_kind(Action::Open).is_err());
        drop(again);
        tokio::time::advance(Duration::from_secs(10)).await;
        for n in 0..SWEEP_MIN * 4 {
            people.person(&customer(&format!("d-{n}")));
        }
        let is_known = people
            .known
            .lock()
            .unwrap()
            .people
            .contains_key(&customer("anna"));
        assert!(!is_known, "nothing is left to remember of her");
    }
}
