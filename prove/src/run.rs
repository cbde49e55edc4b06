//! One run: servers of its own, people who talk, one fault or two, and the verdict.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use chatcore::{clock::SystemClock, identity::Who, memory, ports::Ports, simulation::What};
use chatcore_kafka::{Kafka, KafkaConfig};
use chatcore_keydb::KeyDb;
use tokio::{sync::Mutex, task::JoinSet, time::sleep};
use tokio_util::task::TaskTracker;

use crate::{
    device::Device,
    faults::{Arena, Fault},
    judge::Verdict,
    lines::Proxy,
    nodes::{Deployment, PARTITIONS, Server},
    options::Options,
    people::{Bank, Person},
    quiet, revoking,
    services::Services,
    topics,
    wallet::Signer,
    world::World,
};

/// Runs so far: each has topics and keys of its own.
static RUNS: AtomicU64 = AtomicU64::new(1);
/// How long people talk before the fault, and after it.
const STEADY: Duration = Duration::from_secs(5);
/// How long the last records may take to become durable.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Carries out one run.
///
/// # Errors
/// When something that should run does not; a promise that was not kept is in the verdict.
pub(crate) async fn run(
    options: &Options,
    services: &Services,
    faults: &[Fault],
    seed: u64,
    folder: &Path,
) -> Result<Verdict> {
    // The archive of an earlier run is that of another journal.
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    let deployment = deployment(options, services, seed, folder)?;
    deployment.write_config(
        options.operators,
        options.dialogs / options.operators.max(1) + 2,
    )?;
    let (gateways, workers) = nodes(options, &deployment).await?;
    let tasks = TaskTracker::new();
    let mut lines = Vec::new();
    for gateway in &gateways {
        lines.push(Proxy::start(gateway.lock().await.address, &tasks).await?);
    }
    let addresses = lines.iter().map(|line| line.address).collect();
    let world = Arc::new(World::new(addresses));
    let arena = Arena {
        world: &world,
        services,
        gateways,
        workers,
        lines,
    };
    arena.ready().await?;
    let (kafka, keydb, ports) = ports(&deployment).await?;

    world.order(|orders| orders.talk = true);
    let mut devices = people(options, &world, seed)?;
    let talked = talk(&arena, faults).await;
    world.order(|orders| orders.talk = false);
    world.saw(None, What::Healed);
    let rest = match talked {
        Ok(()) => quiet::wait(&world, &ports).await,
        Err(error) => Err(error),
    };
    world.order(|orders| orders.end = true);
    while let Some(ended) = devices.join_next().await {
        ended??;
    }
    kafka.close(CLOSE_MAX).await;
    keydb.shutdown().await;
    let rest = rest?;
    let mut verdict = Verdict::of(&rest);
    std::fs::write(folder.join("history.jsonl"), rest.history.to_json_lines()?)?;
    std::fs::write(folder.join("slowest.txt"), &verdict.slowest)?;
    if let Err(error) = arena.leave().await {
        verdict.violations.push(format!("leaving: {error:#}"));
    }
    drop((kafka, ports));
    topics::remove(&deployment).await.context("clearing up")?;
    Ok(verdict)
}

async fn talk(arena: &Arena<'_>, faults: &[Fault]) -> Result<()> {
    sleep(STEADY).await;
    let strikes = faults.iter().enumerate().map(async |(index, fault)| {
        // The second comes while the first is there.
        sleep(Duration::from_millis(700) * u32::try_from(index).unwrap_or(0)).await;
        let name = fault.name().to_owned();
        let note = "begins".to_owned();
        arena.world.saw(
            None,
            What::Fault {
                name,
                node: None,
                partition: None,
                note,
            },
        );
        arena
            .strike(*fault)
            .await
            .with_context(|| format!("{fault}"))
    });
    futures_util::future::try_join_all(strikes).await?;
    arena.ready().await?;
    arena.services.whole().await?;
    sleep(STEADY).await;
    Ok(())
}

fn deployment(
    options: &Options,
    services: &Services,
    seed: u64,
    folder: &Path,
) -> Result<Deployment> {
    let brokers = u16::try_from(services.brokers.len())?;
    Ok(Deployment {
        program: options.server.clone(),
        folder: folder.to_owned(),
        kafka: services.kafka.clone(),
        keydb: services.keydb.clone(),
        prefix: format!(
            "prove-{}-{seed}-{}",
            std::process::id(),
            RUNS.fetch_add(1, Ordering::Relaxed)
        ),
        replication: brokers.max(1),
        sabotage: options.sabotage.clone(),
    })
}

async fn nodes(
    options: &Options,
    deployment: &Deployment,
) -> Result<(Vec<Mutex<Server>>, Vec<Mutex<Server>>)> {
    let mut gateways = Vec::new();
    let mut workers = Vec::new();
    if options.workers == 0 {
        for number in 1..=options.gateways {
            gateways.push(Server::new(deployment, &format!("node-{number}"), "all")?);
        }
    } else {
        for number in 1..=options.gateways {
            gateways.push(Server::new(
                deployment,
                &format!("gateway-{number}"),
                "gateway",
            )?);
        }
        for number in 1..=options.workers {
            workers.push(Server::new(
                deployment,
                &format!("worker-{number}"),
                "worker",
            )?);
        }
    }
    for (index, node) in gateways.iter_mut().chain(&mut workers).enumerate() {
        node.start()?;
        // The first makes the topics.
        if index == 0 {
            node.ready().await?;
        }
    }
    let locked = |nodes: Vec<Server>| nodes.into_iter().map(Mutex::new).collect();
    Ok((locked(gateways), locked(workers)))
}

/// The run's journal.
pub(crate) async fn kafka(deployment: &Deployment) -> Result<Kafka> {
    let mut config = KafkaConfig::new(&deployment.kafka, &deployment.prefix);
    config.partitions = PARTITIONS;
    config.replication = deployment.replication;
    Ok(Kafka::open(config).await?)
}

/// The journal and the store, as the judge reads them.
async fn ports(deployment: &Deployment) -> Result<(Kafka, Arc<KeyDb>, Ports)> {
    let memory = memory::ports(PARTITIONS, Arc::new(SystemClock));
    let kafka = kafka(deployment).await?;
    let address = deployment
        .keydb
        .parse()
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    let config = chatcore_keydb::Config::new(address, PARTITIONS).with_prefix(&deployment.prefix);
    let keydb = KeyDb::connect(config, memory.archive.clone()).await?;
    let ports = Ports {
        journal: kafka.journal(),
        dead_letters: kafka.dead_letters(),
        partitions: keydb.clone(),
        streams: keydb.clone(),
        ..memory
    };
    Ok((kafka, keydb, ports))
}

/// Everybody, each at a device of their own: the two sides of a dialog at different gateways.
fn people(options: &Options, world: &Arc<World>, seed: u64) -> Result<JoinSet<Result<()>>> {
    let signer = Signer::new()?;
    let bank = Bank::new()?;
    let mut devices = JoinSet::new();
    let (customers, operators) = (options.dialogs, options.operators);
    let rate = f64::from(u32::try_from(options.rate.max(1))?);
    // Half of what is said comes from each side.
    let pace = |people: usize| -> Result<Duration> {
        let people = f64::from(u32::try_from(people)?);
        Ok(Duration::from_secs_f64(2.0 * people / rate))
    };
    for number in 0..customers + operators {
        let (person, first) = if number < customers {
            (
                Person::customer(&bank, number, seed, pace(customers)?)?,
                number,
            )
        } else {
            let number = number - customers;
            (
                Person::operator(&bank, number, seed, pace(operators)?)?,
                number + 1,
            )
        };
        let name = match &person.who {
            Who::Customer(id) => id.as_str().to_owned(),
            Who::Staff { id, .. } => id.as_str().to_owned(),
        };
        let signer = signer.clone();
        devices.spawn(Device::new(world.clone(), person, name, signer, first).run());
    }
    if devices.is_empty() {
        bail!("nobody takes part");
    }
    devices.spawn(revoking::revoke(world.clone(), signer, seed));
    Ok(devices)
}
