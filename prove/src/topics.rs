//! The topics of a run.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, bail};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};

use crate::nodes::Deployment;

const ASK_MAX: Duration = Duration::from_secs(10);

pub(crate) type Admin = AdminClient<DefaultClientContext>;

/// A client of the brokers.
pub(crate) fn admin(deployment: &Deployment) -> Result<Admin> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &deployment.kafka);
    Ok(config.create()?)
}

/// Deletes topics.
pub(crate) async fn delete(admin: &Admin, topics: &[&str]) -> Result<()> {
    for gone in admin.delete_topics(topics, &AdminOptions::new()).await? {
        if let Err((topic, code)) = gone {
            bail!("can't delete {topic}: {code}");
        }
    }
    Ok(())
}

/// Deletes all that a run has made: a broker that is killed looks through all that it has when it
/// comes back, and would take longer with each run.
pub(crate) async fn remove(deployment: &Deployment) -> Result<()> {
    let admin = Arc::new(admin(deployment)?);
    let asked = Arc::clone(&admin);
    let all = tokio::task::spawn_blocking(move || asked.inner().fetch_metadata(None, ASK_MAX));
    let all = all.await??;
    let ours = format!("{}.", deployment.prefix);
    let names = all.topics().iter().map(|topic| topic.name());
    let names: Vec<&str> = names.filter(|name| name.starts_with(&ours)).collect();
    delete(&admin, &names).await
}
