//! The core of chatcore: pure state machines, ports, engine and sessions.
