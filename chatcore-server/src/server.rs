//! What every route shares.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use chatcore::{
    chat::Chat,
    clock::Timestamp,
    identity::{Authenticator, Identity, Who},
    routing::{Rate, SessionSender},
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::TaskTracker,
};

use crate::{
    http::streams::Streams,
    identity::JwtAuthenticator,
    metrics::FrameMeters,
    protocol::{HEARTBEAT_MS, Welcome},
    watch::Watch,
};

/// The routes' shared part. Cheap to clone.
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    chat: Chat,
    authenticator: Arc<dyn Authenticator>,
    options: ServerOptions,
    tasks: TaskTracker,
    drain: CancellationToken,
    streams: Streams,
    meters: FrameMeters,
    watch: Watch,
}

/// A service that the node uses, as far as it has figures: it sets them in the recorder of metrics.
#[async_trait]
pub trait Service: fmt::Debug + Send + Sync + 'static {
    /// Sets what is known here, whenever `/metrics` is asked for. Waits for nobody.
    fn tell(&self);

    /// Asks the service itself and sets what it answers. Called by [`Server::watch`] every few
    /// seconds; dropped when it takes longer than that.
    async fn ask(&self);
}

/// What a client may send over one session, whatever it is.
#[derive(Debug, Clone, Copy)]
pub struct FrameLimits {
    /// Frames; more are refused with `overloaded` and when to come back.
    pub frames: Rate,
    /// How often it may be refused for haste, over whatever limit, before the session is closed
    /// with 4429.
    pub refusals: Rate,
}

impl Default for FrameLimits {
    /// 512 frames at once and 200 a second; 300 refusals at once and 300 a minute.
    fn default() -> Self {
        Self {
            frames: Rate::per_second(512, 200),
            refusals: Rate::per_minute(300, 300),
        }
    }
}

/// What an embedder may choose. The default: no other origins, no demo, no figures, 20 s to drain.
#[derive(Clone)]
pub struct ServerOptions {
    /// Origins of other sites' pages that may connect, such as `https://bank.example`.
    pub origins: Vec<String>,
    /// Signs the demo's tokens; only with this there are demo people.
    pub demo: Option<Arc<JwtAuthenticator>>,
    /// Renders `/metrics`; without it there is none.
    pub metrics: Option<PrometheusHandle>,
    /// Whose figures `/metrics` has beside the node's own.
    pub services: Vec<Arc<dyn Service>>,
    /// How long a drain may take; hints to reconnect are spread over half of it.
    pub drain_timeout: Duration,
    /// What a client may send over one session.
    pub frames: FrameLimits,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            demo: None,
            metrics: None,
            services: Vec::new(),
            drain_timeout: Duration::from_secs(20),
            frames: FrameLimits::default(),
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("origins", &self.origins)
            .field("demo", &self.demo.is_some())
            .field("drain_timeout", &self.drain_timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Over a chat. Does nothing until its routes are served. What counts its metrics is the
    /// recorder that is installed by now.
    #[must_use]
    pub fn new(chat: Chat, authenticator: Arc<dyn Authenticator>, options: ServerOptions) -> Self {
        Self(Arc::new(Shared {
            chat,
            authenticator,
            options,
            tasks: TaskTracker::new(),
            drain: CancellationToken::new(),
            streams: Streams::default(),
            meters: FrameMeters::new(),
            watch: Watch::default(),
        }))
    }

    /// The chat.
    #[must_use]
    pub fn chat(&self) -> &Chat {
        &self.0.chat
    }

    /// The tasks of all connections; a drain waits for them.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Begins to leave: `/readyz` says no, sessions are told to reconnect, and then closed.
    pub fn drain(&self) {
        self.0.drain.cancel();
    }

    /// Whether it is leaving.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.drain.is_cancelled()
    }

    /// Ends when it begins to leave.
    pub(crate) fn drains(&self) -> WaitForCancellationFutureOwned {
        self.0.drain.clone().cancelled_owned()
    }

    /// What counts frames.
    pub(crate) fn meters(&self) -> &FrameMeters {
        &self.0.meters
    }

    /// What was seen of the partitions.
    pub(crate) fn watched(&self) -> &Watch {
        &self.0.watch
    }

    pub(crate) fn authenticator(&self) -> &dyn Authenticator {
        &*self.0.authenticator
    }

    pub(crate) fn options(&self) -> &ServerOptions {
        &self.0.options
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.chat.ports().clock.now()
    }

    /// When a client should come back: anywhere in half of the drain's time, so that they don't
    /// come all at once.
    pub(crate) fn reconnect_after(&self) -> Duration {
        self.0
            .options
            .drain_timeout
            .mul_f64(0.5 * random_fraction())
    }

    /// How long a connection that was told to reconnect may finish what it has begun.
    pub(crate) fn farewell(&self) -> Duration {
        self.0
            .options
            .drain_timeout
            .mul_f64(0.25 + 0.25 * random_fraction())
    }

    pub(crate) fn welcome(&self, sender: &SessionSender, identity: &Identity) -> Welcome {
        let desk = match &identity.who {
            Who::Customer(_) => None,
            Who::Staff { desk, .. } => Some(desk.clone()),
        };
        Welcome {
            session: sender.id(),
            node: sender.node().id.clone(),
            who: identity.participant(),
            name: identity.name.clone(),
            role: identity.staff_rights().map(|rights| rights.role),
            desk,
            now: self.now(),
            expires_at: identity.expires_at,
            heartbeat_ms: HEARTBEAT_MS,
            window: u32::try_from(sender.window()).unwrap_or(u32::MAX),
            stream_key: None,
        }
    }
}

/// From 0 to 1; in the middle should there be no randomness.
fn random_fraction() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / f64::from(u32::MAX)
}
