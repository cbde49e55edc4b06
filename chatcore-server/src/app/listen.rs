//! Where connections come from, and what each may take.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::parts::Parts;
use crate::{
    config::Config,
    http::{accept::Listener, tls::Tls},
};

/// The certificate and its key, if the server speaks TLS itself.
pub(super) async fn tls(config: &Config) -> Result<Option<Arc<Tls>>> {
    match &config.tls {
        None => Ok(None),
        Some(files) => Ok(Some(Arc::new(Tls::open(files.clone()).await?))),
    }
}

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("can't listen on {address}; is it in use?"))
}

/// Plain, or with TLS whose files are looked at until the end.
pub(super) fn over(
    tcp: TcpListener,
    tls: Option<Arc<Tls>>,
    parts: &Parts,
    stop: &CancellationToken,
) -> Listener {
    let Some(tls) = tls else {
        return Listener::from(tcp);
    };
    let (watched, until) = (Arc::clone(&tls), stop.clone());
    parts.spawn("certificates", async move {
        watched.watch(until).await;
        Ok(())
    });
    Listener::with_tls(tcp, tls)
}
