//! [`DeadLetters`] in the database.

use async_trait::async_trait;
use chatcore::{
    error::Result,
    journal::{DeadLetter, DeadLetters},
    record::{decode, encode},
};

use crate::{
    database::Database,
    keys::{Key, u64_at},
    tables::{DEAD_LETTERS, DEAD_LETTERS_BY_PLACE, META, View as _},
    writer::{Answer, Failure},
};

/// Where the number of the last letter is kept; numbers are never used again.
const NUMBER_KEY: &[u8] = b"dead_letter_number";

/// Dead letters by number, and by where they came from.
#[derive(Debug)]
pub(crate) struct EmbeddedDeadLetters(pub(crate) Database);

#[async_trait]
impl DeadLetters for EmbeddedDeadLetters {
    async fn add(&self, letter: DeadLetter) -> Result<u64> {
        let bytes = encode(&letter)?;
        let write = self.0.write(Answer::WhenDurable, move |group| {
            let place = place_key(&letter);
            if let Some(number) = group.get(DEAD_LETTERS_BY_PLACE, place.bytes())?
                && let Some(number) = u64_at(&number, 0)
            {
                return Ok(number);
            }
            let last = group.get(META, NUMBER_KEY)?;
            let number = last.and_then(|bytes| u64_at(&bytes, 0)).unwrap_or(0) + 1;
            let key = number.to_be_bytes();
            group.put(META, NUMBER_KEY, &key)?;
            group.put(DEAD_LETTERS, &key, &bytes)?;
            group.put(DEAD_LETTERS_BY_PLACE, place.bytes(), &key)?;
            Ok(number)
        });
        write.await
    }

    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<(u64, DeadLetter)>> {
        let from = match after {
            None => 0,
            Some(u64::MAX) => return Ok(Vec::new()),
            Some(number) => number + 1,
        };
        let found = self.0.read(move |view| {
            let mut found = Vec::new();
            let range = Key::default().u64(from).on();
            view.scan(DEAD_LETTERS, &range, &mut |key, value| {
                if found.len() < limit {
                    found.push((u64_at(key, 0).unwrap_or_default(), value.to_vec()));
                }
                found.len() < limit
            })?;
            Ok(found)
        });
        let found = found.await?.into_iter();
        found
            .map(|(number, bytes)| Ok((number, decode(&bytes)?)))
            .collect()
    }

    async fn remove(&self, number: u64) -> Result<()> {
        let write = self.0.write(Answer::WhenDurable, move |group| {
            let key = number.to_be_bytes();
            let Some(bytes) = group.get(DEAD_LETTERS, &key)? else {
                return Ok(());
            };
            let letter: DeadLetter = decode(&bytes).map_err(Failure::Refused)?;
            group.remove(DEAD_LETTERS, &key)?;
            group.remove(DEAD_LETTERS_BY_PLACE, place_key(&letter).bytes())?;
            Ok(())
        });
        write.await
    }
}

fn place_key(letter: &DeadLetter) -> Key {
    Key::of(letter.partition)
        .u64(letter.offset.0)
        .rest(letter.origin.as_str().as_bytes())
}
