//! [`Archive`] in files: one for each segment, never changed once it is there.
//!
//! `<folder>/<ab>/<abcdef…>/<first>-<last>`: the stream's name hashed, and the numbers of the
//! segment's first and last event. A file has the encoded segment and then its BLAKE3.
//! `<folder>/journal` names the journal whose streams they are.

use std::{
    fmt,
    fs::{self, File},
    hash::{BuildHasher as _, RandomState},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use chatcore::{
    content::Sealed,
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Seq, StreamId},
    record::{Position, StreamEvent, decode, encode},
    store::{Archive, Page, Segment},
};
use tokio::sync::Semaphore;

use crate::error::{corrupt, from_io};

const PUT: &str = "archive a segment";
const READ: &str = "read the archive";
const OPEN: &str = "open the archive";
/// Names the journal.
const OWNER: &str = "journal";
const CHECK_BYTES: usize = 32;
/// Operations under way at a time; the others wait for their turn.
const OPERATIONS_MAX: usize = 8;

/// An [`Archive`] in a folder of files.
///
/// The folder may be shared by processes: a segment is written under a name of its own and then
/// moved to its place, and two that write the same one write the same bytes.
///
/// ```
/// use chatcore_embedded::FileArchive;
///
/// let archive = FileArchive::new("/var/lib/chatcore/archive");
/// ```
#[derive(Debug, Clone)]
pub struct FileArchive {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    turns: Semaphore,
    /// Nobody else's, also of those who have the folder on other machines.
    mine: u64,
    written: AtomicU64,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// A segment's file, as its name tells.
struct Part {
    first: u64,
    last: u64,
    path: PathBuf,
}

impl FileArchive {
    /// An archive in this folder, which is created with the first segment.
    #[must_use]
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self {
            shared: Arc::new(Shared {
                folder: folder.as_ref().to_owned(),
                turns: Semaphore::new(OPERATIONS_MAX),
                // Keyed by the system's random numbers.
                mine: RandomState::new().hash_one(process::id()),
                written: AtomicU64::new(0),
            }),
        }
    }

    /// Takes the folder for the streams of this journal; one that names none yet names it from now
    /// on. Positions of another journal mean nothing here: what its dialogs lack would be waited
    /// for without an end.
    ///
    /// # Errors
    /// `Invalid` when it is another journal's; `Corrupt` when what it names can't be read;
    /// `Storage`.
    pub async fn belong(&self, incarnation: Incarnation) -> Result<()> {
        self.blocking(OPEN, move |shared| shared.belong(incarnation))
            .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Shared) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let closed = || Error::new(ErrorKind::Closed, operation);
        let _turn = self.shared.turns.acquire().await.map_err(|_| closed())?;
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || work(&shared)).await;
        done.map_err(|_| closed())?
    }
}

impl Shared {
    /// A name for a file that is not finished.
    fn unfinished(&self) -> String {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        format!("unfinished.{:016x}.{number}", self.mine)
    }

    fn stream(&self, stream: &StreamId) -> PathBuf {
        let hash = blake3::hash(stream.to_string().as_bytes()).to_hex();
        let (shelf, _) = hash.split_at(2);
        let (name, _) = hash.split_at(32);
        self.folder.join(shelf).join(name)
    }

    fn belong(&self, Incarnation(ours): Incarnation) -> Result<()> {
        let path = self.folder.join(OWNER);
        let failed = |e| from_io(OPEN, e).with_context("folder", self.folder.display());
        if !path.exists() {
            let unfinished = self.folder.join(self.unfinished());
            let write = || -> io::Result<()> {
                create_folders(&self.folder, &self.folder)?;
                let mut file = File::create(&unfinished)?;
                file.write_all(format!("{ours:016x}\n").as_bytes())?;
                file.sync_all()?;
                // Not moved: of several who do this at once only one may be the first.
                match fs::hard_link(&unfinished, &path) {
                    Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                    _ => fs::remove_file(&unfinished)?,
                }
                sync_folder(&self.folder)
            };
            write().map_err(failed)?;
        }
        let named = fs::read_to_string(&path).map_err(failed)?;
        let theirs = u64::from_str_radix(named.trim_end(), 16).map_err(|_| {
            corrupt(OPEN, "no journal is named").with_context("file", path.display())
        })?;
        if theirs == ours {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Invalid, OPEN)
            .with_context("folder", self.folder.display())
            .with_context("is of the journal", format!("{theirs:016x}"))
            .with_context("expected", format!("{ours:016x}"))
            .with_context(
                "to do",
                "restore the journal that it belongs to, or move this folder away",
            ))
    }

    /// The segments of a stream, by their first event.
    fn parts(&self, stream: &StreamId) -> Result<Vec<Part>> {
        let list = || -> io::Result<Vec<Part>> {
            let mut parts = Vec::new();
            for entry in fs::read_dir(self.stream(stream))? {
                let path = entry?.path();
                let name = path.file_name().and_then(|n| n.to_str());
                let numbers = name.and_then(|n| n.split_once('-')).and_then(|(a, b)| {
                    // Anything else is a segment that was never finished.
                    Some((a.parse().ok()?, b.parse().ok()?))
                });
                if let Some((first, last)) = numbers {
                    parts.push(Part { first, last, path });
                }
            }
            Ok(parts)
        };
        match list() {
            Ok(mut parts) => {
                parts.sort_by_key(|p| (p.first, p.last));
                Ok(parts)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(from_io(READ, e)),
        }
    }

    fn put(&self, segment: &Segment) -> Result<()> {
        let bounds = segment.events.first().zip(segment.events.last());
        let Some((first, last)) = bounds.map(|(first, last)| (first.seq, last.seq)) else {
            return Ok(());
        };
        let folder = self.stream(&segment.stream);
        let path = folder.join(format!("{:020}-{:020}", first.0, last.0));
        let mut bytes = encode(segment)?.to_vec();
        bytes.extend(blake3::hash(&bytes).as_bytes());
        let unfinished = folder.join(self.unfinished());
        let write = || -> io::Result<()> {
            if path.exists() {
                return Ok(());
            }
            create_folders(&self.folder, &folder)?;
            let mut file = File::create(&unfinished)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            sync_folder(&folder)
        };
        write().map_err(|e| from_io(PUT, e).with_context("stream", &segment.stream))
    }

    fn read(&self, stream: &StreamId, after: Seq, limit: usize) -> Result<Page> {
        let parts = self.parts(stream)?;
        let mut found = (after == Seq(0)).then(Position::default);
        let mut events = Vec::new();
        let mut next = after.next();
        for part in &parts {
            // The one that ends with `after` is read for its hash.
            if part.last < after.0 || events.len() >= limit {
                continue;
            }
            if part.first > next.0 {
                break;
            }
            let segment = read_part(&part.path, stream)?;
            if segment.after.seq == after {
                found = Some(segment.after);
            }
            for event in segment.events {
                if event.seq == after {
                    found = Some(position(&event));
                }
                if event.seq == next && events.len() < limit {
                    next = next.next();
                    events.push(event);
                }
            }
        }
        let after = match found {
            Some(found) => found,
            None => last_below(&parts, stream, after)?,
        };
        Ok(Page { after, events })
    }

    fn covered(&self, stream: &StreamId) -> Result<Seq> {
        let mut covered = 0;
        for part in self.parts(stream)? {
            if part.first > covered + 1 {
                break;
            }
            covered = covered.max(part.last);
        }
        Ok(Seq(covered))
    }
}

fn position(event: &StreamEvent<Sealed>) -> Position {
    Position {
        seq: event.seq,
        hash: event.hash,
    }
}

/// The last event below `after`.
fn last_below(parts: &[Part], stream: &StreamId, after: Seq) -> Result<Position> {
    let below = parts.iter().filter(|part| part.last < after.0);
    let Some(part) = below.max_by_key(|part| part.last) else {
        return Ok(Position::default());
    };
    let segment = read_part(&part.path, stream)?;
    Ok(segment.events.last().map_or(segment.after, position))
}

fn read_part(path: &Path, stream: &StreamId) -> Result<Segment> {
    let damaged = || corrupt(READ, "a segment is damaged").with_context("file", path.display());
    let bytes = fs::read(path).map_err(|e| from_io(READ, e))?;
    let (bytes, check) = bytes
        .split_last_chunk::<CHECK_BYTES>()
        .ok_or_else(damaged)?;
    if blake3::hash(bytes).as_bytes() != check {
        return Err(damaged());
    }
    let segment: Segment = decode(bytes)?;
    if segment.stream != *stream {
        return Err(damaged());
    }
    Ok(segment)
}

/// Creates the folders of a stream, or the top one, so that their names are durable.
fn create_folders(top: &Path, stream: &Path) -> io::Result<()> {
    if stream.exists() {
        return Ok(());
    }
    fs::create_dir_all(stream)?;
    let above = stream.ancestors().skip(1);
    for folder in above.take_while(|folder| folder.starts_with(top)) {
        sync_folder(folder)?;
    }
    match top.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(parent) => sync_folder(parent),
        None => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows has no such thing; there a rename is durable by itself.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[async_trait]
impl Archive for FileArchive {
    async fn put(&self, segment: Segment) -> Result<()> {
        self.blocking(PUT, move |shared| shared.put(&segment)).await
    }

    async fn read(&self, stream: &StreamId, after: Seq, limit: usize) -> Result<Page> {
        let stream = stream.clone();
        self.blocking(READ, move |shared| shared.read(&stream, after, limit))
            .await
    }

    async fn covered(&self, stream: &StreamId) -> Result<Seq> {
        let stream = stream.clone();
        self.blocking(READ, move |shared| shared.covered(&stream))
            .await
    }
}
