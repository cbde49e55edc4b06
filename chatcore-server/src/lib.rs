//! The thin reference server of chatcore.

pub mod config;
pub mod http;
pub mod identity;
pub mod protocol;
pub mod ws;
