//! `postrider adopt FEED…`: the ids of the blog's old feed become those of its posts.

use super::arguments::Global;
use super::setup::Setup;
use super::{Exit, say};
use crate::adopt::{self, Adopter};
use crate::report::adoption::{Adoption, Redirect, State};
use crate::site;
use crate::store::{Mode, Store};
use anyhow::Result;
use url::{Position, Url};

/// Lists longer than this are cut short, unless `-v` is given.
const SHOWN: usize = 20;

/// `postrider adopt`
pub(super) fn run(global: &Global, feeds: &[String], dry_run: bool) -> Result<Exit> {
    Setup::load(global)?.change(|setup| take_over(global, setup, feeds, dry_run))
}

fn take_over(global: &Global, setup: &Setup, feeds: &[String], dry_run: bool) -> Result<Exit> {
    let (site, generator) = setup.site()?;
    site::look(&setup.config.posts, &setup.config.root)?;
    let sources = adopt::read(feeds)?;
    // First on a store that keeps nothing: what is refused leaves none behind.
    let store = setup.store(Mode::Rehearse)?;
    let known = store.known_posts()?;
    let now = setup.clock.now();
    let (posts, root) = (&setup.config.posts, &setup.config.root);
    let blog = site::read(site::find(posts, &generator, root)?, posts, &site, &generator, root, &known, now);
    let on = |store: &Store| {
        let adopter = Adopter {
            config: &setup.config,
            site: &site,
            blog: &blog,
            store,
            known: &known,
            now,
            accept_new: global.accept_new,
            rehearsal: dry_run,
        };
        adopter.run(&sources)
    };
    let mut adoption = on(&store)?;
    drop(store);
    if !dry_run {
        adoption = on(&setup.store(Mode::Create)?)?;
    }
    match global.json {
        true => say::json(&adoption)?,
        false if global.quiet => {}
        false => tell(&adoption, dry_run, global.verbose > 0).iter().for_each(say::line),
    }
    Ok(Exit::Done)
}

fn tell(adoption: &Adoption, dry_run: bool, all: bool) -> Vec<String> {
    let mut said = Vec::new();
    for feed in &adoption.feeds {
        let pages = if feed.pages > 1 { format!(" on {} pages", feed.pages) } else { String::new() };
        said.push(format!("{}: {}{pages}", feed.feed, entries(feed.entries)));
        if let Some(next) = &feed.continues {
            said.push(format!("  it goes on at {next}, which was not read: name that, too"));
        }
    }
    let of = |state: State| adoption.matched.iter().filter(move |found| found.state == state);
    let adopted: Vec<String> = of(State::Adopted).map(|m| format!("{}  by {}  {}", m.path, m.by, m.id)).collect();
    let known = of(State::Known).count();
    let kept: Vec<String> = of(State::Kept)
        .map(|m| format!("{}  {}  in the old feed {}", m.path, m.instead.as_ref().map_or("", |id| &id.0), m.id))
        .collect();
    let would = if dry_run { "would keep" } else { "keep" };
    section(&mut said, adopted, all, |n| format!("{} {would} the id under which readers know them:", posts(n)));
    if known > 0 {
        said.push(format!("{} had it already", posts(known)));
    }
    section(&mut said, kept, all, |n| {
        format!(
            "{} stay under the id under which we have published them, for our readers would see them again:",
            posts(n)
        )
    });
    if let Some(rule) = adoption.rule {
        let rule =
            serde_json::to_value(rule).ok().and_then(|rule| rule.as_str().map(str::to_owned)).unwrap_or_default();
        let older = posts(adoption.by_rule);
        said.push(format!("{older} beyond the old feed's end: ids as it minted them (ids = \"{rule}\")"));
    }
    let unmatched = adoption.unmatched.iter().map(|entry| {
        let title = if entry.title.is_empty() { "(no title)" } else { &entry.title };
        format!("{title}  {}", entry.url.as_deref().unwrap_or(&entry.id))
    });
    section(&mut said, unmatched.collect(), all, |n| {
        format!("{} of the old feed {} no post here:", entries(n), if n == 1 { "is" } else { "are" })
    });
    let new = adoption.new.iter().map(|post| format!("{}  {}", post.path, post.title));
    section(&mut said, new.collect(), all, |n| {
        format!("{} {} not in the old feed; its readers see as new:", posts(n), if n == 1 { "is" } else { "are" })
    });
    for redirect in &adoption.redirects {
        said.extend(lines(redirect));
    }
    said
}

/// A heading and what stands below it, not too much of it; nothing for nothing.
fn section(said: &mut Vec<String>, items: Vec<String>, all: bool, heading: impl Fn(usize) -> String) {
    if items.is_empty() {
        return;
    }
    let shown = if all { usize::MAX } else { SHOWN };
    let more = items.len().saturating_sub(shown);
    said.push(heading(items.len()));
    said.extend(items.into_iter().take(shown).map(|item| format!("  {item}")));
    if more > 0 {
        said.push(format!("  and {more} more; -v shows them all"));
    }
}

/// What the servers that people use for such sites want to read; each sends on exactly this address.
fn lines(redirect: &Redirect) -> Vec<String> {
    let (Ok(from), Ok(to)) = (Url::parse(&redirect.from), Url::parse(&redirect.to)) else { return Vec::new() };
    let mut said = vec![format!("{} should send its readers on to {}:", redirect.from, redirect.to)];
    if from.path() == to.path() && from.query().is_none() {
        said.push(
            "  nothing is to be done where the old host already sends every address on to the new one".to_owned(),
        );
        return said;
    }
    if from.query().is_some() || from.path() == "/" {
        said.push("  its address has no path of its own: no line of a server's file can do that; ask where the site is hosted".to_owned());
        return said;
    }
    let here = from.host_str() == to.host_str();
    let target = if here { to[Position::BeforePath..].to_owned() } else { redirect.to.clone() };
    let path = from.path();
    let literal: String =
        path.chars().flat_map(|c| if ".+*?()[]{}|^$".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
    said.extend([
        format!("  _redirects (Netlify, Cloudflare Pages)  {path} {target} 301"),
        format!("  nginx                                   location = {path} {{ return 301 {target}; }}"),
        format!("  Caddy                                   redir {path} {target} 301"),
        format!("  Apache (.htaccess)                      RedirectMatch 301 ^{literal}$ {target}"),
    ]);
    said
}

fn entries(n: usize) -> String {
    if n == 1 { "1 entry".to_owned() } else { format!("{n} entries") }
}

fn posts(n: usize) -> String {
    say::count(n, "post")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_gets_its_line() {
        let redirect = |from: &str, to: &str| lines(&Redirect { from: from.to_owned(), to: to.to_owned() });
        let said = redirect("https://example.org/feed.xml", "https://example.org/atom.xml");
        assert!(said[1].ends_with("/feed.xml /atom.xml 301"), "{said:#?}");
        assert!(said[2].ends_with("location = /feed.xml { return 301 /atom.xml; }"), "{said:#?}");
        assert!(said[3].ends_with("redir /feed.xml /atom.xml 301"), "{said:#?}");
        assert!(said[4].ends_with(r"RedirectMatch 301 ^/feed\.xml$ /atom.xml"), "{said:#?}");
        let moved = redirect("https://old.example/feed/", "https://example.org/rss.xml");
        assert!(moved[1].ends_with("/feed/ https://example.org/rss.xml 301"), "{moved:#?}");
        assert_eq!(redirect("https://example.org/?feed=rss2", "https://example.org/rss.xml").len(), 2);
    }
}
