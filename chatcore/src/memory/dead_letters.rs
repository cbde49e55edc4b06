//! Dead letters in process.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;

use super::lock;
use crate::{
    error::Result,
    journal::{DeadLetter, DeadLetters},
};

/// [`DeadLetters`] in process.
#[derive(Debug, Default)]
pub struct MemoryDeadLetters {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    letters: BTreeMap<u64, DeadLetter>,
}

#[async_trait]
impl DeadLetters for MemoryDeadLetters {
    async fn add(&self, letter: DeadLetter) -> Result<u64> {
        let mut state = lock(&self.state);
        let place = |l: &DeadLetter| (l.origin.clone(), l.partition, l.offset);
        let known = state
            .letters
            .iter()
            .find(|(_, kept)| place(kept) == place(&letter));
        if let Some((number, _)) = known {
            return Ok(*number);
        }
        state.last += 1;
        let number = state.last;
        state.letters.insert(number, letter);
        Ok(number)
    }

    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<(u64, DeadLetter)>> {
        let state = lock(&self.state);
        let from = after.map_or(0, |number| number.saturating_add(1));
        Ok(state
            .letters
            .range(from..)
            .take(limit)
            .map(|(n, l)| (*n, l.clone()))
            .collect())
    }

    async fn remove(&self, number: u64) -> Result<()> {
        lock(&self.state).letters.remove(&number);
        Ok(())
    }
}
