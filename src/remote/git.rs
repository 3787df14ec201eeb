//! The `git` command, in a folder of its own: it reads how a checkout reaches its remote (address, credentials, SSH command), and
//! touches nothing there, neither index nor branches nor working tree.
//!
//! Two refs hold one commit without parents, whose one file is the sealed store: the branch, and a witness beside it that no
//! branch's button deletes. Both move in one push or not at all, and only from where they were thought to be. Where they differ,
//! somebody else has moved or deleted the branch.

use std::env;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// The one file.
const FILE: &str = "store.age";
/// Where the branch is in our own repository.
const FETCHED: &str = "refs/fetched";
/// The remote of the checkout.
const REMOTE: &str = "origin";
/// How long one command may take: a slow line, and a store of a hundred megabytes.
const LIMIT: Duration = Duration::from_secs(120);
/// How often a running command is asked whether it is done.
const POLL: Duration = Duration::from_millis(5);
/// What of the checkout's own configuration says how the remote is reached.
const REACH: &[&str] =
    &["http.", "credential.", "url.", "core.sshcommand", "core.askpass", "ssh.", "protocol.", "safe."];
/// What we set ourselves: no hooks, no tidying of a folder that is soon gone; and what is sealed gets no smaller.
const OWN: &[(&str, &str)] =
    &[("core.hooksPath", "/dev/null"), ("gc.auto", "0"), ("maintenance.auto", "false"), ("core.compression", "0")];
/// Names of the environment that would lead git elsewhere, as `git rev-parse --local-env-vars` lists them, and its hooks' leftovers.
const ASTRAY: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_CONFIG",
    "GIT_QUARANTINE_PATH",
];

/// How many settings the environment holds.
const COUNT: &str = "GIT_CONFIG_COUNT";

/// A commit's name; none where there is no commit.
pub(super) type Commit = Option<String>;

/// Git, with the way to one branch of one remote.
pub(super) struct Git {
    /// Bare, and ours alone.
    folder: PathBuf,
    address: String,
    branch: String,
    witness: String,
    /// How the remote is reached, as names and values of a configuration.
    reach: Vec<(String, String)>,
}

/// Where the two refs are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) branch: Commit,
    pub(super) witness: Commit,
}

/// What came of a push.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// Both refs are there now.
    Done,
    /// They are elsewhere than was thought: at this commit.
    Elsewhere(Seen),
}

/// Where a command runs.
enum At<'a> {
    /// In somebody's checkout, which is only read.
    Checkout(&'a Path),
    Ours,
}

impl Git {
    /// Reads how the checkout around `checkout` reaches its `origin`, and makes a repository in `folder`.
    pub(super) fn open(checkout: &Path, folder: &Path, branch: &str) -> Result<Git, String> {
        let mut git = Git {
            folder: folder.to_owned(),
            address: String::new(),
            branch: format!("refs/heads/{branch}"),
            witness: format!("refs/postrider/{branch}"),
            reach: Vec::new(),
        };
        let at = At::Checkout(checkout);
        git.address = git.text(&at, &["remote", "get-url", "--push", REMOTE], &[])?;
        let own = git.run(&at, &["config", "--local", "--includes", "--null", "--list"], &[])?;
        let own = String::from_utf8_lossy(&own);
        let settings = own.split('\0').filter_map(|setting| setting.split_once('\n'));
        let of_reach = settings.filter(|(name, _)| REACH.iter().any(|prefix| name.starts_with(prefix)));
        git.reach = of_reach.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        git.reach.extend(OWN.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        // An address like ../blog.git is meant from the checkout.
        if !git.address.contains(':') && !git.address.starts_with('/') {
            let top = git.text(&at, &["rev-parse", "--show-toplevel"], &[])?;
            git.address = Path::new(&top).join(&git.address).to_string_lossy().into_owned();
        }
        let format = format!("--object-format={}", git.text(&at, &["rev-parse", "--show-object-format"], &[])?);
        let made = folder.to_string_lossy();
        git.run(&At::Checkout(Path::new("/")), &["init", "--quiet", "--bare", "--template=", &format, &made], &[])?;
        Ok(git)
    }

    /// Where the two refs are now.
    pub(super) fn look(&self) -> Result<Seen, String> {
        let listed = self.text(&At::Ours, &["ls-remote", &self.address, &self.branch, &self.witness], &[])?;
        let at = |wanted: &str| {
            let lines = listed.lines().filter_map(|line| line.split_once('\t'));
            lines.into_iter().find(|(_, name)| *name == wanted).map(|(commit, _)| commit.to_owned())
        };
        Ok(Seen { branch: at(&self.branch), witness: at(&self.witness) })
    }

    /// Brings what a commit holds that the branch was seen at; none where the branch has moved since then.
    pub(super) fn fetch(&self, commit: &str) -> Result<Option<Vec<u8>>, String> {
        let to = format!("+{}:{FETCHED}", self.branch);
        self.run(&At::Ours, &["fetch", "--quiet", "--no-tags", "--depth=1", &self.address, &to], &[])?;
        if self.text(&At::Ours, &["rev-parse", "--verify", FETCHED], &[])? != commit {
            return Ok(None);
        }
        self.run(&At::Ours, &["cat-file", "blob", &format!("{commit}:{FILE}")], &[]).map(Some)
    }

    /// Makes a commit of these bytes, without parents. `at`: seconds since 1970.
    pub(super) fn commit(&self, bytes: &[u8], at: i64) -> Result<String, String> {
        let blob = self.text(&At::Ours, &["hash-object", "-w", "--stdin"], bytes)?;
        let tree = self.text(&At::Ours, &["mktree"], format!("100644 blob {blob}\t{FILE}\n").as_bytes())?;
        let message = "The store of Postrider, sealed\n\nEach state replaces the last: this branch has one commit.\n";
        let date = format!("{at} +0000");
        let who = [("NAME", "Postrider"), ("EMAIL", "postrider@localhost"), ("DATE", date.as_str())];
        let names = who.iter().flat_map(|(what, value)| {
            ["AUTHOR", "COMMITTER"].map(|role| (format!("GIT_{role}_{what}"), (*value).to_owned()))
        });
        let mut command = self.command(&At::Ours, &["commit-tree", &tree]);
        let said = run(command.envs(names), message.as_bytes()).map_err(|why| self.sentence("commit-tree", &why))?;
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    }

    /// Moves both refs to a commit, if they are at `from`: compare and swap. Where the answer is lost, the remote is asked what
    /// became of it.
    pub(super) fn push(&self, commit: &str, from: &Commit) -> Result<Pushed, String> {
        let was = from.as_deref().unwrap_or_default();
        let leases = [&self.branch, &self.witness].map(|name| format!("--force-with-lease={name}:{was}"));
        let moves = [&self.branch, &self.witness].map(|name| format!("{commit}:{name}"));
        let arguments =
            ["push", "--quiet", "--atomic", "--no-verify", &leases[0], &leases[1], &self.address, &moves[0], &moves[1]];
        let Err(why) = self.run(&At::Ours, &arguments, &[]) else { return Ok(Pushed::Done) };
        let seen = self.look()?;
        match (&seen.branch, &seen.witness) {
            (Some(branch), Some(witness)) if branch == commit && witness == commit => Ok(Pushed::Done),
            // Nobody has moved them: the remote did not want it, or did not get it.
            (branch, witness) if branch == from && witness == from => Err(why),
            _ => Ok(Pushed::Elsewhere(seen)),
        }
    }

    /// For people: without what an address may hold of a password.
    pub(super) fn shown(&self) -> String {
        let branch = self.branch.trim_start_matches("refs/heads/");
        let address = url::Url::parse(&self.address).ok().and_then(|url| {
            let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
            Some(format!("{host}{}", url.path()))
        });
        format!("{branch} at {}", address.as_deref().unwrap_or(&self.address))
    }

    /// The commands by which a person mends refs that differ.
    pub(super) fn mend(&self, seen: &Seen) -> String {
        let Git { branch, witness, .. } = self;
        match (&seen.branch, &seen.witness) {
            (Some(branch_at), Some(witness_at)) => format!(
                "one of the two was set back. `git fetch {REMOTE} {branch} {witness}`, then `git show -s --format='%H %ci' {branch_at} {witness_at}` says when each was written; that which is newer, NEWER, belongs in both: `git push --force {REMOTE} NEWER:{branch} NEWER:{witness}`"
            ),
            (None, Some(commit)) => format!(
                "`git fetch {REMOTE} {witness} && git push --force {REMOTE} {commit}:{branch}` brings back what Postrider left there"
            ),
            _ => format!(
                "if the branch is the one that Postrider left there: `git push {REMOTE} {REMOTE}/{0}:{witness}`",
                branch.trim_start_matches("refs/heads/")
            ),
        }
    }

    fn text(&self, at: &At<'_>, arguments: &[&str], input: &[u8]) -> Result<String, String> {
        Ok(String::from_utf8_lossy(&self.run(at, arguments, input)?).trim().to_owned())
    }

    fn run(&self, at: &At<'_>, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let what = arguments.first().copied().unwrap_or_default();
        run(&mut self.command(at, arguments), input).map_err(|why| self.sentence(what, &why))
    }

    fn sentence(&self, what: &str, why: &str) -> String {
        // Git repeats the address, which may hold a password.
        let why = if self.address.contains('@') { why.replace(&self.address, REMOTE) } else { why.to_owned() };
        format!("`git {what}` {why}")
    }

    fn command(&self, at: &At<'_>, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        for name in ASTRAY {
            command.env_remove(name);
        }
        // What it says is for people and for the log; what it decides we read from its exit code and from refs.
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
        match at {
            At::Checkout(folder) => {
                command.arg("-C").arg(folder);
            }
            At::Ours => {
                command.arg("-C").arg(&self.folder).env("GIT_DIR", &self.folder);
                // By the environment, since some of it is secret and others can read a command line.
                let before: usize = env::var(COUNT).ok().and_then(|count| count.parse().ok()).unwrap_or(0);
                command.env(COUNT, (before + self.reach.len()).to_string());
                for (at, (name, value)) in (before..).zip(&self.reach) {
                    command.env(format!("GIT_CONFIG_KEY_{at}"), name).env(format!("GIT_CONFIG_VALUE_{at}"), value);
                }
            }
        }
        // A group of its own: a terminal's Ctrl-C is for us to hear, not for a push under way.
        command.args(arguments).process_group(0);
        command
    }
}

/// What it printed; else how it failed, with the last of its complaints.
fn run(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|why| match why.kind() {
        std::io::ErrorKind::NotFound => "is not there\n  help: install git".to_owned(),
        _ => format!("cannot be run: {why}"),
    })?;
    let (out, err) = (listen(child.stdout.take()), listen(child.stderr.take()));
    let fed = thread::scope(|scope| {
        let pipe = child.stdin.take();
        scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(input)));
        wait(&mut child)
    });
    let Some(success) = fed.map_err(|why| format!("is lost: {why}"))? else {
        return Err(format!("did not end within {} s", LIMIT.as_secs()));
    };
    let read = |heard: Receiver<Vec<u8>>| heard.recv_timeout(LIMIT).unwrap_or_default();
    match success {
        true => Ok(read(out)),
        false => {
            let words = read(err);
            let words = String::from_utf8_lossy(&words);
            let lines = words.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("hint:"));
            let said: Vec<&str> = lines.take(4).collect();
            Err(format!("failed: {}", said.join("; ")))
        }
    }
}

/// Reads beside the work, so that a talkative command does not block.
fn listen(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (tell, told) = sync_channel(1);
    if let Some(mut pipe) = pipe {
        thread::spawn(move || {
            let mut said = Vec::new();
            // Half an answer is none: who reads it looks at the exit code, and opens what is sealed whole or not at all.
            let _ = pipe.read_to_end(&mut said);
            let _ = tell.send(said);
        });
    }
    told
}

/// Waits for the end, kills at the limit; none where it had to.
fn wait(child: &mut Child) -> std::io::Result<Option<bool>> {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if waited >= LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
        waited += POLL;
    }
}
