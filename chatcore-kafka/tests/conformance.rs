//! What every journal promises, on the Kafka that `CHATCORE_KAFKA` names.

mod common;

chatcore::conformance_tests!(journal, tables: match common::fresh().await {
    Some(ports) => ports,
    None => return,
});
