//! OpenSSL to build against: librdkafka has no other TLS.

use std::process::Command;

use anyhow::Result;

use super::apt;
use crate::process::output;

/// Where it is known as a library, with its headers.
pub(crate) fn ensure() -> Result<()> {
    let found = output(Command::new("pkg-config").args(["--modversion", "openssl"]));
    match found {
        Some(_) => Ok(()),
        None => apt::install(&["libssl-dev", "pkg-config"], "no OpenSSL to build against"),
    }
}
