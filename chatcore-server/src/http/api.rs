//! Reading over HTTP: who one is, dialogs, their events, lists.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use chatcore::{
    clock::Timestamp,
    content::Content,
    dialog::Phase,
    error::ErrorKind,
    identity::{Identity, StaffRole, Who},
    ids::{CustomerId, DeskId, DialogId, Label, NoteId, Participant, Seq},
    record::{Position, StreamEvent},
    store::IndexEntry,
};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::{answer::Failure, caller::Caller};
use crate::{
    identity::{DemoPerson, demo_people},
    protocol::{DialogBrief, ErrorCode},
    server::Server,
};

const LIMIT: usize = 50;
const LIMIT_MAX: usize = 200;
/// Dialogs of a list whose states are read at a time.
const READS_AT_ONCE: usize = 8;

/// Who the bearer token belongs to.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct Me {
    /// You.
    #[cfg_attr(feature = "spec", schema(schema_with = super::spec::participant))]
    who: Participant,
    /// The name that others see.
    name: String,
    /// What you are at your desk: `operator`, `supervisor`, `chief_specialist` or `auditor`; none
    /// for a customer.
    #[cfg_attr(feature = "spec", schema(value_type = Option<String>))]
    role: Option<StaffRole>,
    /// Where you work; none for a customer.
    #[cfg_attr(feature = "spec", schema(value_type = Option<String>))]
    desk: Option<DeskId>,
    /// When the token ends, in milliseconds since 1970.
    #[cfg_attr(feature = "spec", schema(value_type = i64))]
    expires_at: Timestamp,
}

/// Says who the bearer token belongs to.
#[cfg_attr(feature = "spec", utoipa::path(
    get, path = "/api/me", security(("token" = [])),
    responses((status = 200, body = Me), (status = "4XX", body = Failure)),
))]
pub(super) async fn me(Caller(identity): Caller) -> Json<Me> {
    let desk = match &identity.who {
        Who::Customer(_) => None,
        Who::Staff { desk, .. } => Some(desk.clone()),
    };
    Json(Me {
        who: identity.participant(),
        role: identity.staff_rights().map(|rights| rights.role),
        name: identity.name,
        desk,
        expires_at: identity.expires_at,
    })
}

/// The state of a dialog.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct DialogState {
    /// Which.
    #[cfg_attr(feature = "spec", schema(value_type = u64))]
    dialog: DialogId,
    /// Its last event.
    #[cfg_attr(feature = "spec", schema(schema_with = super::spec::position))]
    position: Position,
    /// What it amounts to.
    #[serde(flatten)]
    #[cfg_attr(feature = "spec", schema(schema_with = super::spec::dialog_brief))]
    brief: DialogBrief,
}

/// The state of a dialog that the caller may see.
#[cfg_attr(feature = "spec", utoipa::path(
    get, path = "/api/dialogs/{id}", security(("token" = [])),
    params(("id" = u64, Path, description = "the dialog's number")),
    responses((status = 200, body = DialogState), (status = "4XX", body = Failure)),
))]
pub(super) async fn dialog(
    State(server): State<Server>,
    Caller(identity): Caller,
    Path(id): Path<u64>,
) -> Result<Json<DialogState>, Failure> {
    let dialog = DialogId(id);
    let found = server.chat().dialog(&identity, dialog).await?;
    Ok(Json(DialogState {
        dialog,
        position: found.position,
        brief: found.view.into(),
    }))
}

/// Which events of a dialog.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "spec", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// Events before this one, the newest of them.
    before: Option<u64>,
    /// Events after this one, the oldest of them.
    after: Option<u64>,
    /// At most this many: 1 to 200, 50 when absent.
    limit: Option<usize>,
}

/// Events of a dialog: all of `(after, upto]` that the caller may see.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct Events {
    /// The position before the first.
    #[cfg_attr(feature = "spec", schema(schema_with = super::spec::position))]
    after: Position,
    /// The position after the last.
    #[cfg_attr(feature = "spec", schema(schema_with = super::spec::position))]
    upto: Position,
    /// In order.
    #[cfg_attr(feature = "spec", schema(schema_with = super::spec::events))]
    events: Vec<Arc<StreamEvent<Content>>>,
}

/// Events of a dialog, oldest first; without `after` the newest below `before`.
#[cfg_attr(feature = "spec", utoipa::path(
    get, path = "/api/dialogs/{id}/events", security(("token" = [])),
    params(("id" = u64, Path, description = "the dialog's number"), EventsQuery),
    responses((status = 200, body = Events), (status = "4XX", body = Failure)),
))]
pub(super) async fn events(
    State(server): State<Server>,
    Caller(identity): Caller,
    Path(id): Path<u64>,
    Query(query): Query<EventsQuery>,
) -> Result<Json<Events>, Failure> {
    let (chat, dialog) = (server.chat(), DialogId(id));
    let limit = limit(query.limit)?;
    let page = match (query.after, query.before) {
        (Some(_), Some(_)) => {
            return Err(Failure::new(
                ErrorCode::Invalid,
                "expected before or after, not both",
            ));
        }
        (Some(after), None) => {
            chat.events_after(&identity, dialog, Seq(after), limit)
                .await?
        }
        (None, before) => {
            let before = Seq(before.unwrap_or(u64::MAX));
            chat.events_before(&identity, dialog, before, limit).await?
        }
    };
    Ok(Json(Events {
        after: page.after,
        upto: page.upto,
        events: page.events,
    }))
}

fn limit(asked: Option<usize>) -> Result<usize, Failure> {
    let limit = asked.unwrap_or(LIMIT);
    if (1..=LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Failure::new(
        ErrorCode::Invalid,
        "expected limit from 1 to 200",
    ))
}

/// The notes about a customer.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct Notes {
    /// Oldest first.
    notes: Vec<Note>,
}

/// A note about a customer.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct Note {
    /// Its number, as the events have it.
    #[cfg_attr(feature = "spec", schema(value_type = u64))]
    note: NoteId,
    /// When it was written, in milliseconds since 1970.
    #[cfg_attr(feature = "spec", schema(value_type = i64))]
    at: Timestamp,
    /// By whom.
    #[cfg_attr(feature = "spec", schema(schema_with = super::spec::participant))]
    author: Participant,
    /// What it says.
    #[cfg_attr(feature = "spec", schema(schema_with = super::spec::content))]
    body: Content,
}

/// The notes about the customer of a dialog, for staff who may see it; 403 for customers.
#[cfg_attr(feature = "spec", utoipa::path(
    get, path = "/api/dialogs/{id}/notes", security(("token" = [])),
    params(("id" = u64, Path, description = "the dialog's number")),
    responses((status = 200, body = Notes), (status = "4XX", body = Failure)),
))]
pub(super) async fn notes(
    State(server): State<Server>,
    Caller(identity): Caller,
    Path(id): Path<u64>,
) -> Result<Json<Notes>, Failure> {
    let notes = server.chat().notes_about(&identity, DialogId(id)).await?;
    let notes = notes.into_iter().map(|(note, about)| Note {
        note,
        at: about.at,
        author: about.author,
        body: about.body,
    });
    Ok(Json(Notes {
        notes: notes.collect(),
    }))
}

/// Which part of a list.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "spec", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// The `next` of the page before this one.
    before: Option<String>,
    /// At most this many: 1 to 200, 50 when absent.
    limit: Option<usize>,
}

/// A page of a list, newest first.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct DialogList {
    /// The dialogs.
    dialogs: Vec<ListedDialog>,
    /// The next page's `before`; none at the end.
    next: Option<String>,
}

/// A dialog of a list.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct ListedDialog {
    /// Which.
    #[cfg_attr(feature = "spec", schema(value_type = u64))]
    dialog: DialogId,
    /// Whose.
    #[cfg_attr(feature = "spec", schema(value_type = String))]
    customer: CustomerId,
    /// What the list is ordered by: when it began or ended.
    #[cfg_attr(feature = "spec", schema(value_type = i64))]
    at: Timestamp,
    /// Where it is in its life.
    #[cfg_attr(feature = "spec", schema(value_type = Option<String>))]
    phase: Option<Phase>,
    /// What it is about.
    #[cfg_attr(feature = "spec", schema(value_type = Option<String>))]
    topic: Option<Label>,
    /// How it ended.
    #[cfg_attr(feature = "spec", schema(value_type = Option<String>))]
    outcome: Option<Label>,
    /// The customer's judgement.
    score: Option<u8>,
}

/// The dialogs of a customer, as far as the caller may see them.
#[cfg_attr(feature = "spec", utoipa::path(
    get, path = "/api/customers/{id}/dialogs", security(("token" = [])),
    params(("id" = String, Path, description = "the customer"), ListQuery),
    responses((status = 200, body = DialogList), (status = "4XX", body = Failure)),
))]
pub(super) async fn dialogs_of(
    State(server): State<Server>,
    Caller(identity): Caller,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<DialogList>, Failure> {
    let invalid = |_| Failure::new(ErrorCode::Invalid, "expected a customer's id in the path");
    let customer = CustomerId::try_new(id).map_err(invalid)?;
    let (before, limit) = page(&query)?;
    let entries = server
        .chat()
        .dialogs_of(&identity, &customer, before, limit)
        .await?;
    Ok(Json(list(&server, &identity, entries, limit).await))
}

/// The dialogs that the caller closed.
#[cfg_attr(feature = "spec", utoipa::path(
    get, path = "/api/closed", security(("token" = [])), params(ListQuery),
    responses((status = 200, body = DialogList), (status = "4XX", body = Failure)),
))]
pub(super) async fn closed(
    State(server): State<Server>,
    Caller(identity): Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<DialogList>, Failure> {
    let (before, limit) = page(&query)?;
    let entries = server.chat().closed_by(&identity, before, limit).await?;
    Ok(Json(list(&server, &identity, entries, limit).await))
}

type Before = Option<(Timestamp, DialogId)>;

fn page(query: &ListQuery) -> Result<(Before, usize), Failure> {
    let read = |text: &String| {
        let (at, dialog) = text.split_once('-')?;
        Some((Timestamp(at.parse().ok()?), DialogId(dialog.parse().ok()?)))
    };
    let before = query.before.as_ref().map(|text| {
        let expected = "expected before to be the next of an earlier page";
        read(text).ok_or_else(|| Failure::new(ErrorCode::Invalid, expected))
    });
    Ok((before.transpose()?, limit(query.limit)?))
}

async fn list(
    server: &Server,
    identity: &Identity,
    entries: Vec<IndexEntry>,
    limit: usize,
) -> DialogList {
    let last = entries.last().filter(|_| entries.len() >= limit);
    let next = last.map(|entry| format!("{}-{}", entry.at.0, entry.dialog));
    let dialogs = stream::iter(entries)
        .map(|entry| listed(server, identity, entry))
        .buffered(READS_AT_ONCE)
        .collect()
        .await;
    DialogList { dialogs, next }
}

/// What is known of it now; only the entry when the store does not answer or the caller may not
/// see the dialog itself.
async fn listed(server: &Server, identity: &Identity, entry: IndexEntry) -> ListedDialog {
    let found = server.chat().dialog(identity, entry.dialog).await;
    if let Err(error) = &found
        && error.kind() != ErrorKind::Forbidden
    {
        tracing::warn!(%error, "a dialog of a list could not be read");
    }
    let view = found.ok().map(|found| found.view);
    ListedDialog {
        dialog: entry.dialog,
        customer: entry.customer,
        at: entry.at,
        phase: view.as_ref().map(|view| view.phase),
        topic: view.as_ref().and_then(|view| view.topic.clone()),
        outcome: view.as_ref().and_then(|view| view.outcome.clone()),
        score: view.and_then(|view| view.rating),
    }
}

/// The people of the demo, with ready tokens.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub(crate) struct People {
    /// Everyone.
    people: Vec<DemoPerson>,
}

/// The demo's people with ready tokens; 404 without `--demo`.
#[cfg_attr(feature = "spec", utoipa::path(
    get, path = "/api/demo/people",
    responses((status = 200, body = People), (status = 404, body = Failure)),
))]
pub(super) async fn demo(State(server): State<Server>) -> Result<Json<People>, Failure> {
    let Some(tokens) = &server.options().demo else {
        return Err(Failure::new(
            ErrorCode::NotFound,
            "this server runs without --demo",
        ));
    };
    let people = demo_people(tokens, server.now())?;
    Ok(Json(People { people }))
}
