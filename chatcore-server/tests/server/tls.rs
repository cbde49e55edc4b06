//! TLS of the server itself.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};
use tokio_tungstenite::{client_async, tungstenite::client::IntoClientRequest as _};

use crate::process::{LONG, Process, refused};

struct Files {
    folder: TempDir,
}

/// A certificate for `localhost` that signs itself.
struct Made {
    der: CertificateDer<'static>,
    certificate: String,
    key: String,
}

fn made() -> Made {
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = names.self_signed(&key).unwrap();
    Made {
        der: certificate.der().clone(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

impl Files {
    fn new(certificate: &str, key: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Self { folder };
        files.write(certificate, key);
        files
    }

    fn paths(&self) -> [PathBuf; 2] {
        ["certificate.pem", "key.pem"].map(|name| self.folder.path().join(name))
    }

    fn write(&self, certificate: &str, key: &str) {
        let [certificate_file, key_file] = self.paths();
        fs::write(certificate_file, certificate).unwrap();
        fs::write(key_file, key).unwrap();
    }

    fn flags(&self) -> [String; 5] {
        let [certificate, key] = self.paths().map(|path| path.display().to_string());
        let flags = ["--ephemeral", "--tls-certificate-file", "--tls-key-file"];
        let [ephemeral, c, k] = flags.map(str::to_owned);
        [ephemeral, c, certificate, k, key]
    }

    async fn serve(&self) -> Process {
        let flags = self.flags();
        Process::demo(&flags.each_ref().map(String::as_str)).await
    }
}

/// Trusts this certificate alone.
async fn connect(
    server: &Process,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(&server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    timeout(LONG, connecting).await.expect("an answer")
}

/// Asks on a connection that stays open.
async fn status(socket: &mut TlsStream<TcpStream>) -> String {
    let asked = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    socket.write_all(asked).await.unwrap();
    let mut answer = [0; 4096];
    let read = timeout(LONG, socket.read(&mut answer)).await;
    let read = read.expect("an answer").unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn requests_and_sockets_are_served_over_tls() {
    let made = made();
    let files = Files::new(&made.certificate, &made.key);
    let server = files.serve().await;
    let mut socket = connect(&server, &made.der).await.unwrap();
    assert_eq!(status(&mut socket).await, "HTTP/1.1 200 OK");
    let stream = connect(&server, &made.der).await.unwrap();
    let mut request = "wss://localhost/ws".into_client_request().unwrap();
    let protocol = "chatcore.v1".parse().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", protocol);
    let (mut socket, answer) = client_async(request, stream).await.unwrap();
    assert_eq!(answer.status(), 101);
    // Bytes go both ways: a frame that is none is answered.
    let wrong = tokio_tungstenite::tungstenite::Message::text("{}");
    futures_util::SinkExt::send(&mut socket, wrong)
        .await
        .unwrap();
    let answered = timeout(LONG, socket.next()).await;
    assert!(answered.expect("an answer").is_some());
}

#[tokio::test]
async fn whoever_does_not_speak_tls_is_sent_away_at_once_and_who_is_silent_at_the_deadline() {
    let made = made();
    let files = Files::new(&made.certificate, &made.key);
    let server = files.serve().await;
    let began = Instant::now();
    let mut silent = TcpStream::connect(&server.address).await.unwrap();
    let mut plain = TcpStream::connect(&server.address).await.unwrap();
    let asked = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    plain.write_all(asked).await.unwrap();
    let mut answer = Vec::new();
    let ended = timeout(Duration::from_secs(3), plain.read_to_end(&mut answer)).await;
    // However the connection ends, what counts is that it does, and without an answer.
    assert!(ended.is_ok(), "the connection stays open");
    assert!(!answer.starts_with(b"HTTP"));
    let ended = timeout(LONG, silent.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "a silent connection is kept");
    assert!(began.elapsed() >= Duration::from_secs(4));
}

#[tokio::test]
async fn new_files_are_shown_to_new_connections_and_wrong_ones_are_not() {
    let (old, new) = (made(), made());
    let files = Files::new(&old.certificate, &old.key);
    let server = files.serve().await;
    let mut open = connect(&server, &old.der).await.unwrap();
    assert_eq!(status(&mut open).await, "HTTP/1.1 200 OK");
    // Another's key, for longer than the server takes to look.
    files.write(&new.certificate, &old.key);
    for _ in 0..5 {
        // An idle connection would end by itself.
        sleep(Duration::from_secs(1)).await;
        assert_eq!(status(&mut open).await, "HTTP/1.1 200 OK");
    }
    assert!(connect(&server, &new.der).await.is_err());
    assert!(connect(&server, &old.der).await.is_ok());
    files.write(&new.certificate, &new.key);
    let began = Instant::now();
    while connect(&server, &new.der).await.is_err() {
        assert!(began.elapsed() < LONG, "the new certificate is not shown");
        assert_eq!(status(&mut open).await, "HTTP/1.1 200 OK");
        sleep(Duration::from_millis(100)).await;
    }
    assert!(connect(&server, &old.der).await.is_err());
    assert_eq!(status(&mut open).await, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_server_with_wrong_files_does_not_start() {
    let (one, other) = (made(), made());
    let table = [
        (&*one.certificate, &*other.key, "tls_key_file"),
        (&*one.certificate, "no key", "tls_key_file"),
        ("no certificate", &*one.key, "tls_certificate_file"),
    ];
    for (certificate, key, expected) in table {
        let files = Files::new(certificate, key);
        let flags = files.flags();
        let mut all = vec!["--demo", "--listen", "127.0.0.1:0"];
        all.extend(flags.iter().map(String::as_str));
        let (code, said) = refused(&all).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("PRIVATE"), "{said}");
    }
    let (_, said) = refused(&["--demo", "--tls-key-file", "/key.pem"]).await;
    assert!(said.contains("tls_certificate_file"), "{said}");
}
