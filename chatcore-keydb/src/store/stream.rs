//! The view as sessions use it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;
use chatcore::{
    content::Sealed,
    error::{Error, ErrorKind, Result},
    ids::{Node, Partition, Seq, StreamId, Target},
    record::{Access, CursorMove, Decision, Position, StreamEvent, decode},
    store::{
        Follow, FollowFrom, Followed, LeaseStore as _, Page, ReadRange, StoredState, StreamStore,
    },
};
use redis::{Cmd, Pipeline, Value};

use super::texts::{self, Head};
use crate::{KeyDb, command::command, reply::Reply, script};

const READ: &str = "read a stream";
const FOLLOW: &str = "follow a stream";
const HEADS: &str = "read heads";
const LOAD: &str = "load states";
const ROUTES: &str = "read routes";
/// Streams that are asked for their heads in one step.
const HEADS_MAX: usize = 1_000;
/// Targets that are loaded in one step.
const LOAD_MAX: usize = 100;
/// Most events of one answer: no caller asks for as many.
const PAGE_MAX: usize = 100_000;

fn rebuilding(operation: &'static str, partition: Partition) -> Error {
    Error::new(ErrorKind::Rebuilding, operation).with_context("partition", partition)
}

/// What is asked of a stream.
struct Asked<'a> {
    stream: &'a StreamId,
    /// The route to write.
    node: Option<&'a Node>,
    from: From,
    upto: Seq,
    limit: usize,
}

enum From {
    After(Seq),
    Tail(usize),
}

/// What the live view has of a stream, as of one moment.
struct Live {
    head: Option<Head>,
    cursors: Option<Bytes>,
    page: Page,
}

impl KeyDb {
    async fn page(&self, operation: &'static str, asked: Asked<'_>) -> Result<Live> {
        let partition = asked.stream.partition(self.partitions());
        let keys = self.keys.partition(partition);
        let events = keys.events(asked.stream);
        let mut call =
            script::PAGE.call([keys.view.as_str(), &keys.routes, &keys.cursors, &events]);
        call.arg(asked.stream.to_string());
        call.arg(asked.node.map(texts::node).unwrap_or_default());
        match asked.from {
            From::After(seq) => call.arg("after").arg(seq.0),
            From::Tail(count) => call.arg("tail").arg(count),
        };
        call.arg(asked.upto.0).arg(asked.limit.min(PAGE_MAX));
        match asked.stream {
            StreamId::Dialog(dialog) => call.arg(dialog.0),
            _ => call.arg(""),
        };
        let answer = self.call(operation, call).await?;
        let mut reply = Reply::new(operation, answer)?;
        match reply.text()?.as_str() {
            "page" => read_page(operation, reply),
            "rebuilding" => Err(rebuilding(operation, partition)),
            _ => Err(texts::corrupt(
                operation,
                "another answer than the script's",
            )),
        }
    }

    /// What a page lacks at its beginning because it has left the live view.
    async fn archived(&self, range: &ReadRange, base: Seq) -> Result<Page> {
        let gap = usize::try_from(base.0.saturating_sub(range.after.0)).unwrap_or(usize::MAX);
        let limit = range.limit.min(gap);
        let mut page = self.archive.read(&range.stream, range.after, limit).await?;
        page.events.retain(|event| event.seq <= range.upto);
        Ok(page)
    }

    /// Calls of several partitions in one round trip; answers are in the order of the calls.
    async fn calls(&self, operation: &'static str, all: Vec<Cmd>) -> Result<Vec<Value>> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let mut calls = Pipeline::with_capacity(all.len());
        for call in all {
            calls.add_command(call);
        }
        self.link.run(operation, &calls).await
    }
}

fn read_page(operation: &'static str, mut reply: Reply) -> Result<Live> {
    let (head, cursors) = (reply.bytes()?, reply.bytes()?);
    let after = Seq(reply.number()?);
    let events = reply.list()?.rest()?;
    let Some(head) = head else {
        let page = Page {
            after: Position::default(),
            events: Vec::new(),
        };
        return Ok(Live {
            head: None,
            cursors,
            page,
        });
    };
    let head = Head::parse(operation, &head)?;
    let mut events = events.iter().map(|bytes| decode(bytes));
    let missing = || texts::corrupt(operation, "an event of a stream is missing");
    let after = if after >= head.newest.seq {
        head.newest
    } else if after == head.base.seq {
        head.base
    } else {
        let before: StreamEvent<Sealed> = events.next().ok_or_else(missing)??;
        Position {
            seq: before.seq,
            hash: before.hash,
        }
    };
    let events: Vec<StreamEvent<Sealed>> = events.collect::<Result<_>>()?;
    let mut expected = after.seq;
    for event in &events {
        expected = expected.next();
        if event.seq != expected {
            return Err(missing());
        }
    }
    Ok(Live {
        head: Some(head),
        cursors,
        page: Page { after, events },
    })
}

fn read_cursors(stream: &StreamId, cursors: Option<&Bytes>) -> Result<Vec<CursorMove>> {
    let (StreamId::Dialog(dialog), Some(cursors)) = (stream, cursors) else {
        return Ok(Vec::new());
    };
    let invalid = || texts::corrupt(FOLLOW, "cursors that can't be read");
    let text = std::str::from_utf8(cursors).map_err(|_| invalid())?;
    let cursor = |line: &str| -> Result<CursorMove> {
        let mut parts = line.split(' ');
        let mut part = || parts.next().ok_or_else(invalid);
        let participant = texts::parse_participant(FOLLOW, part()?)?;
        let mut seq = || part()?.parse().map(Seq).map_err(|_| invalid());
        Ok(CursorMove {
            dialog: *dialog,
            participant,
            delivered: seq()?,
            read: seq()?,
        })
    };
    let mut all = text.lines().map(cursor).collect::<Result<Vec<_>>>()?;
    all.sort_by(|a, b| a.participant.cmp(&b.participant));
    Ok(all)
}

#[async_trait]
impl StreamStore for KeyDb {
    async fn follow(&self, follow: Follow) -> Result<Followed> {
        let Follow {
            stream,
            node,
            from,
            limit,
        } = follow;
        let asked = Asked {
            stream: &stream,
            node: Some(&node),
            from: match from {
                FollowFrom::After(position) => From::After(position.seq),
                FollowFrom::Tail(count) => From::Tail(count),
            },
            upto: Seq(u64::MAX),
            limit,
        };
        let live = self.page(FOLLOW, asked).await?;
        let access = live
            .head
            .as_ref()
            .map(|head| decode::<Access>(&head.access));
        let mut followed = Followed {
            page: live.page,
            head: live.head.as_ref().map(|h| h.newest).unwrap_or_default(),
            cursors: read_cursors(&stream, live.cursors.as_ref())?,
            access: access.transpose()?,
        };
        if let FollowFrom::After(position) = from
            && position.seq < followed.page.after.seq
        {
            let upto = followed.page.after.seq;
            let range = ReadRange {
                stream,
                after: position.seq,
                upto,
                limit,
            };
            followed.page = self.archived(&range, upto).await?;
        }
        Ok(followed)
    }

    async fn unfollow(&self, stream: &StreamId, node: &Node) -> Result<()> {
        const UNFOLLOW: &str = "unfollow a stream";
        let keys = self.keys.partition(stream.partition(self.partitions()));
        let mut call = script::UNFOLLOW.call([keys.routes.as_str()]);
        call.arg(stream.to_string()).arg(texts::node(node));
        let answer = self.call(UNFOLLOW, call).await?;
        Reply::new(UNFOLLOW, answer).map(drop)
    }

    async fn read(&self, range: ReadRange) -> Result<Page> {
        let asked = Asked {
            stream: &range.stream,
            node: None,
            from: From::After(range.after),
            upto: range.upto,
            limit: range.limit,
        };
        let live = self.page(READ, asked).await?;
        match live.head.map(|head| head.base.seq) {
            Some(base) if range.after >= base => Ok(live.page),
            Some(base) => {
                let archived = self.archived(&range, base).await?;
                let wanted = range.limit > 0 && range.after < range.upto;
                if archived.events.is_empty() && wanted {
                    return Err(texts::corrupt(READ, "the archive lacks what has left")
                        .with_context("stream", &range.stream)
                        .with_context("after", range.after));
                }
                Ok(archived)
            }
            None => self.archived(&range, Seq(u64::MAX)).await,
        }
    }

    async fn heads(&self, streams: &[StreamId]) -> Result<Vec<Position>> {
        let mut by_partition: BTreeMap<Partition, Vec<(usize, &StreamId)>> = BTreeMap::new();
        for (at, stream) in streams.iter().enumerate() {
            let partition = stream.partition(self.partitions());
            by_partition
                .entry(partition)
                .or_default()
                .push((at, stream));
        }
        let parts: Vec<(Partition, &[(usize, &StreamId)])> = by_partition
            .iter()
            .flat_map(|(partition, all)| all.chunks(HEADS_MAX).map(|part| (*partition, part)))
            .collect();
        let call = |(partition, part): &(Partition, &[(usize, &StreamId)])| {
            let keys = self.keys.partition(*partition);
            let mut call = script::HEADS.call([keys.view.as_str()]);
            for (_, stream) in *part {
                call.arg(stream.to_string());
            }
            call
        };
        let answers = self.calls(HEADS, parts.iter().map(call).collect()).await?;
        let mut heads = vec![Position::default(); streams.len()];
        for ((partition, part), answer) in parts.into_iter().zip(answers) {
            let mut reply = Reply::new(HEADS, answer)?;
            if reply.text()? == "rebuilding" {
                return Err(rebuilding(HEADS, partition));
            }
            for (at, _) in part {
                let head = match reply.left() {
                    0 => None,
                    _ => reply.bytes()?,
                };
                if let (Some(head), Some(place)) = (head, heads.get_mut(*at)) {
                    let text = crate::reply::text(HEADS, head)?;
                    *place = texts::parse_position(HEADS, &text)?;
                }
            }
        }
        Ok(heads)
    }

    async fn routes(&self, stream: &StreamId) -> Result<Vec<Node>> {
        let partition = stream.partition(self.partitions());
        let keys = self.keys.partition(partition);
        let mut built = command("HGET");
        built.arg(&keys.view).arg("built");
        let mut nodes = command("HGET");
        nodes.arg(&keys.routes).arg(stream.to_string());
        let mut answers = self.calls(ROUTES, vec![built, nodes]).await?.into_iter();
        let mut next = || crate::reply::bytes(ROUTES, answers.next().unwrap_or(Value::Nil));
        if next()?.as_deref() != Some(b"1") {
            return Err(rebuilding(ROUTES, partition));
        }
        let Some(nodes) = next()? else {
            return Ok(Vec::new());
        };
        let mut nodes = texts::parse_nodes(ROUTES, &nodes)?;
        // Asked after the routes: who has written one has opened the lease before.
        let alive: BTreeSet<Node> = self.alive().await?.into_iter().collect();
        nodes.retain(|node| alive.contains(node));
        Ok(nodes)
    }

    async fn load(&self, targets: &[Target]) -> Result<Vec<StoredState>> {
        let mut by_partition: BTreeMap<Partition, Vec<(usize, &Target)>> = BTreeMap::new();
        for (at, target) in targets.iter().enumerate() {
            let partition = target.partition(self.partitions());
            by_partition
                .entry(partition)
                .or_default()
                .push((at, target));
        }
        let parts: Vec<(Partition, &[(usize, &Target)])> = by_partition
            .iter()
            .flat_map(|(partition, all)| all.chunks(LOAD_MAX).map(|part| (*partition, part)))
            .collect();
        let call = |(partition, part): &(Partition, &[(usize, &Target)])| {
            let keys = self.keys.partition(*partition);
            let tails: Vec<String> = part.iter().map(|(_, t)| keys.tail(t)).collect();
            let all = std::iter::once(&keys.snapshots).chain(&tails);
            let mut call = script::LOAD.call(all.map(String::as_str));
            for (_, target) in *part {
                call.arg(target.to_string());
            }
            call
        };
        let answers = self.calls(LOAD, parts.iter().map(call).collect()).await?;
        let mut states = vec![StoredState::default(); targets.len()];
        for ((_, part), answer) in parts.into_iter().zip(answers) {
            let mut reply = Reply::new(LOAD, answer)?;
            for (at, _) in part {
                let snapshot = reply.bytes()?;
                let decisions = reply.list()?.rest()?;
                let decisions = decisions.iter().map(|bytes| decode::<Decision>(bytes));
                let decisions = decisions.collect::<Result<_>>()?;
                if let Some(state) = states.get_mut(*at) {
                    *state = StoredState {
                        snapshot,
                        decisions,
                    };
                }
            }
        }
        Ok(states)
    }
}
