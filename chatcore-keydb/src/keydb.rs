//! The store as a whole.

use std::sync::Arc;

use chatcore::{error::Result, store::Archive};

use crate::{
    Config, Figures, ServerFigures, Tls, inbox::Receivers, info::Info, keys::Keys, link::Link,
};

/// The live view, the leases, the lists and the nodes' inboxes over the Redis protocol.
///
/// It implements `PartitionStore`, `StreamStore`, `LeaseStore`, `IndexStore` and `NodeInbox`; one
/// of it serves all parts of a process. The journal is somewhere else, and so is the archive.
///
/// One task looks for the primary, and each connection and each inbox has one; all end with
/// [`shutdown`](Self::shutdown), or when this is dropped.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use chatcore::{clock::SystemClock, memory, ports::Ports};
/// use chatcore_keydb::{Config, KeyDb};
///
/// # async fn start() -> chatcore::error::Result<Ports> {
/// let ports = memory::ports(12, Arc::new(SystemClock));
/// let address = "redis+sentinel://10.0.0.1:26379,10.0.0.2:26379,10.0.0.3:26379/chat".parse()?;
/// let store = KeyDb::connect(Config::new(address, 12), ports.archive.clone()).await?;
/// Ok(Ports {
///     partitions: store.clone(),
///     streams: store.clone(),
///     leases: store.clone(),
///     index: store.clone(),
///     inbox: store,
///     ..ports
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct KeyDb {
    pub(crate) link: Arc<Link>,
    pub(crate) keys: Keys,
    pub(crate) archive: Arc<dyn Archive>,
    pub(crate) receivers: Receivers,
}

impl KeyDb {
    /// Connects to the primary, waiting for it up to [`Config::start_max`]; what has left the live
    /// view is read from `archive`. Runs on tokio's runtime.
    ///
    /// # Errors
    /// `Invalid` for bounds that make no sense, `Forbidden` for a refused login, `Unavailable`
    /// when there is no primary in time; each says what to do.
    pub async fn connect(mut config: Config, archive: Arc<dyn Archive>) -> Result<Arc<Self>> {
        if config.address.is_tls && config.tls.is_none() {
            config.tls = Some(Tls::new(None, None)?);
        }
        let keys = Keys::new(&config.prefix);
        let link = Arc::new(Link::open(Arc::new(config)).await?);
        Ok(Arc::new(Self {
            link,
            keys,
            archive,
            receivers: Receivers::default(),
        }))
    }

    /// What was counted since the start.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.link.figures()
    }

    /// Asks the server how full it is.
    ///
    /// # Errors
    /// `Unavailable`, `Overloaded`, `Forbidden`.
    pub async fn server_figures(&self) -> Result<ServerFigures> {
        let questions = Info::questions(&["clients", "memory"]);
        let answers = self
            .link
            .run("ask how full the store is", &questions)
            .await?;
        Ok(Info::read(answers)?.figures())
    }

    /// Closes all connections and inboxes, and waits until they are closed. Calls that are under
    /// way fail; later ones are `Closed`.
    pub async fn shutdown(&self) {
        self.receivers.close();
        self.link.close().await;
    }

    pub(crate) fn partitions(&self) -> u32 {
        self.link.config().partitions
    }
}
