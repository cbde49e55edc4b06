//! A topic that was made anew has not what was promised to be in it: nodes refuse to start on it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chatcore::{ids::Partition, journal::Log};
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use tokio::time::{sleep, timeout};

use crate::{
    nodes::{Deployment, PARTITIONS, Server, free_address},
    options::Options,
    run,
    services::Services,
    topics,
};

/// How long a refusal may take.
const REFUSAL: Duration = Duration::from_secs(60);

/// Makes a journal, puts an empty topic in the place of one of its topics, and starts a node.
///
/// # Errors
/// When it starts.
pub(crate) async fn is_refused(options: &Options, services: &Services) -> Result<()> {
    let folder = options.out.join("topic-recreated");
    std::fs::create_dir_all(&folder)?;
    let deployment = Deployment {
        program: options.server.clone(),
        folder,
        kafka: services.kafka.clone(),
        keydb: services.keydb.clone(),
        prefix: format!("prove-recreated-{}", std::process::id()),
        replication: u16::try_from(services.brokers.len())?.max(1),
        sabotage: None,
    };
    deployment.write_config(1, 1)?;
    let mut node = Server::new(&deployment, "node-1", "all")?;
    node.start()?;
    node.ready().await?;
    node.leave().await?;
    write(&deployment).await?;
    let topic = format!("{}.commands", deployment.prefix);
    make_anew(&deployment, &topic).await?;

    let command = deployment
        .command("node-1", "all", free_address()?)
        .output();
    let ended = timeout(REFUSAL, command);
    let ended = ended
        .await
        .context("a node runs on a topic that was made anew")??;
    let said = String::from_utf8_lossy(&ended.stderr);
    if ended.status.success() || !said.contains(&topic) {
        bail!(
            "a node on a topic that was made anew ended with {}: {said}",
            ended.status
        );
    }
    Ok(())
}

/// Writes something that is lost with the topic: of an empty one nobody could tell.
async fn write(deployment: &Deployment) -> Result<()> {
    const P0: Partition = Partition(0);
    let kafka = run::kafka(deployment).await?;
    let journal = kafka.journal();
    let pending = journal.try_append(Log::Commands, P0, "lost".into());
    pending.map_err(|refused| refused.error)?.await?;
    // Whoever asks notes how far it is.
    journal.bounds(Log::Commands, P0).await?;
    Ok(())
}

async fn make_anew(deployment: &Deployment, topic: &str) -> Result<()> {
    let admin = topics::admin(deployment)?;
    let options = AdminOptions::new();
    topics::delete(&admin, &[topic]).await?;
    sleep(Duration::from_secs(1)).await;
    let replication = TopicReplication::Fixed(i32::from(deployment.replication));
    let new = NewTopic::new(topic, i32::try_from(PARTITIONS)?, replication)
        .set("message.timestamp.type", "LogAppendTime");
    for made in admin.create_topics(&[new], &options).await? {
        made.map_err(|(topic, code)| anyhow::anyhow!("can't make {topic}: {code}"))?;
    }
    Ok(())
}
