//! One append on its way through the writer.

use std::sync::Arc;

use bytes::Bytes;
use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::Partition,
    journal::{Log, Receipt, Record},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{APPEND, State, lock, record_key, table, tail_key};
use crate::{
    tables::{Group, TAILS},
    writer::{Answer, Job},
};

type Settle = oneshot::Sender<Result<Receipt>>;

/// An append as a job of the writer. Its room is given back when it is answered.
pub(super) struct Append {
    state: Arc<State>,
    log: Log,
    partition: Partition,
    bytes: Bytes,
    record: Option<Record>,
    settle: Settle,
    _room: OwnedSemaphorePermit,
}

impl Append {
    pub(super) fn new(
        state: Arc<State>,
        (log, partition): (Log, Partition),
        bytes: Bytes,
        (settle, room): (Settle, OwnedSemaphorePermit),
    ) -> Self {
        Self {
            state,
            log,
            partition,
            bytes,
            record: None,
            settle,
            _room: room,
        }
    }
}

impl Job for Append {
    fn answer(&self) -> Answer {
        Answer::WhenDurable
    }

    fn apply(&mut self, group: &mut Group<'_>) -> Result<(), redb::Error> {
        let mut writing = lock(&self.state.writing);
        let Some(tail) = writing.get_mut(self.state.slot(self.log, self.partition)) else {
            return Ok(());
        };
        // The wall clock may jump back; the append time may not.
        tail.at = tail.at.max(self.state.clock.now());
        let record = Record {
            offset: tail.next,
            at: tail.at,
            bytes: self.bytes.clone(),
        };
        tail.next = tail.next.next();
        let value = [&record.at.0.to_be_bytes(), &*record.bytes].concat();
        let key = record_key(self.partition, record.offset);
        group.put_bytes(table(self.log), key.bytes(), &value.into())?;
        group.put(
            TAILS,
            tail_key(self.log, self.partition).bytes(),
            &tail.encode(),
        )?;
        self.record = Some(record);
        Ok(())
    }

    fn done(self: Box<Self>, group: Result<()>) {
        let answer = match (group, self.record) {
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(Error::new(ErrorKind::Internal, APPEND)),
            (Ok(()), Some(record)) => {
                let receipt = Receipt {
                    partition: self.partition,
                    offset: record.offset,
                    at: record.at,
                };
                let slot = self.state.slot(self.log, self.partition);
                if let Some(durable) = lock(&self.state.durable).get_mut(slot) {
                    durable.push(record);
                }
                self.state.changed.notify_waiters();
                Ok(receipt)
            }
        };
        // Nobody waits any more: dropping a pending append does not take it back.
        drop(self.settle.send(answer));
    }
}
