//! Certificates for servers that speak TLS: an authority of the tests' own, a server, a client.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::run;
use crate::project::on_path;
use crate::setup::apt;

const OPENSSL: &str = "openssl";
/// Longer than services stay up.
const DAYS: &str = "30";

/// Writes `ca.pem`; `broker.pem`, a key and its certificate; `client.key` and `client.pem`; and
/// `other.key` and `other.pem`, of nobody that brokers trust.
pub(super) fn make(folder: &Path) -> Result<()> {
    if on_path(&[OPENSSL]).is_none() {
        apt::install(&[OPENSSL], "no OpenSSL")?;
    }
    certificate(folder, "ca", "/CN=tests of chatcore", &[])?;
    let by_ca = [
        ["-CA", "ca.pem"],
        ["-CAkey", "ca.key"],
        ["-addext", "basicConstraints=critical,CA:FALSE"],
        ["-addext", "subjectAltName=IP:127.0.0.1"],
    ]
    .concat();
    certificate(folder, "broker", "/CN=broker", &by_ca)?;
    certificate(folder, "client", "/CN=chatcore", &by_ca)?;
    certificate(folder, "other", "/CN=chatcore", &[])?;
    let read = |name: &str| fs::read_to_string(folder.join(name)).context("a new certificate");
    let both = read("broker.key")? + &read("broker.pem")?;
    fs::write(folder.join("broker.pem"), both).context("writing the broker's certificate")
}

fn certificate(folder: &Path, name: &str, subject: &str, more: &[&str]) -> Result<()> {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let mut openssl = Command::new(OPENSSL);
    openssl.current_dir(folder).args(["req", "-x509", "-nodes"]);
    openssl.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    openssl.args(["-days", DAYS, "-subj", subject]);
    openssl.args(["-keyout", &key, "-out", &certificate]);
    run(openssl.args(more))
}
