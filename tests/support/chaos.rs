//! Networks of the test's own, each with two cables: to the database and to the mail server. And a database that may die.

use super::database::{binaries, unprivileged};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{self, Command, Output, Stdio};
use tempfile::TempDir;

/// What one may be cut off from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Store,
    Mail,
}

/// A machine's network: what runs inside sees us at two addresses, and nothing else. Gone with its owner.
pub(crate) struct Network {
    number: usize,
}

impl Network {
    /// Of several, that of this number.
    pub(crate) fn new(number: usize) -> Self {
        let network = Network { number };
        let space = network.space();
        ip(&["netns", "add", &space]);
        for reach in [Reach::Store, Reach::Mail] {
            let (cable, inside) = (network.cable(reach), network.prefix(reach, 2));
            let name = format!("{reach:?}").to_lowercase();
            ip(&["link", "add", &cable, "type", "veth", "peer", "name", &name, "netns", &space]);
            ip(&["addr", "add", &network.prefix(reach, 1), "dev", &cable]);
            ip(&["link", "set", &cable, "up"]);
            ip(&["-n", &space, "addr", "add", &inside, "dev", &name]);
            ip(&["-n", &space, "link", "set", &name, "up"]);
        }
        network
    }

    /// Where we are for what runs inside.
    pub(crate) fn address(&self, reach: Reach) -> Ipv4Addr {
        self.host(reach, 1)
    }

    /// The same program, inside.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        // It ends when we do, however that is.
        inside.args(["netns", "exec", &self.space(), "setpriv", "--pdeathsig", "KILL"]);
        inside.arg(command.get_program()).args(command.get_args());
        inside.current_dir(command.get_current_dir().expect("a folder"));
        inside
    }

    /// Nothing gets through any more, and nobody is told.
    pub(crate) fn cut(&self, reach: Reach) {
        ip(&["link", "set", &self.cable(reach), "down"]);
    }

    pub(crate) fn mend(&self, reach: Reach) {
        ip(&["link", "set", &self.cable(reach), "up"]);
    }

    fn space(&self) -> String {
        format!("postrider-{}-{}", process::id(), self.number)
    }

    /// Fifteen letters at most.
    fn cable(&self, reach: Reach) -> String {
        let kind = if reach == Reach::Store { 's' } else { 'm' };
        format!("pr{}{kind}{}", process::id(), self.number)
    }

    /// Of the networks that are kept for measurements (RFC 2544, RFC 6890 section 2.2.2).
    fn host(&self, reach: Reach, host: u8) -> Ipv4Addr {
        let second = if reach == Reach::Store { 18 } else { 19 };
        Ipv4Addr::new(198, second, self.number as u8, host)
    }

    fn prefix(&self, reach: Reach, host: u8) -> String {
        format!("{}/30", self.host(reach, host))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // A network outlives its name for as long as a connection in it does not know that it has ended; its cables must not.
        for reach in [Reach::Store, Reach::Mail] {
            let _ = Command::new("ip").args(["link", "del", &self.cable(reach)]).output();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.space()]).output();
    }
}

#[track_caller]
fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().expect("ip(8), of iproute2");
    assert!(done.status.success(), "ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr));
}

/// A PostgreSQL of the test's own, that listens everywhere. It ends with its owner.
pub(crate) struct Cluster {
    binaries: PathBuf,
    folder: TempDir,
    port: u16,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let binaries = binaries().expect("PostgreSQL is installed");
        let folder = tempfile::tempdir().expect("a folder");
        let (user, group) = unprivileged();
        chown(folder.path(), Some(user), Some(group)).expect("root may");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let cluster = Cluster { binaries, folder, port };
        let data = cluster.data();
        let made = cluster.run("initdb", &["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let access = cluster.folder.path().join("data/pg_hba.conf");
        let known = fs::read_to_string(&access).expect("initdb made it");
        fs::write(&access, format!("{known}host all all 198.18.0.0/15 trust\n")).expect("root may");
        cluster.live();
        cluster
    }

    /// For whom we are at that address.
    pub(crate) fn url(&self, address: Ipv4Addr) -> String {
        format!("postgres://postgres@{address}:{}/postgres", self.port)
    }

    /// As after a power loss: nobody says good-bye.
    pub(crate) fn die(&self) {
        let died = self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"]);
        assert!(died.status.success(), "{}", String::from_utf8_lossy(&died.stderr));
    }

    pub(crate) fn live(&self) {
        let options =
            format!("-p {} -c listen_addresses=* -c unix_socket_directories= -c max_connections=200", self.port);
        let log = self.folder.path().join("log");
        let log = log.to_str().expect("UTF-8");
        let lives = self.run("pg_ctl", &["-D", &self.data(), "-l", log, "-w", "-t", "60", "-o", &options, "start"]);
        assert!(lives.status.success(), "{}", fs::read_to_string(log).unwrap_or_default());
    }

    fn data(&self) -> String {
        self.folder.path().join("data").to_str().expect("UTF-8").to_owned()
    }

    /// PostgreSQL refuses to run as root.
    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let (user, group) = unprivileged();
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
        command.arg(self.binaries.join(program)).args(arguments).current_dir(self.folder.path());
        // The server keeps what it inherits: a pipe would never end.
        let err = self.folder.path().join("said");
        let file = fs::File::create(&err).expect("our own folder");
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).status().expect("setpriv");
        Output { status, stdout: Vec::new(), stderr: fs::read(err).unwrap_or_default() }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"]);
    }
}
