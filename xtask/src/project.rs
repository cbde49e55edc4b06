//! Where things are: the root of the repository, its source, its tools, and what was built.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Folders that hold what was built or fetched, never source.
const NOT_SOURCE: [&str; 4] = ["target", "node_modules", "data", ".git"];

/// The repository that `cargo xtask` was started in.
#[derive(Debug)]
pub(crate) struct Project {
    root: PathBuf,
    tools: PathBuf,
    exe: PathBuf,
}

impl Project {
    /// Finds the repository from what cargo tells a program that it runs.
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .context("CARGO_MANIFEST_DIR is not set: start this as `cargo xtask`")?;
        let root = Path::new(&manifest)
            .parent()
            .context("the xtask folder has no parent")?
            .to_owned();
        let tools = env::var_os("CHATCORE_TOOLS_DIR")
            .map_or_else(|| root.join("target").join("tools"), PathBuf::from);
        // Asked for once, at the start: a later build may replace the file.
        let exe = env::current_exe().context("where this program is")?;
        Ok(Self { root, tools, exe })
    }

    /// The root of the repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the root.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// Where setup puts the tools that the tests use. `CHATCORE_TOOLS_DIR` moves it, so that
    /// several checkouts share one.
    pub(crate) fn tools(&self) -> &Path {
        &self.tools
    }

    /// A program of this workspace, below the folder that cargo builds into.
    pub(crate) fn built(&self, program: &str) -> PathBuf {
        self.exe.with_file_name(program)
    }

    /// As [`built`](Self::built), of the release build.
    pub(crate) fn released(&self, program: &str) -> PathBuf {
        let folder = self.exe.ancestors().nth(2);
        folder.map_or_else(PathBuf::new, |f| f.join("release").join(program))
    }

    /// A command that starts in the root.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The cargo that started us, with these words.
    pub(crate) fn cargo(&self, words: &[&str]) -> Command {
        let mut command = self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(words);
        command
    }

    /// Another chore of this program.
    pub(crate) fn chore(&self, words: &[&str]) -> Command {
        let mut command = self.command(&self.exe);
        command.args(words);
        command
    }

    /// The source files below a folder whose names end so, in a steady order, as paths from the
    /// root. A folder that does not exist has none.
    pub(crate) fn sources(&self, below: &str, endings: &[&str]) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut folders = vec![self.path(below)];
        while let Some(folder) = folders.pop() {
            if !folder.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
                let path = entry?.path();
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                if path.is_dir() && !path.is_symlink() {
                    if !NOT_SOURCE.contains(&name.as_str()) {
                        folders.push(path);
                    }
                } else if endings.iter().any(|ending| name.ends_with(ending)) {
                    found.push(path.strip_prefix(&self.root)?.to_owned());
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// The first of these programs that the machine's search path has.
pub(crate) fn on_path(programs: &[&str]) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    programs.iter().find_map(|program| {
        env::split_paths(&folders)
            .map(|folder| folder.join(program))
            .find(|path| path.is_file())
    })
}
