//! The browser that the pages are tested in.

use std::env;
use std::path::Path;

use anyhow::{Result, bail};

use super::apt;
use crate::project::on_path;

/// The names that `browser-tests/launch.mjs` looks for, too.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The fonts draw Cyrillic, ticks and emoji in the screenshots.
const PACKAGES: [&str; 3] = ["chromium", "fonts-dejavu-core", "fonts-noto-color-emoji"];

const NONE: &str = "no Chromium (Ubuntu has it as a snap; CHATCORE_CHROMIUM may name another)";

/// Finds a Chromium, or installs Debian's.
pub(crate) fn ensure() -> Result<()> {
    if let Some(chosen) = env::var_os("CHATCORE_CHROMIUM") {
        if !Path::new(&chosen).is_file() {
            bail!(
                "CHATCORE_CHROMIUM names {}, which is no file",
                chosen.display()
            );
        }
        return Ok(());
    }
    if on_path(&PROGRAMS).is_none() {
        apt::install(&PACKAGES, NONE)?;
    }
    if on_path(&PROGRAMS).is_none() {
        bail!("still no {} on the search path", PROGRAMS.join(", "));
    }
    Ok(())
}
