//! The journal of [chatcore] on Apache Kafka: [`Journal`](chatcore::journal::Journal),
//! its compacted tables and the dead letters.
//!
//! [`Kafka::open`] makes or checks the topics, and hands out the parts. `docs/guide/kafka.md` tells
//! what the topics are like, and which setting each promise rests on.
//!
//! What is particular to it:
//! - **A record never fails for having waited.** There is no time limit for an append: what was
//!   taken stays in line until the brokers have it, so that there is never a hole before what comes
//!   after. While they are away the line fills up, and appends are refused as overloaded.
//! - **Positions of groups are written now and then** ([`KafkaConfig::commit_interval`]), before a
//!   partition is given up, and when a member leaves. After a crash the group stands a little
//!   earlier: what was done since is found done.
//! - **Append times** are the clock of the broker that leads the partition. They can go back when
//!   another broker takes over; the core clamps them for each customer and desk.

mod about;
mod aside;
mod config;
mod error;
mod figures;
mod journal;
mod kafka;
mod member;
mod patience;
mod producer;
mod producers;
mod quiet;
mod reader;
mod survey;
mod table;
mod tables;
mod topics;

pub use config::{KafkaConfig, Property};
pub use figures::Figures;
pub use journal::KafkaJournal;
pub use kafka::Kafka;
pub use tables::{KafkaDeadLetters, KafkaShared, KafkaSnapshots};
