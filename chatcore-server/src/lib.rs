//! The thin reference server of chatcore.

pub mod http;
pub mod protocol;
pub mod ws;
