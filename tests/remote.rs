//! `store.remote = "git"`: runs without a disk, against repositories on this one and a server that remembers what it took. Whatever
//! happens to a run or to the branch, nobody is mailed twice, who may have got nothing is listed, and no address stands in any object.

use crate::support::sink::{Settings, Sink};
use crate::support::site::{NOON, Plan, Ran, Site, copies, end, everyone_once, readers, until_taken};
use postrider::seal;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// When the tenure of a run at noon has passed.
const LATER: &str = "2026-11-23T12:20:00Z";
/// And that of a run then.
const LATER_STILL: &str = "2026-11-23T12:40:00Z";
const BRANCH: &str = "refs/heads/postrider-state";
const WITNESS: &str = "refs/postrider/postrider-state";
/// As many deliveries are in doubt at most.
const CHECKPOINT: usize = 100;

/// A site in a repository, whose `origin` is another one beside it.
struct Blog {
    site: Site,
    sink: Sink,
    readers: Vec<String>,
    /// Holds the origin, the sink's file, and the folder for what the program keeps for a while.
    around: TempDir,
}

impl Blog {
    fn new(count: usize) -> Blog {
        Blog::with(count, |settings| settings)
    }

    fn with(count: usize, sink: impl FnOnce(Settings) -> Settings) -> Blog {
        let around = tempfile::tempdir().unwrap();
        let sink = Sink::here(sink(Settings::in_folder(around.path())));
        let readers = readers(count);
        let site = Site::new(Plan::to(&sink), &readers);
        let blog = Blog { site, sink, readers, around };
        fs::create_dir(blog.temporary()).unwrap();
        blog.configure(&seal::new_key(), "");
        git(&blog.site.path("."), &["init", "--quiet"]);
        git(blog.around.path(), &["init", "--quiet", "--bare", "origin.git"]);
        let address = format!("file://{}", blog.origin().display());
        git(&blog.site.path("."), &["remote", "add", "origin", &address]);
        blog
    }

    /// With a store in the branch, made expressly.
    fn begun(count: usize) -> Blog {
        let blog = Blog::new(count);
        blog.create();
        blog
    }

    fn create(&self) {
        let ran = self.run(NOON, &["store", "create"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }

    fn configure(&self, key: &str, more: &str) {
        self.site.write_config();
        let config = fs::read_to_string(self.site.path("config.toml")).unwrap();
        let before = &config[..config.find("[store]").unwrap()];
        self.site.write("config.toml", &format!("{before}[store]\nremote = \"git\"\nkey = \"{key}\"\n{more}"));
    }

    fn origin(&self) -> PathBuf {
        self.around.path().join("origin.git")
    }

    fn temporary(&self) -> PathBuf {
        self.around.path().join("tmp")
    }

    fn command(&self, now: &str, arguments: &[&str]) -> Command {
        let mut command = self.site.command(now, arguments);
        command.env("TMPDIR", self.temporary()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, now: &str, arguments: &[&str]) -> Ran {
        Ran::from(self.command(now, arguments).output().unwrap())
    }

    /// A run that does what `script` says at its calls of git, which are counted in `$N`; `$GIT` is the real one.
    fn run_with_git(&self, script: &str) -> Ran {
        self.run_with_git_at(NOON, script)
    }

    fn run_with_git_at(&self, now: &str, script: &str) -> Ran {
        let folder = tempfile::tempdir_in(self.around.path()).unwrap();
        let program = folder.path().join("git");
        let own = folder.path().display();
        let text = format!(
            "#!/bin/sh\nGIT={}\nN=$(($(cat {own}/count 2>/dev/null || echo 0) + 1))\necho $N > {own}/count\nWHAT=\"$*\"\n{script}\nexec $GIT \"$@\"\n",
            real_git().display()
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{own}:{}", env::var("PATH").unwrap());
        Ran::from(self.command(now, &["run", "--quiet"]).env("PATH", path).output().unwrap())
    }

    fn at(&self, name: &str) -> Option<String> {
        let said = git(&self.origin(), &["for-each-ref", "--format=%(objectname)", name]);
        (!said.is_empty()).then_some(said)
    }

    fn set(&self, name: &str, commit: &str) {
        git(&self.origin(), &["update-ref", name, commit]);
    }

    fn held(&self, now: &str) -> BTreeSet<String> {
        let ran = self.run(now, &["status", "--json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let status: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let held = status["held"].as_array().unwrap().iter();
        held.map(|row| row["address"].as_str().unwrap().to_owned()).collect()
    }

    /// Nobody got two; who got none is held; and no more are held than one checkpoint had.
    #[track_caller]
    fn nobody_twice_nobody_lost(&self, now: &str, what: &str) -> BTreeSet<String> {
        let copies = copies(&self.sink.accepted());
        let twice: Vec<_> = copies.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "{what}: twice: {twice:?}");
        let held = self.held(now);
        assert!(held.len() <= CHECKPOINT, "{what}: {} are held", held.len());
        let lost: Vec<_> = self.readers.iter().filter(|to| !copies.contains_key(*to) && !held.contains(*to)).collect();
        assert!(lost.is_empty(), "{what}: neither mailed nor listed: {lost:?}");
        held
    }

    #[track_caller]
    fn refuses(&self, now: &str, words: &str) {
        let before = self.sink.taken();
        let ran = self.run(now, &["run", "--quiet"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains(words), "{words:?} is not in {ran:?}");
        assert_eq!(self.sink.taken(), before, "something was sent");
    }
}

fn real_git() -> PathBuf {
    let path = env::var_os("PATH").unwrap();
    env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file()).expect("git is installed")
}

#[track_caller]
fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().expect("git is installed");
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn the_branch_keeps_the_store_and_this_machine_nothing() {
    let blog = Blog::begun(120);
    let (checkout, config) = (blog.site.path(".git"), blog.site.path("config.toml"));
    let before = [fs::read(checkout.join("HEAD")).unwrap(), fs::read(config).unwrap()];
    for _ in 0..2 {
        let ran = blog.run(NOON, &["run", "--quiet"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
        everyone_once(&blog.sink, &blog.readers);
    }
    assert!(blog.held(NOON).is_empty());
    let status = blog.run(NOON, &["status"]);
    assert!(status.out.contains("120 recipients: 120 accepted"), "{status:?}");
    // One commit without parents, by both names.
    assert_eq!(blog.at(BRANCH), blog.at(WITNESS));
    assert_eq!(git(&blog.origin(), &["rev-list", "--count", BRANCH]), "1");
    assert_eq!(git(&blog.origin(), &["ls-tree", "--name-only", BRANCH]), "store.age");
    // Nothing is left here, and nothing of the checkout was touched.
    assert_eq!(fs::read_dir(blog.temporary()).unwrap().count(), 0);
    assert!(!blog.site.path("postrider.db").exists());
    assert_eq!(git(&blog.site.path("."), &["for-each-ref"]), "");
    assert!(!checkout.join("FETCH_HEAD").exists() && !checkout.join("index").exists());
    assert_eq!(git(&checkout, &["count-objects"]), "0 objects, 0 kilobytes");
    assert_eq!(before[0], fs::read(checkout.join("HEAD")).unwrap());
}

/// What all of them have in hand together is what may be in doubt, and each push is of many.
#[test]
fn several_relays_share_a_checkpoint() {
    let blog = Blog::begun(250);
    let config = fs::read_to_string(blog.site.path("config.toml")).unwrap();
    let transport = format!("transport = \"smtp://127.0.0.1:{}\"\n", blog.sink.port());
    let relay = |name: &str| format!("[[relay]]\nname = \"{name}\"\n{transport}\n");
    let relays = format!("{}{}[store]", relay("a"), relay("b"));
    blog.site.write("config.toml", &config.replacen(&transport, "", 1).replacen("[store]", &relays, 1));
    let pushes = blog.around.path().join("pushes");
    let ran = blog.run_with_git(&format!("case \"$WHAT\" in *push*) echo x >> {};; esac", pushes.display()));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    everyone_once(&blog.sink, &blog.readers);
    // Five of fifty each, and the first and the last; what is under way when one is made makes it smaller.
    let pushes = fs::read_to_string(pushes).unwrap().lines().count();
    assert!((7..=12).contains(&pushes), "{pushes}");
}

/// The way to the remote is that of the checkout, also where it is written into a file that its configuration includes for itself alone,
/// as GitHub's checkout does with its token.
#[test]
fn the_remote_is_reached_as_the_checkout_reaches_it() {
    let blog = Blog::new(3);
    let (ssh, included) = (blog.around.path().join("ssh"), blog.around.path().join("included"));
    fs::write(&ssh, "#!/bin/sh\nshift\nexec sh -c \"$*\"\n").unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&included, format!("[core]\n\tsshCommand = {}\n[ssh]\n\tvariant = simple\n", ssh.display())).unwrap();
    let checkout = blog.site.path(".git").canonicalize().unwrap();
    let condition = format!("includeIf.gitdir:{}.path", checkout.display());
    git(&checkout, &["config", &condition, &included.to_string_lossy()]);
    let address = format!("ssh://git:hunter2@host.invalid{}", blog.origin().display());
    git(&checkout, &["remote", "set-url", "origin", &address]);
    blog.create();
    assert_eq!(blog.run(NOON, &["run", "--quiet"]).code, Some(0));
    everyone_once(&blog.sink, &blog.readers);
    fs::remove_file(ssh).unwrap();
    let ran = blog.run(NOON, &["run", "--quiet"]);
    assert!(ran.code == Some(1) && ran.err.contains("cannot be fetched") && !ran.err.contains("hunter2"), "{ran:?}");
}

#[test]
fn no_object_holds_an_address() {
    let blog = Blog::begun(30);
    assert_eq!(blog.run(NOON, &["run", "--quiet"]).code, Some(0));
    assert_eq!(blog.run(NOON, &["subscribers", "add", "ada@example.net"]).code, Some(0));
    // All that ever was pushed, unpacked: what a clone could get hold of, and what it could not.
    let every = ["cat-file", "--batch-all-objects", "--unordered", "--batch"];
    let output = Command::new("git").arg("-C").arg(blog.origin()).args(every).output().unwrap();
    assert!(output.stdout.len() > 64 * 1024 && output.status.success());
    for word in ["sink.test", "example.net", "ada", "SQLite", "Herons"] {
        let found = output.stdout.windows(word.len()).any(|part| part == word.as_bytes());
        // Of what is random three letters may come by themselves.
        assert!(!found || word.len() < 4, "{word} stands in an object");
    }
    // And yet it is all there.
    let list = blog.run(NOON, &["subscribers", "list"]);
    assert!(list.out.contains("ada@example.net") && list.out.contains("ok-29@sink.test"), "{list:?}");
}

#[test]
fn without_a_store_nothing_begins_unless_it_is_said() {
    let blog = Blog::new(3);
    blog.refuses(NOON, "there is no store in the branch postrider-state at");
    blog.create();
    let again = blog.run(NOON, &["store", "create"]);
    assert!(again.code == Some(1) && again.err.contains("there is a store already"), "{again:?}");
    assert_eq!(blog.run(NOON, &["run", "--quiet"]).code, Some(0));
    everyone_once(&blog.sink, &blog.readers);
}

#[test]
fn of_twenty_runs_at_once_one_sends() {
    let blog = Blog::begun(150);
    let runs: Vec<_> = (0..20).map(|_| blog.command(NOON, &["run", "--quiet"]).spawn().unwrap()).collect();
    let ended: Vec<Ran> = runs.into_iter().map(end).collect();
    everyone_once(&blog.sink, &blog.readers);
    let (done, others): (Vec<_>, Vec<_>) = ended.iter().partition(|ran| ran.code == Some(0));
    assert!(!done.is_empty() && !others.is_empty(), "{ended:?}");
    for ran in others {
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains("another run ") && ran.err.contains("nothing was done"), "{ran:?}");
    }
    assert!(blog.held(NOON).is_empty());
}

/// Calls 1 to 8 fetch; 9 to 12 take the store; then each four are a push.
#[test]
fn killed_in_any_phase_a_run_leaves_one_checkpoint_in_doubt() {
    let (before, after) = ("kill -9 $PPID; exit 1", "$GIT \"$@\"; kill -9 $PPID; exit 1");
    let phases = [
        ("before it has the store", 12, before, 0..=0),
        ("as it has it", 12, after, 0..=0),
        ("before the first checkpoint", 16, before, 0..=0),
        ("at the first checkpoint", 16, after, CHECKPOINT..=CHECKPOINT),
        ("before the second checkpoint", 20, before, CHECKPOINT..=CHECKPOINT),
        // With those that the connections still had in hand as it was made.
        ("at the second checkpoint", 20, after, 40..=48),
        ("before the end", 24, before, 40..=48),
        ("at the end", 24, after, 0..=0),
    ];
    for (what, call, how, doubtful) in phases {
        let blog = Blog::begun(140);
        let ran = blog.run_with_git(&format!("if [ $N = {call} ]; then {how}; fi"));
        assert_eq!(ran.code, None, "{what}: {ran:?}");
        let next = blog.run(LATER, &["run", "--quiet"]);
        assert_eq!(next.code, Some(0), "{what}: {next:?}");
        let held = blog.nobody_twice_nobody_lost(LATER, what);
        assert!(doubtful.contains(&held.len()), "{what}: {}", held.len());
    }
}

#[test]
fn killed_while_it_sends_it_leaves_what_it_had_in_hand() {
    let blog = Blog::with(250, |settings| Settings { latency: 5, ..settings });
    blog.create();
    let mut run = blog.command(NOON, &["run", "--quiet"]).spawn().unwrap();
    assert!(until_taken(&blog.sink, 130, &mut run));
    run.kill().unwrap();
    end(run);
    // Nobody disturbs it as long as it may live; who only looks sees that.
    blog.refuses(NOON, "another run has the store");
    let status = blog.run(NOON, &["status"]);
    assert!(status.err.contains("what it did since its last push is not seen here"), "{status:?}");
    assert!(blog.held(NOON).is_empty());
    let here = || fs::read_dir(blog.temporary()).unwrap().count();
    assert_eq!(here(), 0, "what it left on this machine is cleared away by the next here");
    assert_eq!(blog.run(LATER, &["run", "--quiet"]).code, Some(0));
    let held = blog.nobody_twice_nobody_lost(LATER, "killed while sending");
    let one = held.first().expect("it was killed with something in hand");
    let why = blog.run(LATER, &["why", one]);
    assert!(why.out.contains("did not say what became of it"), "{why:?}");
}

#[test]
fn who_is_taken_for_dead_stops() {
    let blog = Blog::begun(250);
    // Another one comes while the second checkpoint is made ready.
    let other = format!("{} run --quiet --now {LATER}", env!("CARGO_BIN_EXE_postrider"));
    let path = env::var("PATH").unwrap();
    let script =
        format!("if [ $N = 17 ]; then PATH='{path}' {other} </dev/null >/dev/null 2>other; echo $? >ended; fi");
    let ran = blog.run_with_git(&script);
    assert_eq!(fs::read_to_string(blog.site.path("ended")).unwrap(), "0\n");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("was moved by somebody else, and this run has stopped"), "{ran:?}");
    blog.nobody_twice_nobody_lost(LATER, "taken over");
}

#[test]
fn a_clock_that_was_ahead_bars_nobody() {
    let blog = Blog::begun(3);
    let killed =
        blog.run_with_git_at("2027-11-23T12:00:00Z", "if [ $N = 12 ]; then $GIT \"$@\"; kill -9 $PPID; exit 1; fi");
    assert_eq!(killed.code, None, "{killed:?}");
    assert_eq!(blog.run(NOON, &["run", "--quiet"]).code, Some(0));
    everyone_once(&blog.sink, &blog.readers);
}

#[test]
fn a_run_that_cannot_push_sends_no_more() {
    let blog = Blog::begun(150);
    // From the second checkpoint on.
    let ran = blog.run_with_git(
        "case \"$WHAT\" in *push*|*ls-remote*) if [ $N -ge 20 ]; then echo 'no route to host' >&2; exit 128; fi;; esac",
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("cannot be pushed") && ran.err.contains("no route to host"), "{ran:?}");
    assert_eq!(blog.sink.taken(), CHECKPOINT);
    assert_eq!(blog.run(LATER, &["run", "--quiet"]).code, Some(0));
    assert_eq!(blog.nobody_twice_nobody_lost(LATER, "no network").len(), CHECKPOINT);
}

#[test]
fn a_mail_leaves_the_inbox_only_when_its_effect_is_pushed() {
    let blog = Blog::begun(3);
    let config = fs::read_to_string(blog.site.path("config.toml")).unwrap();
    blog.site.write("config.toml", &format!("{config}[inbox]\nsource = \"maildir:inbox\"\n"));
    for folder in ["cur", "new", "tmp"] {
        fs::create_dir_all(blog.site.path("inbox").join(folder)).unwrap();
    }
    blog.site.write("inbox/new/1.eml", "From: ok-1@sink.test\nTo: news@example.org\nSubject: hello\n\nHello.\n");
    let lies_there =
        || ["new", "cur"].iter().any(|f| fs::read_dir(blog.site.path("inbox").join(f)).unwrap().count() > 0);
    let ran = blog.run_with_git("case \"$WHAT\" in *push\\ --quiet*) if [ $N -gt 12 ]; then exit 128; fi;; esac");
    assert!(ran.code == Some(1) && lies_there(), "{ran:?}");
    assert_eq!(blog.sink.taken(), 0);
    let ran = blog.run(LATER, &["run", "--quiet"]);
    assert!(ran.code == Some(0) && !lies_there(), "{ran:?}");
    blog.nobody_twice_nobody_lost(LATER, "inbox");
}

#[test]
fn a_push_whose_answer_is_lost_is_asked_about() {
    let blog = Blog::begun(150);
    let ran = blog.run_with_git("case \"$WHAT\" in *push\\ --quiet*) $GIT \"$@\"; exit 128;; esac");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    everyone_once(&blog.sink, &blog.readers);
    assert!(blog.held(NOON).is_empty());
}

#[test]
fn a_moment_without_network_is_waited_for() {
    let blog = Blog::begun(30);
    let ran = blog.run_with_git("if [ $N = 16 ]; then exit 128; fi");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    everyone_once(&blog.sink, &blog.readers);
}

#[test]
fn without_network_nothing_is_done() {
    let blog = Blog::begun(3);
    fs::rename(blog.origin(), blog.around.path().join("away")).unwrap();
    blog.refuses(NOON, "cannot be fetched");
}

#[test]
fn a_branch_set_back_or_deleted_is_no_store() {
    let blog = Blog::begun(3);
    let old = blog.at(BRANCH).unwrap();
    assert_eq!(blog.run(LATER, &["run", "--quiet"]).code, Some(0));
    let new = blog.at(BRANCH).unwrap();
    // Which of the two it was, the times say, and no advice must bring the older one back.
    let advice = format!("belongs in both: `git push --force origin NEWER:{BRANCH} NEWER:{WITNESS}`");
    blog.set(WITNESS, &old);
    blog.refuses(LATER, &advice);
    blog.set(WITNESS, &new);
    blog.set(BRANCH, &old);
    blog.refuses(LATER, &advice);
    git(&blog.site.path("."), &["fetch", "--quiet", "origin", BRANCH, WITNESS]);
    let written = git(&blog.site.path("."), &["show", "-s", "--format=%ct", &old, &new]);
    let times: Vec<i64> = written.lines().map(|line| line.parse().unwrap()).collect();
    assert!(times[0] < times[1], "{written}");
    git(&blog.origin(), &["update-ref", "-d", BRANCH]);
    blog.refuses(LATER, &format!("git push --force origin {new}:{BRANCH}"));
    // Not even where a first run is allowed.
    let config = fs::read_to_string(blog.site.path("config.toml")).unwrap();
    blog.site.write("config.toml", &format!("{config}must_exist = false\n"));
    blog.refuses(LATER, "was moved or deleted by somebody else");
    // What the sentence advises.
    git(&blog.site.path("."), &["fetch", "--quiet", "origin", WITNESS]);
    git(&blog.site.path("."), &["push", "--quiet", "--force", "origin", &format!("{new}:{BRANCH}")]);
    assert_eq!(blog.run(LATER, &["run", "--quiet"]).code, Some(0));
    everyone_once(&blog.sink, &blog.readers);
}

#[test]
fn a_branch_that_is_moved_in_mid_run_ends_it() {
    let blog = Blog::begun(250);
    let old = blog.at(BRANCH).unwrap();
    // After the first checkpoint.
    let ran = blog.run_with_git(&format!(
        "if [ $N = 17 ]; then GIT_DIR={} $GIT update-ref {BRANCH} {old}; fi",
        blog.origin().display()
    ));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("was moved by somebody else"), "{ran:?}");
    assert_eq!(blog.sink.taken(), CHECKPOINT);
    blog.refuses(LATER, "was moved or deleted by somebody else");
}

#[test]
fn another_key_opens_nothing() {
    let blog = Blog::begun(3);
    blog.configure(&seal::new_key(), "");
    blog.refuses(NOON, "is sealed for another key than store.key");
    blog.configure("${NO_SUCH_KEY}", "");
    blog.refuses(NOON, "store.key holds ${NO_SUCH_KEY}, and the environment has no NO_SUCH_KEY");
    blog.configure("AGE-SECRET-KEY-1", "");
    blog.refuses(NOON, "store.key is none of age's");
}

#[test]
fn a_truncated_store_is_damaged() {
    let blog = Blog::begun(3);
    let origin = blog.origin();
    let path = origin.join("sealed");
    let mut show = Command::new("git");
    show.arg("-C").arg(&origin).args(["cat-file", "blob", &format!("{BRANCH}:store.age")]);
    let sealed = show.output().unwrap().stdout;
    fs::write(&path, &sealed[..sealed.len() - 1]).unwrap();
    let blob = git(&origin, &["hash-object", "-w", "sealed"]);
    fs::write(&path, format!("100644 blob {blob}\tstore.age\n")).unwrap();
    let made = Command::new("git").arg("-C").arg(&origin).arg("mktree").stdin(fs::File::open(&path).unwrap()).output();
    let tree = String::from_utf8(made.unwrap().stdout).unwrap();
    let who = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
    let commit = git(&origin, &[&who[..], &["commit-tree", "-m", "x", tree.trim()]].concat());
    blog.set(BRANCH, &commit);
    blog.set(WITNESS, &commit);
    blog.refuses(NOON, "is damaged");
    // And an object of git's own.
    let file = origin.join("objects").join(&blob[..2]).join(&blob[2..]);
    let bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    blog.refuses(NOON, "cannot be fetched");
}

#[test]
fn a_person_s_commands_change_the_branch_but_no_run_s_store() {
    let blog = Blog::with(250, |settings| Settings { latency: 5, ..settings });
    blog.create();
    let mut run = blog.command(NOON, &["run", "--quiet"]).spawn().unwrap();
    assert!(until_taken(&blog.sink, 10, &mut run));
    let add = blog.run(NOON, &["subscribers", "add", "ada@example.net"]);
    assert!(add.code == Some(1) && add.err.contains("another run has the store"), "{add:?}");
    assert_eq!(end(run).code, Some(0));
    everyone_once(&blog.sink, &blog.readers);
    assert_eq!(blog.run(NOON, &["subscribers", "remove", "ok-1@sink.test"]).code, Some(0));
    let list = blog.run(NOON, &["subscribers", "list"]);
    assert!(
        list.out.lines().any(|line| line.starts_with("ok-1@sink.test") && line.contains("unsubscribed")),
        "{list:?}"
    );
    for command in [&["serve"][..], &["work"], &["status", "--watch"]] {
        let ran = blog.run(NOON, command);
        assert!(ran.code == Some(1) && ran.err.contains("store.remote is for runs that come and go"), "{ran:?}");
    }
}

#[test]
fn a_store_moves_into_the_branch_as_a_backup() {
    let blog = Blog::new(3);
    let mut ran = blog.site.command(NOON, &["run", "--quiet"]);
    blog.site.write_config();
    assert!(ran.status().unwrap().success());
    everyone_once(&blog.sink, &blog.readers);
    blog.configure(&seal::new_key(), "");
    let restored = blog.run(LATER, &["store", "restore", "postrider.db"]);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert_eq!(blog.run(LATER_STILL, &["run", "--quiet"]).code, Some(0));
    everyone_once(&blog.sink, &blog.readers);
    let status = blog.run(LATER_STILL, &["status"]);
    assert!(status.out.contains("3 accepted"), "{status:?}");
}

#[test]
fn a_file_s_first_store_is_made_expressly_too() {
    let blog = Blog::new(3);
    let site = Site::new(Plan { must_exist: true, ..Plan::to(&blog.sink) }, &blog.readers);
    let missing = site.go(&["run", "--quiet"]);
    assert!(missing.code == Some(1) && missing.err.contains("there is no store at"), "{missing:?}");
    assert_eq!(site.go(&["store", "create"]).code, Some(0));
    assert_eq!(site.go(&["run", "--quiet"]).code, Some(0));
    everyone_once(&blog.sink, &blog.readers);
    let again = site.go(&["store", "create"]);
    assert!(again.code == Some(1) && again.err.contains("there is a store already"), "{again:?}");
}
