//! Lists the pages, so that a release has them inside. A debug build reads them from the folder.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

const TYPES: [&str; 7] = ["html", "js", "css", "svg", "png", "ico", "woff2"];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("pages.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("web");
    let mut files = Vec::new();
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rerun-if-changed=web");
        list(&root, &mut files)?;
        files.sort();
    }
    let mut table = String::from("[\n");
    for file in files {
        let name = file.strip_prefix(&root).unwrap_or(&file);
        let name = name.to_string_lossy().replace('\\', "/");
        let path = file.to_string_lossy().into_owned();
        table.push_str(&format!(
            "    ({name:?}, include_bytes!({path:?}).as_slice()),\n"
        ));
    }
    table.push_str("]\n");
    fs::write(out, table)
}

/// All files that a browser may ask for; tests stay outside.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let ending = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            list(&path, files)?;
        } else if TYPES.contains(&ending.as_str()) && !name.contains(".test.") {
            files.push(path);
        }
    }
    Ok(())
}
