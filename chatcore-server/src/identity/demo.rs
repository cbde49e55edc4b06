//! The people of the demo, with ready tokens. Anybody who reaches a demo is anybody they like: it
//! listens on the loopback interface only, unless told twice.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::Path,
    thread,
    time::Duration,
};

use chatcore::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    identity::Assurance,
    ids::{QueueId, StaffId},
    queue::{Assignment, DeskConfig, OperatorConfig, QueueConfig},
};
use serde::{Deserialize, Serialize};

use super::{Claims, JwtAuthenticator, Role};

/// The demo's only desk.
pub const DEMO_DESK: &str = "main";

const QUEUES: [(&str, &str); 2] = [("general", "General"), ("cards", "Cards")];
const PEOPLE: [(&str, &str, Role); 5] = [
    ("anna", "Anna", Role::Customer),
    ("boris", "Boris", Role::Customer),
    ("olga", "Olga", Role::Operator),
    ("oleg", "Oleg", Role::Operator),
    ("sofia", "Sofia", Role::Supervisor),
];
const TOKEN_SECONDS: i64 = 30 * 24 * 60 * 60;
const SECRET_FILE: &str = "demo-secret";
const SECRET_BYTES: usize = 32;
/// Looks at a secret that is not whole yet, and the pause between two: a second in all.
const WHOLE_AFTER: u32 = 50;
const WHOLE_WAIT: Duration = Duration::from_millis(20);

/// A person of the demo.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub struct DemoPerson {
    /// The name that others see.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// A token that is valid for 30 days.
    pub token: String,
    /// Who they are.
    #[cfg_attr(feature = "spec", schema(schema_with = crate::http::spec::participant))]
    pub who: chatcore::ids::Participant,
}

/// The demo's people, each with a fresh token.
///
/// # Errors
/// `Internal` when a token can't be signed.
pub fn demo_people(tokens: &JwtAuthenticator, now: Timestamp) -> Result<Vec<DemoPerson>> {
    PEOPLE
        .iter()
        .map(|&(id, name, role)| {
            let exp = u64::try_from(now.0 / 1000 + TOKEN_SECONDS).unwrap_or_default();
            let claims = Claims {
                sub: id.to_owned(),
                role,
                name: name.to_owned(),
                desk: (role != Role::Customer).then(|| DEMO_DESK.to_owned()),
                // Boris is somebody who came back, and has not signed in.
                assurance: if id == "boris" {
                    Assurance::Known
                } else {
                    Assurance::Authenticated
                },
                exp,
                iat: u64::try_from(now.0 / 1000).ok(),
                jti: Some(token_name()?),
                sid: None,
                scope: None,
                nbf: None,
                iss: None,
                aud: None,
            };
            let token = tokens.sign(claims)?;
            let identity = tokens
                .verify(&token)
                .map_err(|e| Error::new(ErrorKind::Internal, "sign a token").with_source(e))?;
            Ok(DemoPerson {
                name: name.to_owned(),
                role,
                token,
                who: identity.participant(),
            })
        })
        .collect()
}

/// The demo's desk: two queues that all of its staff serve.
///
/// # Errors
/// None in fact: the names are in the source and valid.
pub fn demo_desk() -> Result<DeskConfig> {
    let mut queues = BTreeMap::new();
    for (id, title) in QUEUES {
        let config = QueueConfig {
            title: title.to_owned(),
            assignment: Assignment::Manual,
        };
        queues.insert(QueueId::try_new(id)?, config);
    }
    let mut operators = BTreeMap::new();
    for (id, name, _) in PEOPLE.iter().filter(|(_, _, role)| *role != Role::Customer) {
        let config = OperatorConfig {
            name: (*name).to_owned(),
            capacity: 5,
            queues: queues.keys().cloned().collect(),
        };
        operators.insert(StaffId::try_new(id)?, config);
    }
    Ok(DeskConfig {
        queues,
        operators,
        grace_ms: 60_000,
        grant_resend_ms: 5_000,
        reconcile_ms: 60_000,
    })
}

/// The demo's secret: kept in the folder, so that its tokens outlive a restart; only in memory
/// without a folder. Of nodes that begin in one folder at the same moment one makes it, and the
/// others wait for it, for a second at most.
///
/// # Errors
/// `Storage` when it can't be read, made or written; `Corrupt` when it is not whole.
pub fn kept_secret(folder: Option<&Path>) -> Result<Vec<u8>> {
    let Some(folder) = folder else {
        return fresh_secret();
    };
    let path = folder.join(SECRET_FILE);
    let failed = |error: io::Error| {
        Error::new(ErrorKind::Storage, "keep the demo's secret")
            .with_context("file", path.display())
            .with_source(error)
    };
    let mut found = 0;
    for _ in 0..WHOLE_AFTER {
        match fs::read(&path) {
            Ok(secret) if secret.len() == SECRET_BYTES => return Ok(secret),
            // Another node writes it at this moment, or has ended while it did.
            Ok(secret) => {
                found = secret.len();
                thread::sleep(WHOLE_WAIT);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = fresh_secret()?;
                match write_new(folder, &path, &secret) {
                    Ok(()) => return Ok(secret),
                    // Another node was first: theirs is everybody's.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(failed(error)),
                }
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Err(Error::new(ErrorKind::Corrupt, "read the demo's secret")
        .with_context("file", path.display())
        .with_context("bytes", found)
        .with_context("expected", SECRET_BYTES))
}

/// Writes a file that is not there yet, for this account alone.
fn write_new(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name that no other token has.
fn token_name() -> Result<String> {
    let mut name = [0; 16];
    getrandom::fill(&mut name)
        .map_err(|e| Error::new(ErrorKind::Internal, "name a token").with_source(e))?;
    Ok(name.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn fresh_secret() -> Result<Vec<u8>> {
    let mut secret = vec![0; SECRET_BYTES];
    getrandom::fill(&mut secret)
        .map_err(|e| Error::new(ErrorKind::Internal, "make a secret").with_source(e))?;
    Ok(secret)
}
