//! Apache Kafka from its own jars, in `KRaft` mode: each node is broker and controller.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{
    Ports, Started, addresses,
    daemon::{Daemon, Launch},
};
use crate::process::run;
use crate::project::{Project, on_path};
use crate::setup::apt;

/// What the jars are asked for by; also the mark that they are there.
const POM: &str = "xtask/kafka/pom.xml";

const JAVA: &str = "java";

/// The base64 of sixteen bytes, as Kafka wants it.
const CLUSTER: &str = "Y2hhdGNvcmUtdGVzdHMtMQ";

/// Who may log in where a password is asked for. Of tests on loopback, and no secret.
const USER: &str = "chatcore";
const PASSWORD: &str = "tests-only";

/// Where a broker listens.
#[derive(Debug, Clone, Copy)]
struct Listens {
    clients: u16,
    controllers: u16,
    /// TLS, with a certificate of the client's.
    tls: u16,
    /// TLS, with a password.
    sasl: u16,
}

/// Starts the brokers, and notes where they are found.
pub(super) fn start(
    project: &Project,
    started: &mut Started<'_>,
    ports: &mut Ports,
    certificates: &Path,
) -> Result<()> {
    let jars = jars(project)?;
    let count = started.brokers;
    let mut listens = Vec::new();
    for clients in ports.many(count)? {
        listens.push(Listens {
            clients,
            controllers: ports.next()?,
            tls: ports.next()?,
            sasl: ports.next()?,
        });
    }
    let voters: Vec<String> = (1..=count)
        .zip(&listens)
        .map(|(id, at)| format!("{id}@127.0.0.1:{}", at.controllers))
        .collect();
    let mut nodes = Vec::new();
    for (id, at) in (1..=count).zip(&listens) {
        let name = format!("kafka-{id}");
        let folder = started.folder(&name)?;
        let properties = folder.join("server.properties");
        let mut text = properties_of(id, *at, &voters.join(","), &folder);
        text.push_str(&security(certificates));
        fs::write(&properties, text).context("writing a broker's properties")?;
        let format = [
            "format",
            "-t",
            CLUSTER,
            "-c",
            "server.properties",
            "--ignore-formatted",
            "--add-scram",
            &format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]"),
        ];
        let mut tool = Command::new(JAVA);
        run(tool
            .args(java_args(&jars, "256m", "ERROR"))
            .arg("kafka.tools.StorageTool")
            .args(format)
            .current_dir(&folder))?;
        let heap = if count == 1 { "512m" } else { "400m" };
        let broker = Launch::new(at.clients, JAVA)
            .args(java_args(&jars, heap, "INFO"))
            .args(["kafka.Kafka", "server.properties"]);
        let node = Daemon::start(&name, &broker, &folder)?;
        started.add(node)?;
        nodes.push(started.daemons.len() - 1);
    }
    for at in nodes {
        if let Some(node) = started.daemons.get(at) {
            node.wait(|| node.log().contains("Kafka Server started"))?;
        }
    }
    let all = |port: fn(&Listens) -> u16| addresses(&listens.iter().map(port).collect::<Vec<_>>());
    let found = [
        ("kafka", all(|at| at.clients)),
        ("kafka_tls", all(|at| at.tls)),
        ("kafka_sasl", all(|at| at.sasl)),
    ];
    started.found.extend(found);
    Ok(())
}

/// The folder of the jars, which Maven fetches once.
fn jars(project: &Project) -> Result<PathBuf> {
    if on_path(&[JAVA]).is_none() {
        apt::install(&["default-jre-headless"], "no Java")?;
    }
    let pom = fs::read(project.path(POM)).context(POM)?;
    let folder = project.tools().join("kafka");
    let mark = folder.join("pom.xml");
    if fs::read(&mark).is_ok_and(|of_those| of_those == pom) {
        return Ok(folder);
    }
    if on_path(&["mvn"]).is_none() {
        apt::install(&["maven"], "no Maven")?;
    }
    let mut maven = project.command("mvn");
    maven.args(["-q", "-B", "-f", POM, "dependency:copy-dependencies"]);
    maven.arg(format!("-DoutputDirectory={}", folder.display()));
    run(maven.arg("-DincludeScope=runtime"))?;
    fs::write(&mark, pom).context("marking the jars as whole")?;
    Ok(folder)
}

fn java_args(jars: &Path, heap: &str, level: &str) -> [String; 4] {
    [
        format!("-Xmx{heap}"),
        format!("-Dlog4j2.level={level}"),
        "-cp".to_owned(),
        jars.join("*").display().to_string(),
    ]
}

/// The configuration of a node. Groups form at once and a dead broker is noticed soon, so that
/// tests need not wait; topics are never made by accident.
fn properties_of(id: u16, at: Listens, voters: &str, folder: &Path) -> String {
    let Listens {
        clients,
        controllers,
        tls,
        sasl,
    } = at;
    let open =
        format!("PLAINTEXT://127.0.0.1:{clients},TLS://127.0.0.1:{tls},SASL://127.0.0.1:{sasl}");
    let brokers = voters.split(',').count();
    let in_sync = if brokers > 1 { 2 } else { 1 };
    let data = folder.join("data");
    format!(
        "process.roles=broker,controller\n\
         node.id={id}\n\
         controller.quorum.voters={voters}\n\
         listeners={open},CONTROLLER://127.0.0.1:{controllers}\n\
         advertised.listeners={open}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,SASL:SASL_SSL\n\
         inter.broker.listener.name=PLAINTEXT\n\
         log.dirs={data}\n\
         auto.create.topics.enable=false\n\
         default.replication.factor={brokers}\n\
         min.insync.replicas={in_sync}\n\
         offsets.topic.num.partitions=4\n\
         offsets.topic.replication.factor={brokers}\n\
         transaction.state.log.num.partitions=4\n\
         transaction.state.log.replication.factor={brokers}\n\
         transaction.state.log.min.isr={in_sync}\n\
         group.initial.rebalance.delay.ms=0\n\
         broker.session.timeout.ms=3000\n\
         broker.heartbeat.interval.ms=500\n",
        data = data.display(),
    )
}

/// What the listeners with TLS have besides: at one, clients show a certificate; at the other they
/// say a password, the broker's own mechanism for it or SCRAM.
fn security(certificates: &Path) -> String {
    let folder = certificates.display();
    let modules = "org.apache.kafka.common.security";
    let mut text = String::new();
    for listener in ["tls", "sasl"] {
        text.push_str(&format!(
            "listener.name.{listener}.ssl.keystore.type=PEM\n\
             listener.name.{listener}.ssl.keystore.location={folder}/broker.pem\n\
             listener.name.{listener}.ssl.truststore.type=PEM\n\
             listener.name.{listener}.ssl.truststore.location={folder}/ca.pem\n"
        ));
    }
    text.push_str(&format!(
        "listener.name.tls.ssl.client.auth=required\n\
         listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512\n\
         listener.name.sasl.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required \
         user_{USER}=\"{PASSWORD}\";\n\
         listener.name.sasl.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;\n"
    ));
    text
}
