//! The view over the Redis protocol.

mod index;
mod lease;
mod mark;
mod partition;
mod save;
mod stream;
mod texts;

use chatcore::error::Result;
use redis::{Cmd, Pipeline, Value};

use crate::{KeyDb, error::unexpected};

impl KeyDb {
    /// One call, one answer.
    async fn call(&self, operation: &'static str, call: Cmd) -> Result<Value> {
        let mut calls = Pipeline::with_capacity(1);
        calls.add_command(call);
        let mut answers = self.link.run(operation, &calls).await?;
        answers
            .pop()
            .ok_or_else(|| unexpected(operation, "no answer"))
    }
}
