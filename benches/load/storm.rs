//! Sockets that are cut, each with a command under way, and come back: how long until each has its
//! outcome and has seen its message exactly once, in ranges that join.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    connect::AT_ONCE,
    figures::{Window, round},
    frames::{Pen, marks},
    options::{Kind, Options},
    socket::{DEVICE, Socket, enter, hear, hello, say, until},
    talk::{customer, open},
    target::Target,
};

/// A customer before or after the cut.
struct Person {
    number: usize,
    token: String,
    pen: Pen,
    /// What they have of each stream.
    positions: BTreeMap<String, Value>,
    socket: Option<Socket>,
    /// Whether they saw their message before the cut.
    seen: bool,
}

pub(crate) async fn run(options: &Options) -> Result<Value> {
    if options.kind == Kind::Relay {
        bail!("a relay has nothing to resume");
    }
    let target = Target::start(options, 1)?;
    let mut people = Vec::with_capacity(options.sockets);
    for number in 0..options.sockets {
        people.push((number, target.customer(&customer(number))?));
    }
    let address = target.address;
    let mut people = side_by_side(people, move |(number, token)| begin(address, number, token))
        .await
        .context("before the cut")?;
    let window = Window::open(target.pids())?;
    let began = Instant::now();
    for person in &mut people {
        // Into the cut: taken or lost, durable or not, decided or not.
        let text = person.pen.message(2, 0);
        if let Some(mut socket) = person.socket.take() {
            say(&mut socket, text).await?;
        }
    }
    let cut = began.elapsed();
    let people = side_by_side(people, move |person| resume(address, person))
        .await
        .context("after the cut")?;
    let took = began.elapsed();
    let cost = window.close()?;
    let twice = people.iter().filter(|person| person.seen).count();
    Ok(json!({
        "sockets": people.len(),
        "cut_seconds": round(cut.as_secs_f64()),
        "seconds": round(took.as_secs_f64()),
        "seen_before_the_cut": twice,
        "server_us_per_socket": round(cost.server.as_secs_f64() * 1e6 / people.len() as f64),
        "machine": cost.machine(),
    }))
}

/// Does it for all, some at a time.
async fn side_by_side<A, B, F>(
    all: Vec<A>,
    act: impl Fn(A) -> F + Clone + Send + Sync + 'static,
) -> Result<Vec<B>>
where
    A: Send + 'static,
    B: Send + 'static,
    F: Future<Output = Result<B>> + Send,
{
    let count = all.len();
    let slots: Vec<_> = all
        .into_iter()
        .map(|one| std::sync::Mutex::new(Some(one)))
        .collect();
    let (slots, next) = (Arc::new(slots), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (slots, next, act) = (Arc::clone(&slots), Arc::clone(&next), act.clone());
        tasks.spawn(async move {
            let mut done = Vec::new();
            loop {
                let slot = slots.get(next.fetch_add(1, Ordering::Relaxed));
                let one = slot.and_then(|slot| slot.lock().ok()?.take());
                let Some(one) = one else {
                    return Ok::<_, anyhow::Error>(done);
                };
                done.push(act(one).await?);
            }
        });
    }
    let mut done = Vec::with_capacity(count);
    while let Some(some) = tasks.join_next().await {
        done.extend(some??);
    }
    Ok(done)
}

/// Connects, and opens a dialog; answers when it is followed and the bot has greeted.
async fn begin(address: std::net::SocketAddr, number: usize, token: String) -> Result<Person> {
    let id = customer(number);
    let mut socket = enter(address, number, &token, DEVICE, &json!({})).await?;
    let mut positions = BTreeMap::new();
    let dialog = open(&mut socket, &id, |frame| {
        follow(&mut positions, frame).map(drop)
    })
    .await?;
    let name = format!("dialog/{dialog}");
    let mut greeted = false;
    while !greeted {
        let frame = until(&mut socket, |frame| Some(frame.clone())).await?;
        follow(&mut positions, &frame)?;
        greeted = frame.to_string().contains("\"bot\"") && positions.contains_key(&name);
    }
    Ok(Person {
        number,
        token,
        pen: Pen::new(&id, dialog),
        positions,
        socket: Some(socket),
        seen: false,
    })
}

/// Comes back, sends again what has no outcome, and waits for it and for the message.
async fn resume(address: std::net::SocketAddr, mut person: Person) -> Result<Person> {
    let resume = json!(person.positions);
    let number = person.number;
    let mut socket = crate::socket::connect(address, number, crate::socket::CHATCORE).await?;
    say(&mut socket, hello(&person.token, DEVICE, &resume)).await?;
    say(&mut socket, person.pen.message(2, 0)).await?;
    let (mut answered, mut seen) = (false, 0);
    while !answered || seen == 0 {
        let text = hear(&mut socket).await?;
        let frame: Value = serde_json::from_str(&text)?;
        follow(&mut person.positions, &frame)?;
        if let Some(reset) = frame.get("reset") {
            bail!("a stream started anew: {reset}");
        }
        if let Some(error) = frame.get("error").filter(|e| e.get("stream").is_none()) {
            bail!("the server says: {error}");
        }
        answered |= frame.pointer("/reply/reply/outcome/accepted").is_some();
        seen += marks(&text).count();
    }
    if seen != 1 {
        bail!("a message was told {seen} times");
    }
    person.socket = Some(socket);
    Ok(person)
}

/// Keeps the positions, and checks that ranges join.
fn follow(positions: &mut BTreeMap<String, Value>, frame: &Value) -> Result<()> {
    let name = |inner: &Value| inner["stream"].as_str().unwrap_or_default().to_owned();
    if let Some(reset) = frame.get("reset") {
        positions.insert(name(reset), reset["position"].clone());
    }
    if let Some(range) = frame.get("range") {
        let before = positions.insert(name(range), range["upto"].clone());
        if before.as_ref() != Some(&range["after"]) {
            bail!("a range that does not join: {range}");
        }
    }
    Ok(())
}
