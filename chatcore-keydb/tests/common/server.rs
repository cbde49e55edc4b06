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

/// A running server; dropped, it is killed, and its folder removed.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
    /// Where it puts what it gets from a primary: another would start with that.
    folder: PathBuf,
}

fn fresh_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(super::prefix());
    std::fs::create_dir(&folder).unwrap();
    folder
}

impl Server {
    /// Starts one in memory alone, and waits until it answers.
    pub(crate) fn start(program: &Path, port: u16, more: &[&str]) -> Self {
        let (port_text, folder) = (port.to_string(), fresh_folder());
        let mut command = Command::new(program);
        command.arg0("redis-server");
        command.args(["--port", &port_text, "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no"]);
        command.args(["--repl-diskless-sync-delay", "0"]).args(more);
        let process = command.current_dir(&folder).stdout(Stdio::null()).spawn();
        let server = Self {
            process: process.unwrap(),
            port,
            folder,
        };
        // It, and not another that had the port first; or that it wants a password first.
        let itself = format!("process_id:{}\r", server.process.id());
        let answers = |said: String| said.contains(&itself) || said.contains("NOAUTH");
        server.wait(|| server.ask("INFO server").is_ok_and(answers), "starts");
        server
    }

    /// Starts a Sentinel that watches `primary` under the name `test`.
    pub(crate) fn start_sentinel(program: &Path, primary: u16, more: &[&str]) -> Self {
        let (port, folder) = (free_port(), fresh_folder());
        let file = folder.join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor test 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds test 1000\nsentinel failover-timeout test 4000\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(program);
        command.arg0("redis-sentinel").arg(file).args(more);
        let process = command.current_dir(&folder).stdout(Stdio::null()).spawn();
        let sentinel = Self {
            process: process.unwrap(),
            port,
            folder,
        };
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
        let is_so = || self.ask(question).is_ok_and(|said| said.contains(answer));
        self.wait(is_so, &format!("answers {question} with {answer}"));
    }

    fn wait(&self, mut is_so: impl FnMut() -> bool, what: &str) {
        for _ in 0..200 {
            if is_so() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server at {} never {what}", self.port);
    }

    /// Takes all that another has, as of now, and is a primary again.
    pub(crate) fn copy(&self, other: &Self) {
        self.ask(&format!("REPLICAOF 127.0.0.1 {}", other.port))
            .unwrap();
        self.until("INFO replication", "master_link_status:up");
        self.ask("REPLICAOF NO ONE").unwrap();
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
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
