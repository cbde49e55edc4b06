//! Servers of a test's own, which it may stop, pause and empty.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Which program to start, if there is one: `CHATCORE_REDIS_SERVER`, or what is on the path. Debian's
/// `redis-tools` has the server under the name of a tool.
pub(crate) fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHATCORE_REDIS_SERVER") {
        return Some(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = [
        "keydb-server",
        "valkey-server",
        "redis-server",
        "redis-check-rdb",
    ];
    let mut all =
        std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    let found = all.find(|file| file.is_file());
    let is_required = std::env::var("CHATCORE_TEST_REQUIRE").is_ok_and(|v| v == "1");
    if found.is_none() {
        assert!(!is_required, "no server to start");
        eprintln!("skipped: no server to start");
    }
    found
}

/// A port that nobody has now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A running server; dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts one in memory alone, and waits until it answers.
    pub(crate) fn start(program: &Path, port: u16, more: &[&str]) -> Self {
        let port_text = port.to_string();
        let mut command = Command::new(program);
        command.arg0("redis-server");
        command.args(["--port", &port_text, "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no"]);
        command.args(["--repl-diskless-sync-delay", "0"]).args(more);
        let process = command.stdout(Stdio::null()).spawn().unwrap();
        let server = Self { process, port };
        // Either that, or that it wants a password first.
        server.until("PING", "\r\n");
        server
    }

    /// Starts a Sentinel that watches `primary` under the name `test`.
    pub(crate) fn start_sentinel(program: &Path, folder: &Path, primary: u16) -> Self {
        let port = free_port();
        let file = folder.join(format!("sentinel-{port}.conf"));
        let text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor test 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds test 1000\nsentinel failover-timeout test 4000\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(program);
        command.arg0("redis-sentinel").arg(file);
        let process = command.stdout(Stdio::null()).spawn().unwrap();
        let sentinel = Self { process, port };
        sentinel.until("PING", "PONG");
        sentinel
    }

    pub(crate) fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Asks one question, as words on a line; answers what is said before it falls silent.
    pub(crate) fn ask(&self, question: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        stream.write_all(format!("{question}\r\n").as_bytes())?;
        let (mut said, mut part) = (Vec::new(), [0; 4096]);
        while let Ok(length @ 1..) = stream.read(&mut part) {
            said.extend(part.iter().take(length));
        }
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// Asks until it is answered so.
    pub(crate) fn until(&self, question: &str, answer: &str) {
        for _ in 0..200 {
            if self.ask(question).is_ok_and(|said| said.contains(answer)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{question} is not answered with {answer}");
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Lets it stand still.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn wake(&self) {
        self.signal("-CONT");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
