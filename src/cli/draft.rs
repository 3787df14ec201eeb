//! `postrider draft DIGEST`: the file of the next edition's introduction, to be written by hand. Nothing stands in the mail as long as
//! nothing was written into it.

use super::arguments::Global;
use super::cycle::Cycle;
use super::setup::Setup;
use super::{Exit, say};
use crate::edition::select::Candidate;
use crate::freeze::{Holds, Upcoming};
use crate::output;
use crate::publish;
use crate::schedule::Schedule;
use crate::site;
use crate::store::Mode;
use crate::template::text::one_line;
use anyhow::{Result, bail};
use chrono::DateTime;
use chrono_tz::Tz;

/// `postrider draft`
pub(super) fn run(global: &Global, digest: &str) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let digest = setup.digest(digest)?;
    let name = digest.name.as_str();
    if matches!(digest.schedule, Schedule::Each) {
        bail!(
            "the digest {name:?} sends a mail per post, so it has no next edition to introduce\n  help: write `intro: …` into the front matter of the post"
        );
    }
    let cycle = Cycle::open(global, &setup, Mode::Rehearse)?;
    let published = cycle.publish(publish::Mode::Rehearse)?;
    let desk = cycle.desk(&published.identities)?;
    let decisions = desk.decide()?;
    let decision = decisions.iter().find(|decision| decision.digest.name == digest.name);
    let upcoming = decision.map(|decision| desk.upcoming(decision)).transpose()?.unwrap_or_default().into_iter().next();
    let slot =
        upcoming.as_ref().and_then(|upcoming| upcoming.draft.slot).or(decision.and_then(|decision| decision.next));
    let posts = match upcoming {
        Some(Upcoming { holds: Holds::Due | Holds::NewSoFar, draft }) => draft.posts,
        Some(Upcoming { holds: Holds::Newest, .. }) | None => Vec::new(),
    };
    let Some(slot) = slot else {
        bail!("the schedule of the digest {name:?} has no slot to come\n  help: change `schedule` in its [[digest]]");
    };
    let slot = slot.with_timezone(&digest.zone(cycle.site.timezone));
    let day = slot.format("%Y-%m-%d").to_string();
    let folders = &setup.config.posts.dir;
    let files: Vec<_> = folders.iter().map(|folder| site::introduction_file(folder, name, &day)).collect();
    if let Some(there) = files.iter().find(|file| setup.config.path_of(file).exists()) {
        bail!("{} is there already\n  help: edit it, or move it away", there.display());
    }
    let Some(file) = files.first() else {
        bail!("there is no folder of posts\n  help: set `dir` in [posts]");
    };
    output::replace(&setup.config.path_of(file), begun(name, slot, &posts).as_bytes())?;
    match global.json {
        true => say::json(&serde_json::json!({ "path": file.display().to_string() }))?,
        false => say::line(format!(
            "{}: write below its front matter; {} so far. `postrider send {name} --to ADDRESS` shows you the mail",
            file.display(),
            say::count(posts.len(), "new post")
        )),
    }
    Ok(Exit::Done)
}

/// The file: all that is in it is front matter, and of that nothing but comments.
fn begun(name: &str, slot: DateTime<Tz>, posts: &[Candidate<'_>]) -> String {
    let when = slot.format("%A, %-d %B %Y at %H:%M");
    let mut out = format!("---\n# The digest {name} of {when} ({}).\n", slot.timezone());
    out.push_str("# Write its introduction below, in Markdown. As long as nothing stands there, the mail has none.\n");
    out.push_str("# These two go before what Postrider would write, once the # is gone:\n# subject: \"\"\n# preheader: \"\"\n#\n");
    out.push_str(if posts.is_empty() { "# No post is new so far.\n" } else { "# New so far:\n" });
    for Candidate { post, .. } in posts {
        let (day, title) = (post.published.format("%Y-%m-%d"), one_line(&post.title, 100));
        out.push_str(&format!("#   {day}  {title}  ({})\n", one_line(&post.path, 300)));
    }
    out + "---\n\n"
}
