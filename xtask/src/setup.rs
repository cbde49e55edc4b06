//! `cargo xtask setup`: brings what the tests need to a machine that has only Rust, a C compiler
//! and Debian's or Ubuntu's own packages. Quick when all is there.

pub(crate) mod apt;
mod cargo_deny;
mod chromium;
mod node;
mod openssl;
mod python;

use anyhow::Result;

use crate::project::Project;

/// Brings every tool, one after another.
pub(crate) fn run(project: &Project) -> Result<()> {
    openssl::ensure()?;
    chromium::ensure()?;
    node::ensure(project)?;
    python::ensure(project)?;
    cargo_deny::ensure(project)?;
    println!("all tools are there");
    Ok(())
}
