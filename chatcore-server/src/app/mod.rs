//! The whole server: storage, chat, effects, routes; run until a signal, then drained.

mod drain;
mod listen;
mod parts;
#[cfg(all(feature = "kafka", feature = "keydb"))]
mod services;
#[cfg(all(feature = "kafka", feature = "keydb"))]
pub(crate) mod shared;
mod storage;

use std::{io::Write as _, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use chatcore::{
    chat::Chat,
    clock::{Clock, SystemClock},
    dialog::DialogSettings,
    identity::Authenticator,
    push::LoggingPush,
    routing::HubConfig,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{Config, Storage, Tokens},
    dead_letters,
    http::{self, accept::serve},
    identity::{JwksAuthenticator, JwtAuthenticator, TokenRules, kept_secret},
    metrics,
    server::{Server, ServerOptions},
};
use drain::{Deadline, Signals};
use parts::Parts;
use storage::Opened;

/// How often histograms are folded.
const UPKEEP: Duration = Duration::from_secs(5);

/// Runs the server until SIGTERM or SIGINT, then drains it; a second signal ends it at once.
///
/// Prints `listening on http://ADDRESS` (or https) to standard output once it takes connections.
///
/// # Errors
/// What kept it from starting, what made a part of it end by itself, or that the drain took longer
/// than it may, with what was still running.
pub async fn run(config: Config) -> Result<()> {
    let mut signals = Signals::listen().context("can't listen for signals")?;
    let metrics = metrics::install()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (tokens, demo) = authenticator(&config, Arc::clone(&clock)).await?;
    // Before the storage, so that a wrong key is told at once.
    let tls = listen::tls(&config).await?;
    let Some(storage) = opened(&config, &clock, &mut signals).await? else {
        return Ok(());
    };
    let chat = build_chat(&config, storage.ports())?;
    let options = ServerOptions {
        origins: config.origins.clone(),
        demo,
        metrics: Some(metrics.clone()),
        services: storage.services(),
        drain_timeout: config.drain_timeout,
        frames: config.limits.frames,
    };
    let server = Server::new(chat.clone(), tokens, options);
    let listener = listen::bind(config.listen).await?;
    let address = listener.local_addr()?;

    let stop = CancellationToken::new();
    let mut parts = Parts::new(stop.clone());
    let (driven, until) = (chat.clone(), stop.clone());
    parts.spawn("chat", async move { Ok(driven.run(until).await?) });
    parts.spawn("metrics", fold_histograms(metrics, stop.clone()));
    parts.spawn("watch", watch(server.clone(), stop.clone()));
    #[cfg(unix)]
    serve_dead_letters(&config, &storage, &parts, &stop);
    let connections = TaskTracker::new();
    let accept_until = CancellationToken::new();
    let listener = listen::over(listener, tls, &parts, &stop)
        .with_trusted_proxies(config.trusted_proxies.clone());
    let scheme = listener.scheme();
    let accepting = serve(
        listener,
        http::router(server.clone()),
        config.limits.connections.clone(),
        connections.clone(),
        accept_until.clone(),
    );
    parts.spawn("accept loop", async move { Ok(accepting.await?) });
    say(&format!("listening on {scheme}://{address}"))?;
    let role = chat.role().name();
    tracing::info!(%address, node = %chat.node().id, role, "listening");

    let failed = tokio::select! {
        () = signals.next() => None,
        failure = parts.failure() => Some(failure),
    };
    if let Some(failure) = &failed {
        tracing::error!(failure, "a part ended by itself; leaving");
    }
    let deadline = Deadline::after(config.drain_timeout);
    let drained = tokio::select! {
        drained = drain::drain(&server, &connections, &accept_until, &mut parts, deadline) => drained,
        () = signals.next() => bail!("ended at once by a second signal"),
    };
    storage.close().await?;
    drained?;
    match failed {
        None => Ok(()),
        Some(failure) => bail!(failure),
    }
}

/// The storage; none if it was asked to leave before that was open. Services that are not there are
/// waited for, which may be long.
async fn opened(
    config: &Config,
    clock: &Arc<dyn Clock>,
    signals: &mut Signals,
) -> Result<Option<Opened>> {
    tokio::select! {
        opened = storage::open(config, Arc::clone(clock)) => Ok(Some(opened?)),
        () = signals.next() => {
            tracing::info!("asked to leave before the storage was open");
            Ok(None)
        }
    }
}

/// Beside a folder, which nobody else can open: whoever looks after dead letters asks this process.
#[cfg(unix)]
fn serve_dead_letters(config: &Config, storage: &Opened, parts: &Parts, stop: &CancellationToken) {
    if let Storage::Folder(folder) = &config.storage {
        let (folder, ports, until) = (folder.clone(), storage.ports(), stop.clone());
        parts.spawn("dead letters", async move {
            dead_letters::desk::serve(folder, ports, until).await;
            Ok(())
        });
    }
}

/// Folds histograms until the end: without it they grow between scrapes.
async fn fold_histograms(metrics: PrometheusHandle, until: CancellationToken) -> Result<()> {
    while until
        .run_until_cancelled(tokio::time::sleep(UPKEEP))
        .await
        .is_some()
    {
        metrics.run_upkeep();
    }
    Ok(())
}

/// Looks how far the partitions are until the end.
async fn watch(server: Server, until: CancellationToken) -> Result<()> {
    server.watch(until).await;
    Ok(())
}

/// Checks the tokens that the configuration names; with the demo also signs them.
async fn authenticator(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<dyn Authenticator>, Option<Arc<JwtAuthenticator>>)> {
    match &config.tokens {
        Tokens::Signed(rules) => {
            let tokens = JwtAuthenticator::try_new(rules.clone(), clock)?;
            Ok((Arc::new(tokens), None))
        }
        Tokens::Keys(rules) => {
            let tokens = JwksAuthenticator::open(rules.clone(), clock).await?;
            Ok((Arc::new(tokens), None))
        }
        Tokens::Demo => {
            let folder = match &config.storage {
                Storage::Folder(folder) => Some(folder.as_path()),
                // The demo's people are the same on all nodes that share the folder.
                Storage::Shared(shared) => Some(shared.folder.as_path()),
                Storage::Ephemeral => None,
            };
            let rules = TokenRules {
                secret: kept_secret(folder)?,
                issuer: Some("chatcore-demo".to_owned()),
                audience: None,
            };
            let tokens = Arc::new(JwtAuthenticator::try_new(rules, clock)?);
            Ok((tokens.clone(), Some(tokens)))
        }
    }
}

fn build_chat(config: &Config, ports: chatcore::ports::Ports) -> Result<Chat> {
    let settings = DialogSettings {
        queue: config.queue.clone(),
        ..DialogSettings::default()
    };
    let hub = HubConfig {
        person: config.limits.person.clone(),
        ..HubConfig::default()
    };
    let mut builder = Chat::builder(ports)
        .with_node(config.node.clone())
        .with_role(config.role)
        .with_dialog_settings(settings)
        .with_hub(hub)
        .with_redactor(config.redactor.clone())
        .with_bot(Arc::new(parts::bot(config)?))
        .with_push(Arc::new(LoggingPush));
    for (desk, rules) in &config.desks {
        builder = builder.with_desk(desk.clone(), rules.clone());
    }
    Ok(builder.build()?)
}

/// One line to whoever started us.
fn say(line: &str) -> Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}
