//! What the next editions of a digest would hold, for who wants to see them before. Promises: only reads.

use super::{Decision, Desk, Draft, Error, Verdict};
use crate::edition::select::{self, Candidate};
use crate::edition::slot::Memory;
use crate::post::PostId;
use crate::schedule::Schedule;
use std::collections::HashSet;

/// So many posts stand for a digest that has nothing new.
const STAND_INS: usize = 10;

/// An edition that is to come.
#[derive(Debug)]
pub struct Upcoming<'a> {
    /// What it would be frozen from.
    pub draft: Draft<'a>,
    /// Why these posts.
    pub holds: Holds,
}

/// Why an edition that is to come holds the posts it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It is due, with them.
    Due,
    /// They are what is new by now; the slot is yet to come.
    NewSoFar,
    /// Nothing is new: they are the newest there are, to show what it looks like.
    Newest,
}

impl<'a> Desk<'a> {
    /// The editions that come next of a digest: those that are due, else the one of its next slot. None where no published post
    /// belongs into it.
    pub fn upcoming(&self, decision: &Decision<'a>) -> Result<Vec<Upcoming<'a>>, Error> {
        if let Verdict::Freeze(drafts) = &decision.verdict {
            return Ok(drafts.iter().map(|draft| Upcoming { draft: draft.clone(), holds: Holds::Due }).collect());
        }
        let digest = decision.digest;
        let slot = decision.next;
        let posts = match &digest.schedule {
            Schedule::Crontab(crontab) => {
                let candidates = self.candidates(decision)?;
                let known = match &decision.introduce {
                    Some((memory, _)) => Some(*memory),
                    None => self.store.digest(digest.name.as_str())?,
                };
                let memory = known.unwrap_or(Memory { newest: self.now, first: self.now });
                let zone = digest.zone(self.site.timezone);
                select::for_slot(&candidates, digest, crontab, memory, slot.unwrap_or(self.now), zone)
            }
            // What is new is due at once.
            Schedule::Each => Vec::new(),
        };
        let (posts, holds) = match posts.is_empty() {
            false => (posts, Holds::NewSoFar),
            true => {
                let most = if slot.is_some() { digest.max_posts.min(STAND_INS) } else { 1 };
                let belongs = self.posts.iter().filter(|candidate| digest.takes(candidate.post));
                (belongs.take(most).copied().collect(), Holds::Newest)
            }
        };
        let id = match slot {
            Some(slot) => self.free_id(digest, slot)?,
            None => format!("{}/next", digest.name),
        };
        let draft = Draft { id, slot, after: None, posts };
        Ok(if draft.posts.is_empty() { Vec::new() } else { vec![Upcoming { draft, holds }] })
    }

    /// The posts, with what the digest has behind it.
    fn candidates(&self, decision: &Decision<'a>) -> Result<Vec<Candidate<'a>>, Error> {
        let taken = self.store.taken(decision.digest.name.as_str())?;
        let baseline = decision.introduce.iter().flat_map(|(_, baseline)| baseline);
        let behind: HashSet<&PostId> = taken.iter().chain(baseline).collect();
        Ok(self.posts.iter().map(|c| Candidate { taken: behind.contains(c.id), ..*c }).collect())
    }
}
