//! Writes the documents that are made from the types: run it after a change of frames or routes.
//! A test says when that was forgotten.

use std::{fs, path::Path};

use chatcore_server::spec;

fn main() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/spec");
    for (name, text) in spec::documents() {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}
