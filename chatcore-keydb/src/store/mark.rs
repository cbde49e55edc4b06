//! Where a partition stands, as a hash.

use bytes::Bytes;
use chatcore::{
    error::Result,
    ids::{Fence, Incarnation, Offset, Partition},
    record::{decode, encode},
    store::{Mark, PartitionBatch, Trial},
};

use super::texts::corrupt;
use crate::reply::{Reply, number, text};

/// The fields of what was received begin with this; the partition follows.
const RECEIVED: &str = "received:";

/// The fields of a mark in the view of a partition; the names of streams have a slash, these none.
pub(super) fn fields(partitions: u32) -> Vec<String> {
    let own = [
        "fence",
        "incarnation",
        "applied",
        "trimmed",
        "built",
        "dialogs",
        "events",
        "trial",
    ];
    let received = (0..partitions).map(|from| format!("{RECEIVED}{from}"));
    own.map(str::to_owned).into_iter().chain(received).collect()
}

/// Reads the values of these fields; all that is not there has its default.
pub(super) fn parse(operation: &'static str, fields: &[String], mut reply: Reply) -> Result<Mark> {
    let mut mark = Mark::default();
    for field in fields {
        let Some(value) = reply.bytes()? else {
            continue;
        };
        if field == "trial" {
            mark.trial = match value.is_empty() {
                true => None,
                false => Some(decode::<Trial>(&value)?),
            };
            continue;
        }
        let value = text(operation, value)?;
        let count = || number::<u64>(operation, &value);
        match field.as_str() {
            "fence" => mark.fence = Fence(count()?),
            "incarnation" => mark.incarnation = Incarnation(count()?),
            "applied" => mark.applied = Offset(count()?),
            "trimmed" => mark.trimmed = Offset(count()?),
            "dialogs" => mark.dialogs = count()?,
            "events" => mark.events = Offset(count()?),
            "built" => mark.built = value == "1",
            field => {
                if let Some(from) = field.strip_prefix(RECEIVED) {
                    let from = Partition(number(operation, from)?);
                    mark.received
                        .insert(from, parse_received(operation, &value)?);
                }
            }
        }
    }
    Ok(mark)
}

fn parse_received(operation: &'static str, text: &str) -> Result<(Offset, u32)> {
    let invalid = || corrupt(operation, "no follow-up");
    let (cause, index) = text.split_once(' ').ok_or_else(invalid)?;
    Ok((Offset(number(operation, cause)?), number(operation, index)?))
}

/// A field and its value.
pub(super) type Field = (String, Bytes);

fn field(name: &str, value: impl ToString) -> Field {
    (name.to_owned(), Bytes::from(value.to_string()))
}

fn rest<'a>(
    trial: Option<&Trial>,
    received: impl IntoIterator<Item = (&'a Partition, &'a (Offset, u32))>,
) -> Result<Vec<Field>> {
    let trial = trial.map(encode).transpose()?.unwrap_or_default();
    let mut fields = vec![("trial".to_owned(), trial)];
    fields.extend(received.into_iter().map(|(from, (cause, index))| {
        field(&format!("{RECEIVED}{from}"), format!("{cause} {index}"))
    }));
    Ok(fields)
}

/// What a batch sets, beside the fence.
pub(super) fn after(batch: &PartitionBatch) -> Result<Vec<Field>> {
    let mut fields = vec![
        field("applied", batch.applied),
        field("dialogs", batch.dialogs),
        field("events", batch.events),
    ];
    fields.extend(rest(batch.trial.as_ref(), &batch.received)?);
    Ok(fields)
}

/// All of a mark that is not built, beside the fence.
pub(super) fn begun(mark: &Mark) -> Result<Vec<Field>> {
    let mut fields = vec![
        field("incarnation", mark.incarnation),
        field("applied", mark.applied),
        field("trimmed", mark.trimmed),
        field("built", 0),
        field("dialogs", mark.dialogs),
        field("events", mark.events),
    ];
    fields.extend(rest(mark.trial.as_ref(), &mark.received)?);
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use chatcore::ids::{Node, NodeEpoch, NodeId};
    use redis::Value;

    use super::*;

    #[test]
    fn a_mark_reads_back() {
        let node = Node {
            id: NodeId::try_new("n1").unwrap(),
            epoch: NodeEpoch(3),
        };
        let mark = Mark {
            incarnation: Incarnation(u64::MAX),
            applied: Offset(7),
            trimmed: Offset(5),
            dialogs: 3,
            received: [(Partition(2), (Offset(9), 1))].into(),
            events: Offset(11),
            trial: Some(Trial {
                offset: Offset(7),
                nodes: vec![node],
            }),
            ..Mark::default()
        };
        let written: std::collections::BTreeMap<_, _> = begun(&mark).unwrap().into_iter().collect();
        let fields = fields(4);
        let values = fields.iter().map(|field| match written.get(field) {
            Some(value) => Value::BulkString(value.to_vec()),
            None => Value::Nil,
        });
        assert!(written.keys().all(|field| fields.contains(field)));
        let reply = Reply::new("test", Value::Array(values.collect())).unwrap();
        assert_eq!(parse("test", &fields, reply).unwrap(), mark);
    }
}
