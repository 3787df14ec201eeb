//! A store without a disk: a branch of the repository that holds the configuration keeps it, sealed. For runs that come and go, as in CI.
//!
//! # What is there
//!
//! The branch has one commit without parents, whose one file is the SQLite store: packed (`VACUUM`, gzip), filled up so that its size
//! tells little, and sealed ([`crate::seal`]). A push replaces the commit, so history does not grow; and it is a compare-and-swap: it
//! happens only where the branch still is where this run last saw it. A second ref, the witness, moves in the same push (`git.rs`). A
//! branch that was deleted or set back by somebody differs from it, and is an error: an unreadable state is never a first run (P6), and
//! an older one would mail again.
//!
//! # What a run does
//!
//! 1. *Fetch*: the store comes into a folder of this process's own, gone with it. A missing branch, another key, a damaged
//!    file, no network: nothing is done.
//! 2. *Take*: it writes into the store that it has it ([`Tenure`]), and pushes. Of any number of runs that begin at once one wins;
//!    the others have done nothing yet, and end. So does a run that finds another one's tenure.
//! 3. *Checkpoint*: before anything of it is begun, what is claimed (100 deliveries at most) is pushed, as claimed: that is the
//!    intent (P2). With it go the outcomes of the checkpoint before. Where a push fails, nothing of its checkpoint was begun, and nothing
//!    more is sent. Mails of the inbox are moved away only after a push, too.
//! 4. *Give back*: the last outcomes are pushed, and nobody has the store.
//!
//! # What can happen
//!
//! A run that dies leaves what it claimed last in the branch. The next run after its tenure holds those deliveries: they may have been
//! sent or not, are not sent again, and are listed by address. A run whose tenure has passed though it lives (a clock that is wrong, a
//! machine that slept) is taken for dead: its next push is refused, it stops, and the other one holds what it had. So tenure spares people
//! trouble, and the compare-and-swap alone keeps the promise; no clock is trusted with it. A push whose answer was lost is not
//! guessed about: the remote is asked where the refs are.

mod git;
mod workplace;

use crate::clock::Clock;
use crate::random::Random;
use crate::seal::{self, Keys};
use crate::store::checkpoint::Tenure;
use crate::store::{Error, Mode, Place, Store};
use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};
use git::{Commit, Git, Pushed, Seen};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use workplace::Workplace;

/// How many deliveries are in doubt at most when a run dies.
pub const CHECKPOINT: i64 = 100;
/// How long a run that says nothing more is left alone.
const TENURE: TimeDelta = TimeDelta::minutes(15);
/// How often a run that has it says so at least.
pub const RENEWAL: TimeDelta = TimeDelta::minutes(4);
/// Pauses before the tries of a push. A run that cannot push ends, so a moment without network is worth waiting for.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(4)];
/// A branch that moves while it is fetched is looked at again so often.
const LOOKS: usize = 5;

/// The store of a branch, on this machine for as long as this process needs it.
pub struct Remote {
    folder: Workplace,
    place: Place,
    git: Git,
    keys: Keys,
    run: String,
    clock: Clock,
    course: Mutex<Course>,
}

/// How far this run is.
#[derive(Default)]
struct Course {
    /// Where both refs are, as far as we know.
    base: Commit,
    /// Commits of ours of which nobody knows whether they arrived.
    offered: Vec<String>,
    /// When it was pushed last, while we have it.
    pushed: Option<DateTime<Utc>>,
    /// Whether somebody else has taken over.
    lost: bool,
}

impl Remote {
    /// Fetches the store of `branch`, if there is one, by the `origin` of the repository around `checkout`.
    ///
    /// # Errors
    /// Whatever is not the store, whole and of one of these keys, or certainly none.
    pub fn fetch(checkout: &Path, branch: &str, keys: Keys, random: &Random, clock: Clock) -> Result<Remote, Error> {
        let run = random.id();
        let folder = Workplace::make(&run).map_err(Error::Unavailable)?;
        let git = Git::open(checkout, &folder.path().join("git"), branch).map_err(|why| {
            Error::Unavailable(format!(
                "store.remote: {why}\n  help: the configuration must lie in a git repository that has an `origin`"
            ))
        })?;
        let place = Place::File(folder.path().join("store.db"));
        let remote = Remote { folder, place, git, keys, run, clock, course: Mutex::default() };
        let base = remote.bring()?;
        remote.course().base = base;
        Ok(remote)
    }

    /// Where the store is on this machine.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// An error where the branch has none.
    pub fn must_exist(&self) -> Result<(), Error> {
        match self.course().base {
            Some(_) => Ok(()),
            None => Err(Error::Unavailable(format!(
                "there is no store in the branch {}: nothing was done, since without it nobody knows who got what\n  help: if there was one, bring the branch back; for the first one `postrider store create`",
                self.git.shown()
            ))),
        }
    }

    /// For who only looks: what a run that is gone had in hand is held, as the next run will hold it. Of one that may live it is said
    /// that more may have been sent than is seen.
    pub fn look(&self, store: &Store) -> Result<(), Error> {
        let now = self.clock.now();
        let Some(tenure) = self.another(store, now)? else { return store.hold_checkpoint(now).map(drop) };
        tracing::warn!(
            "another run has the store in the branch {} (should it have died, until {}): what it did since its last push is not seen here",
            self.git.shown(),
            tenure.until.format("%H:%M:%S UTC")
        );
        Ok(())
    }

    /// Takes the store: from here on until [`Remote::give_back`] no other run does anything.
    ///
    /// # Errors
    /// [`Error::Conflict`]: somebody else has it, or was faster.
    pub fn take(&self, store: &Store) -> Result<(), Error> {
        if self.course().pushed.is_some() {
            return Ok(());
        }
        let now = self.clock.now();
        if let Some(tenure) = self.another(store, now)? {
            return Err(Error::Conflict(format!(
                "another run has the store in the branch {}, and nothing was done\n  help: let it end, then run again; should it have died, it is out of the way at {}",
                self.git.shown(),
                tenure.until.format("%H:%M:%S UTC")
            )));
        }
        let held = store.hold_checkpoint(now)?;
        if held > 0 {
            tracing::warn!(held, "a run ended without a word on what it had in hand; that is held, see `status`");
        }
        self.push(true)
    }

    /// Pushes the store as it is: what is claimed in it may be begun after that.
    pub fn push_checkpoint(&self) -> Result<(), Error> {
        self.push(true)
    }

    /// Lets others know that we live, if they have not heard of it for a while.
    pub fn renew(&self) -> Result<(), Error> {
        let pushed = self.course().pushed;
        match pushed.is_some_and(|pushed| self.clock.now() - pushed >= RENEWAL) {
            true => self.push(true),
            false => Ok(()),
        }
    }

    /// Pushes what was recorded, and has it no more. Nothing where it was not taken, or is lost.
    pub fn give_back(&self) -> Result<(), Error> {
        if self.course().pushed.is_none() || self.course().lost {
            return Ok(());
        }
        self.push(false)?;
        self.course().pushed = None;
        Ok(())
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The run that has the store, if it is another and may live. Of a clock that was far ahead nobody knows when it would end.
    fn another(&self, store: &Store, now: DateTime<Utc>) -> Result<Option<Tenure>, Error> {
        let may_live = |tenure: &Tenure| tenure.until > now && tenure.until <= now + TENURE * 2;
        Ok(store.tenure()?.filter(|tenure| tenure.run != self.run && may_live(tenure)))
    }

    /// Brings the store of the branch; where it was found.
    fn bring(&self) -> Result<Commit, Error> {
        let unreachable = |why: String| {
            Error::Unavailable(format!("the store in the branch {} cannot be fetched: {why}", self.git.shown()))
        };
        for _ in 0..LOOKS {
            let seen = self.git.look().map_err(unreachable)?;
            let commit = match seen {
                Seen { branch: None, witness: None } => return Ok(None),
                Seen { branch: Some(branch), witness: Some(witness) } if branch == witness => branch,
                differs => {
                    return Err(Error::Unavailable(format!(
                        "the branch {} was moved or deleted by somebody else, and nothing was done: an older store would mail again\n  help: {}",
                        self.git.shown(),
                        self.git.mend(&differs)
                    )));
                }
            };
            if let Some(sealed) = self.git.fetch(&commit).map_err(unreachable)? {
                self.unpack(&sealed)?;
                return Ok(Some(commit));
            }
        }
        Err(Error::Conflict(format!("the branch {} moves all the time: other runs have its store", self.git.shown())))
    }

    fn unpack(&self, sealed: &[u8]) -> Result<(), Error> {
        let packed = self.keys.open(sealed).map_err(|why| match why {
            seal::Error::OtherKey => Error::Unavailable(format!(
                "the store in the branch {} is sealed for another key than store.key\n  help: set store.key to the one that it was begun with",
                self.git.shown()
            )),
            seal::Error::Damaged => self.damaged(),
        })?;
        let mut bytes = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut bytes).map_err(|_| self.damaged())?;
        fs::write(self.folder.path().join("store.db"), bytes).map_err(|e| self.cannot_keep(&e))
    }

    fn damaged(&self) -> Error {
        Error::Corrupt(format!("the store in the branch {} is damaged", self.git.shown()))
    }

    fn cannot_keep(&self, why: &std::io::Error) -> Error {
        Error::Unavailable(format!("the store cannot be kept in {}: {why}", self.folder.path().display()))
    }

    /// Packed and sealed, as it goes into the branch.
    fn pack(&self) -> Result<Vec<u8>, Error> {
        let path = self.folder.path().join("packed.db");
        let _ = fs::remove_file(&path);
        Store::open(&self.place, Mode::MustExist)?.pack(&path)?;
        let (mut packed, file) = (Vec::new(), fs::File::open(&path).map_err(|e| self.cannot_keep(&e))?);
        GzEncoder::new(file, Compression::new(6)).read_to_end(&mut packed).map_err(|e| self.cannot_keep(&e))?;
        let _ = fs::remove_file(&path);
        // Zeros behind the end of a gzip member are not read.
        packed.resize(seal::padded(packed.len()), 0);
        self.keys
            .seal(&packed)
            .ok_or_else(|| Error::Unavailable("the store cannot be sealed: there is no store.key".to_owned()))
    }

    fn push(&self, keeps: bool) -> Result<(), Error> {
        let mut course = self.course();
        if course.lost {
            return Err(self.lost(&course));
        }
        let now = self.clock.now();
        let tenure = Tenure { run: self.run.clone(), until: now + TENURE };
        Store::open(&self.place, Mode::MustExist)?.set_tenure(keeps.then_some(&tenure))?;
        let refused = |why: String| {
            Error::Unavailable(format!(
                "the store cannot be pushed to the branch {}: {why}\n  help: nothing more was sent; see that this user may push there, then run again",
                self.git.shown()
            ))
        };
        let commit = self.git.commit(&self.pack()?, now.timestamp()).map_err(refused)?;
        let mut last = String::new();
        for pause in PAUSES {
            std::thread::sleep(pause);
            match self.git.push(&commit, &course.base) {
                Ok(Pushed::Done) => {
                    (course.base, course.pushed) = (Some(commit), Some(now));
                    course.offered.clear();
                    return Ok(());
                }
                Ok(Pushed::Elsewhere(Seen { branch: Some(branch), witness: Some(witness) }))
                    if branch == witness && course.offered.contains(&branch) =>
                {
                    // A push of ours that seemed to have failed.
                    course.base = Some(branch);
                }
                Ok(Pushed::Elsewhere(_)) => {
                    course.lost = true;
                    return Err(self.lost(&course));
                }
                Err(why) => last = why,
            }
            if !course.offered.contains(&commit) {
                course.offered.push(commit.clone());
            }
        }
        Err(refused(last))
    }

    fn lost(&self, course: &Course) -> Error {
        let branch = self.git.shown();
        Error::Conflict(match course.pushed {
            None => format!(
                "another run was first to take the store in the branch {branch}, and nothing was done\n  help: let it end, then run again"
            ),
            Some(_) => format!(
                "the branch {branch} was moved by somebody else, and this run has stopped: what it recorded since its last push is lost\n  help: the {CHECKPOINT} deliveries at most that it had in hand are held by the next run, and `postrider status` lists them"
            ),
        })
    }
}
