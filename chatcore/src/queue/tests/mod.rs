//! Tests of the desk: its commands one by one, whole lives with dialogs that answer late, and the
//! same bytes in another process.

mod desk;
mod determinism;
mod dialogs;
mod lives;
mod model;
mod pair;
mod promises;
mod table;
mod table_grants;
mod table_presence;
