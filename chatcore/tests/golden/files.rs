//! The files themselves.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::PathBuf,
};

use bytes::Bytes;
use chatcore::record;
use serde::Serialize;

/// Names and bytes, in order.
pub(crate) type Golden = Vec<(String, Bytes)>;

fn path(file: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let version = format!("v{}", record::FORMAT_VERSION);
    folder.join(version).join(format!("{file}.txt"))
}

/// Reads a file of this version.
pub(crate) fn golden(file: &str) -> Golden {
    let path = path(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .map(|line| {
            let (name, hex) = line.split_once(' ').unwrap();
            (name.to_owned(), unhex(hex))
        })
        .collect()
}

/// Writes a file, unless it is there.
pub(crate) fn write(file: &str, golden: &Golden) {
    let path = path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut text = String::new();
    for (name, bytes) in golden {
        writeln!(text, "{name} {}", hex(bytes)).unwrap();
    }
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => file.write_all(text.as_bytes()).unwrap(),
        // What was written once stands.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
        Err(e) => panic!("{}: {e}", path.display()),
    }
}

/// Writes samples, unless they are there.
pub(crate) fn write_all<T: Serialize>(file: &str, samples: &[(&'static str, T)]) {
    let encode =
        |(name, sample): &(&'static str, T)| ((*name).to_owned(), record::encode(sample).unwrap());
    write(file, &samples.iter().map(encode).collect());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Bytes {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
