//! The servers, each in a process of its own, over the same built files.

use crate::Failure;
use crate::load::{Report, Settings};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// A running one.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

/// How often people may ask.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limits {
    /// As they come.
    Usual,
    /// There, and never reached.
    High,
}

/// Twenty posts of some thousand octets, and the feeds of them.
pub(crate) fn lay_out(ours: &Path, folder: &Path) -> Result<(), Failure> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder.join("posts")).map_err(|why| format!("{} cannot be made: {why}", folder.display()))?;
    for number in 1..=20 {
        let paragraph =
            |n| format!("Paragraph {n} of post {number}, on *birds* number {} and the weather.\n\n", n * 7919 % 1009);
        let text: String = (number * 40..number * 40 + 40).map(paragraph).collect();
        let post = format!("---\ntitle: Post {number}\ndate: 2026-10-{number:02}\n---\n\n{text}");
        write(&folder.join(format!("posts/post-{number}.md")), &post)?;
    }
    configure(folder, 1, Limits::Usual)?;
    let built = Command::new(ours).args(["--quiet", "build"]).current_dir(folder).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err(format!("{} build does not succeed in {}", ours.display(), folder.display()));
    }
    // nginx sends a file that was compressed before, as postrider does.
    let zipped = Command::new("gzip").args(["-k", "-6", "public/rss.xml"]).current_dir(folder).status();
    zipped.map(|_| ()).map_err(|why| format!("gzip cannot be run: {why}"))
}

fn configure(folder: &Path, port: u16, limits: Limits) -> Result<(), Failure> {
    let limits = match limits {
        Limits::Usual => "",
        Limits::High => "requests = \"1000000/h\"\nrequests_per_network = \"100000/h\"\n",
    };
    let config = format!(
        "[site]\ntitle = \"Blog\"\nurl = \"https://example.org/\"\n[posts]\ndir = \"posts\"\n[feeds]\ndir = \"public\"\n\
         [mail]\nfrom = \"Blog <news@example.org>\"\npostal_address = \"1 Sample Street, Chicago IL\"\ntransport = \"outbox:outbox\"\n\
         [delivery]\nrates = [\"14/s\"]\n[[digest]]\nname = \"weekly\"\nschedule = \"0 9 * * MON\"\n\
         [web]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"https://news.example.org\"\ntrusted_proxies = [\"127.0.0.1\"]\n{limits}"
    );
    write(&folder.join("config.toml"), &config)
}

/// postrider, over this folder.
pub(crate) fn postrider(ours: &Path, folder: &Path, limits: Limits) -> Result<Server, Failure> {
    let port = free_port()?;
    configure(folder, port, limits)?;
    start(Command::new(ours).args(["--quiet", "serve"]).current_dir(folder), port, &folder.join("postrider.log"))
}

/// nginx, one process as postrider's web is one thread.
pub(crate) fn nginx(nginx: &Path, folder: &Path) -> Result<Server, Failure> {
    let port = free_port()?;
    let here = folder.display();
    let config = format!(
        "daemon off;\nmaster_process off;\nuser root;\npid {here}/nginx.pid;\nerror_log {here}/nginx.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n access_log off;\n sendfile on;\n tcp_nopush on;\n keepalive_requests 1000000000;\n gzip_static on;\n\
         types {{ application/rss+xml xml; }}\n\
         server {{ listen 127.0.0.1:{port}; root {here}/public; }}\n}}\n"
    );
    write(&folder.join("nginx.conf"), &config)?;
    start(Command::new(nginx).arg("-c").arg(folder.join("nginx.conf")), port, &folder.join("nginx.err"))
}

fn start(command: &mut Command, port: u16, log: &Path) -> Result<Server, Failure> {
    let wrong = |why: String| format!("{} cannot be run: {why}; see {}", command_name(log), log.display());
    let said = fs::File::create(log).map_err(|why| wrong(why.to_string()))?;
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
    let mut server = Server { child: command.spawn().map_err(|why| wrong(why.to_string()))?, port };
    for _ in 0..200 {
        if !server.is_up() {
            break;
        }
        if server.get("/rss.xml").is_some_and(|answer| answer.contains(" 200 ")) {
            return Ok(server);
        }
        sleep(Duration::from_millis(50));
    }
    Err(wrong("it does not answer".to_owned()))
}

fn command_name(log: &Path) -> String {
    log.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

impl Server {
    /// Whether it still runs.
    pub(crate) fn is_up(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// All of an answer; none where there is none within ten seconds.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned()).filter(|answer| !answer.is_empty())
    }

    /// People that the store knows.
    pub(crate) fn subscribers(&self) -> Option<u64> {
        let metrics = self.get("/metrics")?;
        let rows = metrics.lines().filter(|line| line.starts_with("postrider_subscribers{"));
        Some(rows.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    /// Seconds of processor time so far, and MiB at most, as Linux counts them.
    pub(crate) fn took(&self) -> (f64, f64) {
        let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap_or_default();
        let stat = read("stat");
        let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        let ticks: f64 = ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        let status = read("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let peak = peak.trim().trim_end_matches(" kB").parse().unwrap_or(0.0) / 1024.0;
        (ticks / 100.0, peak)
    }

    /// A second process that asks it.
    pub(crate) fn load(&self, settings: Settings) -> Result<Load, Failure> {
        let program = std::env::current_exe().map_err(|why| why.to_string())?;
        let settings = Settings { port: self.port, ..settings };
        let child = Command::new(program).args(settings.words()).stdout(Stdio::piped()).spawn();
        child.map(Load).map_err(|why| format!("the load cannot be started: {why}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A load that is under way.
pub(crate) struct Load(Child);

impl Load {
    pub(crate) fn is_over(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    pub(crate) fn report(self) -> Result<Report, Failure> {
        let said = self.0.wait_with_output().map_err(|why| why.to_string())?;
        serde_json::from_slice(&said.stdout).map_err(|why| format!("the load does not report: {why}"))
    }
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|why| format!("no free port: {why}"))?;
    listener.local_addr().map(|address| address.port()).map_err(|why| why.to_string())
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(|why| format!("{} cannot be written: {why}", file.display()))
}

/// Where nginx is, if it is.
pub(crate) fn find_nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("nginx")).find(|file| file.is_file())
}
