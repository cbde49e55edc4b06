//! Messages at a steady rate, each with a time at which it is due. All times count from there: a
//! message that waits because an earlier one is late is late itself.

use std::{fs, thread, time::Duration};

use anyhow::{Result, anyhow};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    figures::{Window, note, round, summary, times},
    options::{Kind, Options},
    socket::LONG,
    store::Calls,
    talk::{Talk, talks},
    target::Target,
};

/// Due messages that wait for their dialog; more than a whole run has.
const DUE_MAX: usize = 65_536;

/// The times of one message.
#[derive(Debug, Clone, Copy)]
struct Times {
    due: Instant,
    sent: Instant,
    durable: Option<Instant>,
    answered: Option<Instant>,
    delivered: Option<Instant>,
}

pub(crate) async fn run(options: &Options) -> Result<Value> {
    let target = Target::start(options, options.dialogs)?;
    let talks = talks(&target, options.dialogs).await?;
    let (_, line) = measure(options, &target, talks).await?;
    Ok(line)
}

/// Loads the dialogs, and gives them back.
pub(crate) async fn measure(
    options: &Options,
    target: &Target,
    talks: Vec<Talk>,
) -> Result<(Vec<Talk>, Value)> {
    let mut lanes = Vec::new();
    let mut tasks = JoinSet::new();
    for talk in talks {
        let (lane, due) = mpsc::channel(DUE_MAX);
        lanes.push(lane);
        tasks.spawn(speak(talk, due));
    }
    let begin = Instant::now() + Duration::from_millis(100);
    let measured = begin + Duration::from_secs(options.warmup);
    let (rate, seconds) = (options.rate, options.warmup + options.seconds);
    let pacer = thread::spawn(move || pace(&lanes, begin, rate, seconds));
    tokio::time::sleep_until(measured).await;
    let (window, calls) = (Window::open(target.pids())?, Calls::begin(options).await?);
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let cost = window.close()?;
    let calls = match calls {
        Some(calls) => Some(calls.end().await?),
        None => None,
    };
    let mut talks = Vec::new();
    let mut all = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let (talk, times) = ended??;
        talks.push(talk);
        all.extend(times.into_iter().filter(|times| times.due >= measured));
    }
    pacer
        .join()
        .map_err(|_| anyhow!("the pacer has panicked"))??;
    let messages = all.len() as f64;
    let mut line = lines(target.kind, &all)?;
    line["rate"] = json!(options.rate);
    line["server_us_per_message"] = json!(round(cost.server.as_secs_f64() * 1e6 / messages));
    if let Some(calls) = calls {
        line["store_calls_per_message"] = json!(round(calls as f64 / messages));
    }
    line["machine"] = cost.machine();
    Ok((talks, line))
}

fn lines(kind: Kind, all: &[Times]) -> Result<Value> {
    let of = |time: fn(&Times) -> Option<Instant>| -> Result<Value> {
        let mut histogram = times()?;
        for message in all {
            let Some(time) = time(message) else {
                return Err(anyhow!("a message without an end"));
            };
            note(&mut histogram, time.saturating_duration_since(message.due));
        }
        Ok(summary(&histogram))
    };
    let mut line = json!({
        "delivery": of(|m| m.delivered)?,
        "late": of(|m| Some(m.sent))?,
    });
    if kind == Kind::Chatcore {
        line["durable"] = of(|m| m.durable)?;
        line["outcome"] = of(|m| m.answered)?;
    }
    Ok(line)
}

/// Tells each dialog in turn that a message is due, at a steady rate.
fn pace(lanes: &[mpsc::Sender<Instant>], begin: Instant, rate: u64, seconds: u64) -> Result<()> {
    // Sleeps as exactly as the kernel can; without it they are 50 us late.
    let _ = fs::write("/proc/thread-self/timerslack_ns", "1");
    let gap = Duration::from_secs(1) / u32::try_from(rate)?;
    for k in 0..rate * seconds {
        let due = begin + gap * u32::try_from(k)?;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let lane = usize::try_from(k)? % lanes.len();
        lanes[lane]
            .try_send(due)
            .map_err(|_| anyhow!("a dialog has ended or is {DUE_MAX} messages behind"))?;
    }
    Ok(())
}

/// Sends what is due, and notes when what was heard of it. Ends when all has arrived.
async fn speak(mut talk: Talk, mut due: mpsc::Receiver<Instant>) -> Result<(Talk, Vec<Times>)> {
    let mut times: Vec<Times> = Vec::new();
    let first = talk.sent;
    let mut noted = [first; 3];
    let mut is_open = true;
    while is_open || talk.under_way() > 0 {
        tokio::select! {
            biased;
            heard = timeout(LONG, talk.hear()), if talk.under_way() > 0 || is_open => heard??,
            next = due.recv(), if is_open => match next {
                Some(due) => {
                    talk.say(1).await?;
                    let sent = Instant::now();
                    times.push(Times { due, sent, durable: None, answered: None, delivered: None });
                    continue;
                }
                None => is_open = false,
            },
        }
        let now = Instant::now();
        let heard = [talk.durable.min(talk.sent), talk.answered, talk.delivered];
        for (which, (noted, heard)) in noted.iter_mut().zip(heard).enumerate() {
            for mark in *noted..heard {
                let index = usize::try_from(mark - first)?;
                let Some(times) = times.get_mut(index) else {
                    continue;
                };
                let time = match which {
                    0 => &mut times.durable,
                    1 => &mut times.answered,
                    _ => &mut times.delivered,
                };
                *time = Some(now);
            }
            *noted = (*noted).max(heard);
        }
    }
    Ok((talk, times))
}
