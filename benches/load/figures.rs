//! What the kernel says of processes and of the machine.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// The kernel's clock ticks a second, as programs see them on every Linux of today.
const TICKS: f64 = 100.0;

/// A process's time on the processors so far.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks =
        |i: usize| -> Result<f64> { Ok(fields.get(i).context("a short stat")?.parse::<f64>()?) };
    Ok(Duration::from_secs_f64((ticks(11)? + ticks(12)?) / TICKS))
}

fn cpu_of(pids: &[u32]) -> Result<Duration> {
    pids.iter().map(|pid| cpu(*pid)).sum()
}

/// Memory of processes in KiB: resident, and their share of it.
pub(crate) fn memory(pids: &[u32]) -> Result<(u64, u64)> {
    let each = pids.iter().map(|pid| memory_of(*pid));
    each.reduce(|sum, one| {
        let (sum, one) = (sum?, one?);
        Ok((sum.0 + one.0, sum.1 + one.1))
    })
    .unwrap_or(Ok((0, 0)))
}

fn memory_of(pid: u32) -> Result<(u64, u64)> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let field = |name: &str| -> Result<u64> {
        let line = rollup.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.with_context(|| format!("no {name}"))?.parse()?)
    };
    Ok((field("Rss:")?, field("Pss:")?))
}

/// Ticks of all processors so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    busy: f64,
    steal: f64,
    all: f64,
}

impl Machine {
    pub(crate) fn now() -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().context("an empty /proc/stat")?;
        let ticks: Vec<f64> = line
            .split_whitespace()
            .skip(1)
            .map(|n| n.parse().unwrap_or(0.0))
            .collect();
        let at = |i: usize| ticks.get(i).copied().unwrap_or(0.0);
        let all: f64 = ticks.iter().take(8).sum();
        Ok(Self {
            busy: all - at(3) - at(4) - at(7),
            steal: at(7),
            all,
        })
    }
}

/// A stretch of time that is measured.
#[derive(Debug)]
pub(crate) struct Window {
    began: tokio::time::Instant,
    pids: Vec<u32>,
    server: Duration,
    own: Duration,
    machine: Machine,
}

/// What a stretch cost.
#[derive(Debug)]
pub(crate) struct Cost {
    pub(crate) took: Duration,
    pub(crate) server: Duration,
    pub(crate) own: Duration,
    /// Of both processors, by everybody: 0 to 1.
    pub(crate) busy: f64,
    pub(crate) steal: f64,
    /// Of both processors, by neither the server nor the generator.
    pub(crate) others: f64,
}

impl Window {
    pub(crate) fn open(pids: Vec<u32>) -> Result<Self> {
        Ok(Self {
            began: tokio::time::Instant::now(),
            server: cpu_of(&pids)?,
            pids,
            own: cpu(std::process::id())?,
            machine: Machine::now()?,
        })
    }

    pub(crate) fn close(&self) -> Result<Cost> {
        let took = self.began.elapsed();
        let server = cpu_of(&self.pids)?.saturating_sub(self.server);
        let own = cpu(std::process::id())?.saturating_sub(self.own);
        let now = Machine::now()?;
        let all = (now.all - self.machine.all).max(1.0);
        let busy = (now.busy - self.machine.busy) / all;
        let ours = (server + own).as_secs_f64() * TICKS / all;
        Ok(Cost {
            took,
            server,
            own,
            busy,
            steal: (now.steal - self.machine.steal) / all,
            others: (busy - ours).max(0.0),
        })
    }
}

impl Cost {
    /// For the line: how busy the machine was, and how much of that is not ours.
    pub(crate) fn machine(&self) -> Value {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default().to_owned();
        json!({
            "busy": round(self.busy), "steal": round(self.steal),
            "others": round(self.others), "load1": load,
        })
    }
}

/// Three digits after the point.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Times in microseconds up to a minute, to three digits.
pub(crate) fn times() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

/// Adds a time.
pub(crate) fn note(times: &mut Histogram<u64>, time: Duration) {
    times.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1));
}

/// In milliseconds, for the line.
pub(crate) fn summary(times: &Histogram<u64>) -> Value {
    let ms = |us: u64| json!(us as f64 / 1000.0);
    json!({
        "count": times.len(),
        "p50_ms": ms(times.value_at_quantile(0.5)),
        "p90_ms": ms(times.value_at_quantile(0.9)),
        "p99_ms": ms(times.value_at_quantile(0.99)),
        "p999_ms": ms(times.value_at_quantile(0.999)),
        "max_ms": ms(times.max()),
    })
}
