//! What users would take instead. A peer that is not there is said in a sentence, and the table goes on without it.

use crate::Failure;
use crate::contestant::{Entry, Sender, Way};
use crate::measure::{Program, find};
use crate::sink::Report;
use crate::site::{Sample, make_folder};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Those that are there.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    smtp_source: Option<PathBuf>,
    pub(crate) smtp_sink: Option<PathBuf>,
    /// node, and the folder that holds `node_modules/nodemailer`.
    nodemailer: Option<(PathBuf, PathBuf)>,
    lettre_pool: Option<PathBuf>,
    /// What to install for the others.
    pub(crate) missing: Vec<String>,
}

impl Peers {
    /// Looks for those that the entries need; builds lettre's where it is one of them.
    pub(crate) fn find(entries: &[Entry], root: &Path, work: &Path) -> Result<Self, Failure> {
        let needs = |sender: fn(&Entry) -> bool| entries.iter().any(sender);
        let mut peers = Peers::default();
        let mut missing = Vec::new();
        if needs(|entry| entry.sender == Sender::SmtpSource) {
            peers.smtp_source = find("smtp-source");
            peers.smtp_sink = find("smtp-sink");
            if peers.smtp_source.is_none() || peers.smtp_sink.is_none() {
                missing.push("smtp-source and smtp-sink are not here: install the package postfix".to_owned());
            }
        }
        if needs(|entry| matches!(entry.sender, Sender::Nodemailer { .. })) {
            let modules = work.join("node");
            let there = modules.join("node_modules/nodemailer").is_dir();
            peers.nodemailer = find("node").filter(|_| there).map(|node| (node, modules.clone()));
            if peers.nodemailer.is_none() {
                let modules = modules.display();
                missing.push(format!(
                    "nodemailer is not here: install nodejs and npm, then: npm install --prefix {modules} nodemailer"
                ));
            }
        }
        if needs(|entry| entry.sender == Sender::LettrePool) {
            match build_lettre_pool(root, work)? {
                Ok(file) => peers.lettre_pool = Some(file),
                Err(why) => missing.push(why),
            }
        }
        peers.missing = missing;
        Ok(peers)
    }

    /// How a peer is run for an entry; nothing where it is not there.
    pub(crate) fn program(
        &self,
        entry: &Entry,
        port: u16,
        sample: &Sample,
        folder: &Path,
        root: &Path,
        (certificate, key): (&Path, Option<&Path>),
    ) -> Option<Program> {
        let (messages, connections) = (entry.messages.to_string(), entry.connections.to_string());
        match entry.sender {
            Sender::Postrider(_) => None,
            Sender::SmtpSource => {
                let message = sample.folder.join("message.eml").display().to_string();
                let to = format!("127.0.0.1:{port}");
                let from = ["-f", "news@example.org", "-t", "reader@example.com", &to];
                let words = ["-d", "-s", &connections, "-m", &messages, "-F", &message];
                Some(Program::new(self.smtp_source.as_ref()?, words.into_iter().chain(from), folder))
            }
            Sender::Nodemailer { .. } => {
                let (node, modules) = self.nodemailer.as_ref()?;
                let mut words = vec![
                    root.join("benches/compare/peers/nodemailer.mjs").into_os_string(),
                    modules.into(),
                    port.to_string().into(),
                    messages.into(),
                    connections.into(),
                    sample.folder.clone().into(),
                    key.map_or_else(|| "-".into(), Into::into),
                ];
                words.extend((entry.way == Way::Tls).then(|| certificate.join("cert.pem").into_os_string()));
                Some(Program::new(node, words, folder))
            }
            Sender::LettrePool => {
                let digest = sample.folder.display().to_string();
                let words = [port.to_string(), messages, connections, digest];
                Some(Program::new(self.lettre_pool.as_ref()?, words, folder))
            }
        }
    }
}

/// In a target folder of its own: built together with ours, it would change the features of our lettre.
fn build_lettre_pool(root: &Path, work: &Path) -> Result<Result<PathBuf, String>, Failure> {
    let source = root.join("benches/compare/peers/lettre-pool");
    let target = work.join("lettre-pool");
    make_folder(&target)?;
    let Some(cargo) = find("cargo") else { return Ok(Err("lettre's pool is not built: there is no cargo".to_owned())) };
    let (manifest, into) = (source.join("Cargo.toml").display().to_string(), target.display().to_string());
    let words = ["build", "--release", "--quiet", "--locked", "--manifest-path", &manifest, "--target-dir", &into];
    let program = Program::new(&cargo, words, &target);
    if program.run()? {
        return Ok(Ok(target.join("release/lettre-pool")));
    }
    Ok(Err(format!("lettre's pool cannot be built:\n{}", program.last_words())))
}

/// Postfix's own sink; it ends with its owner.
pub(crate) struct SmtpSink {
    child: Child,
    /// Where it writes its count.
    counts: PathBuf,
    pub(crate) port: u16,
}

impl SmtpSink {
    pub(crate) fn start(file: &Path, work: &Path) -> Result<Self, Failure> {
        let counts = work.join("smtp-sink");
        let wrong = |why: std::io::Error| format!("smtp-sink cannot be started: {why}");
        // It takes no port 0; one that was free a moment ago will do.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(wrong)?.port();
        let address = format!("127.0.0.1:{port}");
        // As root it asks for a user to become; for others it cannot become another.
        for user in [&["-u", "nobody"][..], &[]] {
            let mut command = Command::new(file);
            let out = File::create(&counts).map_err(wrong)?;
            command.args(user).args(["-c", &address, "1000"]).stdin(Stdio::null()).stdout(out).stderr(Stdio::null());
            let child = command.spawn().map_err(wrong)?;
            let mut sink = SmtpSink { child, counts: counts.clone(), port };
            for _ in 0..200 {
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                    return Ok(sink);
                }
                if sink.child.try_wait().map_err(wrong)?.is_some() {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        Err(format!("smtp-sink does not listen on {address}"))
    }

    /// The messages alone: it writes `sess=10 quit=10 mesg=1000` at each, over and over on one line.
    pub(crate) fn report(&self) -> Report {
        let counts = fs::read_to_string(&self.counts).unwrap_or_default();
        let messages = counts.rsplit("mesg=").next().and_then(|rest| rest.trim().parse().ok());
        Report { messages: messages.unwrap_or(0), ..Report::default() }
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
