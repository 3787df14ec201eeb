//! Slots, editions and their readers, on both databases: P3 (frozen for good), P4 (never twice in a digest), P6 (no first run by
//! mistake).

use crate::support::database::{Base, every_store};
use crate::support::edition::*;
use chrono::{DateTime, TimeDelta, Utc};
use postrider::clock::Clock;
use postrider::config::{Config, SiteTable};
use postrider::delivery;
use postrider::dispatch::{Dispatch, End, Progress, Relays};
use postrider::edition::select::Candidate;
use postrider::freeze::{Decision, Desk, Error, Verdict};
use postrider::html::clean;
use postrider::post::identity::{Assigned, Body, Change, Ids, Rules, assign};
use postrider::post::{Content, Hash, Link, Post, Site};
use postrider::random::Random;
use postrider::store::editions::Changed;
use postrider::store::{self, Mode, Store};
use postrider::subscriber::file::Row;
use postrider::subscriber::{Choices, Status};
use postrider::template::Templates;
use postrider::transport::Transport;
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use url::Url;

const WEEKLY: &str = "[[digest]]\nname = \"weekly\"\nschedule = \"0 9 * * MON\"\n";
const EACH: &str = "[[digest]]\nname = \"each\"\nschedule = \"each\"\n";

/// A blog as one run reads it.
struct Blog {
    config: Config,
    site: Site,
    posts: Vec<Arc<Post>>,
    accept_new: bool,
}

impl Blog {
    fn new(digests: &str, posts: &[Post]) -> Self {
        let mut blog = Blog { posts: posts.iter().cloned().map(Arc::new).collect(), ..Blog::configured(digests) };
        blog.posts.sort_by_key(|post| std::cmp::Reverse(post.published));
        blog
    }

    fn configured(digests: &str) -> Self {
        let text = format!(
            "[site]\ntitle = \"Field Notes\"\nurl = \"https://example.org/\"\n[feeds]\nflood_limit = 2\n\
             [mail]\nfrom = \"News <news@example.org>\"\n{digests}"
        );
        let config = Config::parse(&text, Path::new("postrider.toml"), |_| None).expect("a configuration");
        let site = config.site(SiteTable::default()).expect("a site");
        Blog { config, site, posts: Vec::new(), accept_new: false }
    }

    fn identify(&self, store: &Store, now: DateTime<Utc>) -> Vec<Assigned> {
        let present = HashSet::new();
        let rules = Rules { ids: Ids::Tag, authority: "example.org", site: &self.site, now, present: &present };
        let known = store.known_posts().expect("readable");
        let assigned =
            store.remember_posts::<store::Error>(now, &known, |known| Ok(assign(known, &self.posts, &rules)));
        assigned.expect("they are remembered")
    }

    /// Decides, hands the decisions over, and carries them out.
    fn run_with(&self, store: &Store, now: DateTime<Utc>, seen: impl FnOnce(&[Decision<'_>])) -> Result<(), Error> {
        let assigned = self.identify(store, now);
        let first_seen = store.first_seen().expect("remembered");
        let mut candidates = Vec::new();
        for (Assigned { known, .. }, post) in assigned.iter().zip(&self.posts) {
            candidates.push(Candidate { id: &known.id, post, first_seen: first_seen[&known.id], taken: false });
        }
        let Blog { config, site, accept_new, .. } = self;
        let desk = Desk { config, site, posts: candidates, store, now, accept_new: *accept_new };
        let decisions = desk.decide()?;
        seen(&decisions);
        let render = |candidate: &Candidate<'_>| {
            let html = clean(&format!("<p>All about {}.</p>", candidate.post.slug), &site.url);
            Ok(Content { excerpt: html.clone(), summary: candidate.post.title.clone(), html, ..Content::default() })
        };
        let mail = config.mail.as_ref().expect("[mail]");
        decisions.iter().try_for_each(|decision| desk.carry_out(decision, &Templates::embedded(), mail, &render))
    }

    /// One line a digest: what was decided.
    fn try_run(&self, store: &Store, now: DateTime<Utc>) -> Result<Vec<String>, Error> {
        let mut said = Vec::new();
        self.run_with(store, now, |decisions| said = decisions.iter().map(say).collect())?;
        Ok(said)
    }

    fn run(&self, store: &Store, now: DateTime<Utc>) -> Vec<String> {
        self.try_run(store, now).expect("it can")
    }
}

fn say(decision: &Decision<'_>) -> String {
    match &decision.verdict {
        Verdict::Nothing(why) => format!("nothing: {why}"),
        Verdict::Pass(slot, why) => format!("passed {}: {why}", slot.format("%m-%d %H:%M")),
        Verdict::Freeze(drafts) => {
            let posts =
                |posts: &[Candidate<'_>]| posts.iter().map(|c| c.post.slug.as_str()).collect::<Vec<_>>().join(" ");
            drafts.iter().map(|d| format!("{}: {}", d.id, posts(&d.posts))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// A post whose slug says what it is about.
fn post(slug: &str, published: &str) -> Post {
    let published = format!("{published}:00Z").parse().expect("a date");
    let url = format!("https://example.org/{slug}/").parse().expect("a URL");
    Post {
        body: Body::sketched(&format!("All about {slug}. {}", format!("{slug} is worth a word. ").repeat(20))),
        fingerprint: Hash::of(slug),
        ..Post::new(format!("posts/{slug}.md"), format!("On {slug}"), published, slug.to_owned(), url)
    }
}

fn link(url: &str) -> Link {
    url.parse::<Url>().expect("a URL").into()
}

fn tagged(slug: &str, published: &str, tag: &str) -> Post {
    Post { tags: [tag].into_iter().collect(), ..post(slug, published) }
}

fn days(days: i64) -> DateTime<Utc> {
    monday() + TimeDelta::days(days)
}

/// A blog whose digest the store knows, with nothing new, since the Monday before.
fn introduced(base: &Base, digests: &str) -> Store {
    let store = base.open();
    people(&store, 2, &Random::seeded(1));
    let said = Blog::new(digests, &[post("old", "2026-11-10T08:00")]).run(&store, days(-7));
    assert!(said.iter().all(|line| line.contains("baseline")), "{said:?}");
    store
}

const DECIDED: &str = "nothing: its latest slot was decided";
const BASELINE: &str = "nothing: new here: what is there is its baseline, nothing is mailed";

// ---- the first run

#[test]
fn a_digest_that_the_store_does_not_know_mails_nothing_of_what_is_there() {
    every_store(|base| {
        let store = base.open();
        let old = [post("a", "2026-11-20T08:00"), post("b", "2026-11-23T08:59")];
        assert_eq!(Blog::new(WEEKLY, &old).run(&store, monday()), [BASELINE]);
        let more = [&old[..], &[post("c", "2026-11-23T09:01"), post("late", "2026-11-19T08:00")]].concat();
        assert_eq!(Blog::new(WEEKLY, &more).run(&store, days(6)), [DECIDED]);
        // Baseline is post by post: one that turns up later is new, whatever its date.
        assert_eq!(Blog::new(WEEKLY, &more).run(&store, days(7)), ["weekly/2026-11-30: c late"]);
    });
}

#[test]
fn since_makes_what_is_dated_from_then_on_new_and_the_latest_slot_due() {
    every_store(|base| {
        let store = base.open();
        let posts = [post("a", "2026-11-17T23:59"), post("b", "2026-11-18T00:00"), post("c", "2026-11-23T10:00")];
        let blog = Blog::new(&format!("{WEEKLY}since = \"2026-11-18\"\n"), &posts);
        assert_eq!(blog.run(&store, monday() + TimeDelta::hours(2)), ["weekly/2026-11-23: b"]);
        assert_eq!(blog.run(&store, days(1)), [DECIDED]);
        assert_eq!(blog.run(&store, days(7)), ["weekly/2026-11-30: c"]);
    });
}

#[test]
fn a_digest_that_is_added_later_has_a_baseline_of_its_own() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        let both = format!("{WEEKLY}{}", WEEKLY.replace("weekly", "second"));
        let posts = [post("old", "2026-11-10T08:00"), post("a", "2026-11-20T08:00")];
        assert_eq!(Blog::new(&both, &posts).run(&store, monday()), ["weekly/2026-11-23: a", BASELINE]);
        let posts = [&posts[..], &[post("b", "2026-11-25T08:00")]].concat();
        assert_eq!(Blog::new(&both, &posts).run(&store, days(7)), ["weekly/2026-11-30: b", "second/2026-11-30: b"]);
    });
}

#[test]
fn a_run_that_fails_after_the_introduction_loses_no_slot() {
    every_store(|base| {
        let store = base.open();
        people(&store, 2, &Random::seeded(1));
        let posts = [post("a", "2026-11-20T08:00")];
        let since = format!("{WEEKLY}since = \"2026-11-01\"\n");
        let broken = Blog::new(&format!("{since}subject = \"{{{{ nonsense }}}}\"\n"), &posts);
        assert!(matches!(broken.try_run(&store, monday()), Err(Error::Template { .. })));
        assert!(store.digest("weekly").unwrap().is_some() && !store.has_edition("weekly/2026-11-23").unwrap());
        assert_eq!(Blog::new(&since, &posts).run(&store, monday()), ["weekly/2026-11-23: a"]);
        assert_eq!(counts(&store).queued, 2);
    });
}

// ---- slots

#[test]
fn a_slot_is_decided_once_and_late_counts() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        let posts = |n: usize| -> Vec<Post> {
            [post("a", "2026-11-20T08:00"), post("b", "2026-11-23T08:00"), post("c", "2026-11-24T08:00")][..n].to_vec()
        };
        assert_eq!(Blog::new(WEEKLY, &posts(1)).run(&store, monday()), ["weekly/2026-11-23: a"]);
        // Turned up after the slot was decided: it is for the next.
        assert_eq!(Blog::new(WEEKLY, &posts(2)).run(&store, monday() + TimeDelta::minutes(1)), [DECIDED]);
        let too_late = Blog::new(WEEKLY, &posts(3)).run(&store, days(8) + TimeDelta::minutes(1));
        assert_eq!(too_late, ["passed 11-30 09:00: later than `late` allows"]);
        assert_eq!(Blog::new(WEEKLY, &posts(3)).run(&store, days(8) + TimeDelta::minutes(2)), [DECIDED]);
        assert_eq!(store.last_slot("weekly").unwrap().unwrap().reason, "later than `late` allows");
        // Slots that nobody saw never come back; their posts do.
        assert_eq!(Blog::new(WEEKLY, &posts(3)).run(&store, days(15)), ["weekly/2026-12-07: c b"]);
        assert_eq!(base.look("SELECT COUNT(*) FROM slots WHERE reason = 'frozen'"), "2");
    });
}

#[test]
fn too_few_are_carried_over() {
    every_store(|base| {
        let digest = format!("{WEEKLY}min_posts = 2\n");
        let store = introduced(base, &digest);
        let blog = |posts: &[Post]| Blog::new(&digest, posts);
        assert_eq!(blog(&[]).run(&store, monday()), ["passed 11-23 09:00: nothing new"]);
        let a = post("a", "2026-11-25T08:00");
        let said = blog(std::slice::from_ref(&a)).run(&store, days(7));
        assert_eq!(said, ["passed 11-30 09:00: 1 new of 2 wanted, carried over"]);
        assert_eq!(blog(&[a, post("b", "2026-12-01T08:00")]).run(&store, days(14)), ["weekly/2026-12-07: b a"]);
    });
}

#[test]
fn what_is_carried_over_does_not_age_and_what_is_found_old_is_never_mailed() {
    every_store(|base| {
        let digest = format!("{WEEKLY}min_posts = 2\nmax_age = \"10d\"\n");
        let store = introduced(base, &digest);
        let a = post("a", "2026-11-20T08:00");
        Blog::new(&digest, std::slice::from_ref(&a)).run(&store, monday());
        let found = post("found", "2026-11-19T08:00");
        let posts = [a, found, post("b", "2026-12-05T08:00")];
        let said = Blog::new(&digest, &posts[..2]).run(&store, days(7));
        assert_eq!(said, ["passed 11-30 09:00: 1 new of 2 wanted, carried over"]);
        // Seventeen days old, but three at its first slot.
        assert_eq!(Blog::new(&digest, &posts).run(&store, days(14)), ["weekly/2026-12-07: b a"]);
    });
}

#[test]
fn who_runs_only_when_it_is_due_mails_what_is_young_enough() {
    every_store(|base| {
        let digest = format!("{WEEKLY}max_age = \"8d\"\n");
        let store = introduced(base, &digest);
        let posts = [post("friday", "2026-11-27T08:00"), post("old", "2026-11-21T08:00")];
        // The run that decides the slot is the first to see them.
        let said = Blog::new(&digest, &posts).run(&store, days(7) + TimeDelta::minutes(5));
        assert_eq!(said, ["weekly/2026-11-30: friday"]);
    });
}

#[test]
fn an_edited_schedule_neither_repeats_nor_revives_a_slot() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        let posts = [post("a", "2026-11-20T08:00"), post("b", "2026-11-23T09:30"), post("c", "2026-11-23T16:00")];
        let at = |hour: &str| WEEKLY.replace("0 9 * * MON", hour);
        assert_eq!(Blog::new(WEEKLY, &posts[..1]).run(&store, monday()), ["weekly/2026-11-23: a"]);
        // To an earlier hour: that slot lies before the newest decided one.
        assert_eq!(Blog::new(&at("0 8 * * MON"), &posts).run(&store, monday() + TimeDelta::hours(1)), [DECIDED]);
        // To a later one: a slot of its own, and an id of its own.
        let said = Blog::new(&at("0 17 * * MON"), &posts).run(&store, monday() + TimeDelta::hours(8));
        assert_eq!(said, ["weekly/2026-11-23T1700: c b"]);
        // The same wall time in a zone further west is a third.
        let west = format!("{}timezone = \"America/Chicago\"\n", at("0 17 * * MON"));
        let more = [&posts[..], &[post("d", "2026-11-23T18:00")]].concat();
        let said = Blog::new(&west, &more).run(&store, monday() + TimeDelta::hours(15));
        assert_eq!(said, ["weekly/2026-11-23T1700-2: d"]);
    });
}

#[test]
fn a_clock_that_went_back_freezes_nothing_and_says_so() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        let posts = [post("a", "2026-11-20T08:00")];
        Blog::new(WEEKLY, &posts[..0]).run(&store, monday());
        let said = Blog::new(WEEKLY, &posts).run(&store, monday() - TimeDelta::minutes(2));
        assert!(
            said[0].contains("the clock says 2026-11-23 08:58:00 UTC, which is before the newest decision"),
            "{said:?}"
        );
        // An unknown digest is not introduced either.
        let other = Blog::new(&WEEKLY.replace("weekly", "other"), &posts).run(&store, days(-1));
        assert!(other[0].contains("nothing is frozen") && store.digest("other").unwrap().is_none());
        assert_eq!(Blog::new(WEEKLY, &posts).run(&store, days(7)), ["weekly/2026-11-30: a"]);
    });
}

#[test]
fn two_runs_make_one_edition() {
    every_store(|base| {
        let digests = format!("{WEEKLY}default = true\n{EACH}default = true\n");
        drop(introduced(base, &digests));
        let posts = [post("a", "2026-11-20T08:00"), post("b", "2026-11-21T08:00")];
        let blog = Blog::new(&digests, &posts);
        let barrier = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let store = base.open();
                    // All have decided before any of them writes.
                    blog.run_with(&store, monday(), |_| _ = barrier.wait()).expect("who comes second says nothing");
                });
            }
        });
        assert_eq!(base.look("SELECT COUNT(*) FROM editions WHERE digest = 'weekly'"), "1");
        assert_eq!(base.look("SELECT COUNT(*) FROM editions WHERE digest = 'each'"), "2");
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries"), "6");
        assert_eq!(base.look("SELECT COUNT(*) FROM posts"), "3");
    });
}

#[test]
fn a_run_whose_draft_is_stale_gives_way_and_the_next_goes_on() {
    every_store(|base| {
        let daily = WEEKLY.replace("0 9 * * MON", "0 9,10 * * *");
        let store = introduced(base, &daily);
        let blog = Blog::new(&daily, &[post("a", "2026-11-20T08:00")]);
        let (nine, ten) = (monday() + TimeDelta::minutes(59), monday() + TimeDelta::hours(1));
        for (ours, others) in [(nine, ten), (ten + TimeDelta::days(1), nine + TimeDelta::days(1))] {
            let mut posts: Vec<Post> = blog.posts.iter().map(|post| (**post).clone()).collect();
            posts.push(post(&format!("day-{}", ours.format("%d")), "2026-11-20T08:00"));
            let blog = Blog::new(&daily, &posts);
            // Another run freezes the slot after ours, or before it, with the same posts while we decide.
            let done = blog.run_with(&store, ours, |_| drop(blog.run(&base.open(), others)));
            done.expect("what it drafted has gone out");
        }
        assert_eq!(base.look("SELECT COUNT(*) FROM editions"), "2");
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries"), "4");
        assert_eq!(blog.run(&store, ten + TimeDelta::days(1)), ["passed 11-24 10:00: nothing new"]);
    });
}

// ---- a mail per post

#[test]
fn each_post_is_an_edition_when_its_time_has_come_and_late_does_not_apply() {
    every_store(|base| {
        let store = introduced(base, EACH);
        let posts = [post("a", "2026-11-20T08:00"), post("b", "2026-11-23T09:00"), post("c", "2026-11-23T09:01")];
        let blog = Blog::new(EACH, &posts);
        assert_eq!(blog.run(&store, monday()), ["each/2026-11-20-a: a, each/2026-11-23-b: b"]);
        assert_eq!(blog.run(&store, monday()), ["nothing: nothing new"]);
        assert_eq!(blog.run(&store, days(90)), ["each/2026-11-23-c: c"]);
        // Another post of that day and slug: ids are never used again.
        let twin = Post {
            path: "posts/en/c.md".into(),
            link: link("https://example.org/en/c/"),
            body: Body::sketched("Other."),
            ..post("c", "2026-11-23T12:00")
        };
        let more = [&posts[..], &[twin]].concat();
        assert_eq!(Blog::new(EACH, &more).run(&store, days(91)), ["each/2026-11-23-c-2: c"]);
    });
}

#[test]
fn a_flood_of_posts_is_asked_about() {
    every_store(|base| {
        let store = introduced(base, EACH);
        let posts = [post("a", "2026-11-20T08:00"), post("b", "2026-11-21T08:00"), post("c", "2026-11-22T08:00")];
        let mut blog = Blog::new(EACH, &posts);
        assert!(matches!(blog.try_run(&store, monday()), Err(Error::Flood { count: 3, .. })));
        assert_eq!(base.look("SELECT COUNT(*) FROM editions"), "0");
        blog.accept_new = true;
        assert_eq!(blog.run(&store, monday()).len(), 1);
        assert_eq!(base.look("SELECT COUNT(*) FROM editions"), "3");
    });
}

// ---- one post, one identity

#[test]
fn a_post_that_moved_changed_or_came_back_is_not_mailed_again() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        let a = post("a", "2026-11-20T08:00");
        let first_seen = "SELECT first_seen FROM posts WHERE id = 'tag:example.org,2026-11-20:a'";
        Blog::new(WEEKLY, std::slice::from_ref(&a)).run(&store, monday());
        let seen = base.look(first_seen);
        let histories = [
            Post { path: "posts/2026/renamed.md".into(), ..a.clone() },
            Post {
                path: "posts/2026/renamed.md".into(),
                title: "New".into(),
                slug: "new".into(),
                link: link("https://example.org/new/"),
                ..a.clone()
            },
            Post {
                path: "posts/back.md".into(),
                slug: "new".into(),
                link: link("https://example.com/new/"),
                fingerprint: Hash::of("x"),
                ..a.clone()
            },
            Post {
                path: "posts/back.md".into(),
                published: "2026-12-20T08:00:00Z".parse().unwrap(),
                slug: "new".into(),
                ..a.clone()
            },
        ];
        for (week, post) in (1..).zip(histories) {
            let blog = Blog::new(WEEKLY, &[post]);
            assert!(blog.run(&store, days(7 * week))[0].ends_with(": nothing new"), "{week}");
            // Away for a day, and back.
            Blog::new(WEEKLY, &[]).identify(&store, days(7 * week + 1));
            assert_eq!(base.look("SELECT COUNT(*) FROM posts WHERE gone = 0"), "0");
            assert_ne!(blog.identify(&store, days(7 * week + 2))[0].change, Change::New);
        }
        // Away, and back with another name, title and day, and other words at its end: only a sample of its body tells.
        let words =
            |end: &str| format!("All about a. {}{end}", "a is worth a word, or two if there are any. ".repeat(20));
        let first = Post { path: "posts/back.md".into(), body: Body::sketched(&words("")), ..a.clone() };
        let edited = Post {
            path: "posts/again.md".into(),
            title: "Again".into(),
            slug: "again".into(),
            link: link("https://example.org/again/"),
            published: "2026-12-21T08:00:00Z".parse().unwrap(),
            body: Body::sketched(&words("And more.")),
            ..a.clone()
        };
        Blog::new(WEEKLY, &[first]).identify(&store, days(40));
        Blog::new(WEEKLY, &[]).identify(&store, days(41));
        let again = Blog::new(WEEKLY, std::slice::from_ref(&edited)).identify(&store, days(42));
        assert_eq!(again[0].change, Change::Moved { from: "posts/back.md".into() });
        // What is written anew without its sketch being read keeps it.
        let featured = Post { featured: true, ..edited.clone() };
        Blog::new(WEEKLY, &[featured]).identify(&store, days(43));
        let sketch = edited.body.sketch().map(|sketch| sketch.to_string());
        assert_eq!(Some(base.look("SELECT sketch FROM posts WHERE path = 'posts/again.md'")), sketch);
        assert_eq!((base.look(first_seen), base.look("SELECT COUNT(*) FROM posts")), (seen, "2".to_owned()));
    });
}

#[test]
fn who_refuses_to_assign_changes_nothing() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        let known = store.known_posts().expect("readable");
        let refused = store.remember_posts(monday(), &known, |known| {
            assert_eq!(known.len(), 1);
            Err::<Vec<_>, _>(store::Error::Conflict("a flood".into()))
        });
        assert!(refused.is_err());
        assert_eq!(base.look("SELECT COUNT(*) FROM posts WHERE gone = 0"), "1");
    });
}

// ---- readers

fn reader(email: &str, digests: &str, topics: &str) -> Row {
    Row { digests: Choices::parse(digests), topics: Choices::parse(topics), ..row(email) }
}

fn add(store: &Store, rows: &[Row]) {
    store.import(rows, "import", &Random::system(), days(-7)).expect("they are added");
}

#[test]
fn readers_get_what_their_topics_leave_and_nothing_where_that_is_nothing() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        add(
            &store,
            &[
                reader("rust@example.org", "", "Rust"),
                reader("both@example.org", "weekly", "rust;travel"),
                reader("also@example.org", "", "rust;chess"),
                reader("none@example.org", "", "chess"),
                reader("other@example.org", "monthly", ""),
                Row { status: Status::Paused, ..row("paused@example.org") },
            ],
        );
        let posts = [tagged("crab", "2026-11-20T08:00", "rust"), tagged("oslo", "2026-11-21T08:00", "Travel")];
        Blog::new(WEEKLY, &posts).run(&store, monday());
        let got = |email: &str| {
            base.look(&format!(
                "SELECT v.posts FROM deliveries d JOIN variants v ON v.id = d.variant WHERE d.address = '{email}'"
            ))
        };
        // Positions in the edition, newest first.
        assert_eq!((got("r0@example.org"), got("both@example.org")), ("0,1".into(), "0,1".into()));
        assert_eq!((got("rust@example.org"), got("also@example.org")), ("1".into(), "1".into()));
        assert_eq!(base.look("SELECT COUNT(*) FROM variants"), "2");
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries"), "5");
        let not = store.not_readers("weekly/2026-11-23", "weekly", true).unwrap();
        assert_eq!((not.no_posts, not.paused), (1, 1));
        let mails = base.look("SELECT message FROM variants WHERE posts = '1'");
        assert!(mails.contains("On crab") && !mails.contains("oslo"), "{mails}");
    });
}

/// What an edition costs: each post is rendered once and each variant composed once, however many readers there are. Delivery has no
/// templates in its hands at all: it fills holes.
#[test]
fn many_readers_cost_as_many_renderings_as_there_are_variants() {
    let readers = std::env::var("POSTRIDER_READERS").map_or(5_000, |said| said.parse().expect("a number"));
    let base = Base::in_folder(tempfile::tempdir().expect("a folder to write to"));
    let store = introduced(&base, WEEKLY);
    // Each reader but every fiftieth chose two of twenty topics.
    let topics = |n: usize| match n % 50 {
        49 => String::new(),
        choice => format!("t{};t{}", choice % 20, (choice + 1 + choice / 20) % 20),
    };
    let rows: Vec<Row> = (0..readers).map(|n| reader(&format!("n{n}@example.org"), "", &topics(n))).collect();
    add(&store, &rows);
    let posts: Vec<Post> = (0..20).map(|n| tagged(&format!("p{n}"), "2026-11-20T08:00", &format!("t{n}"))).collect();
    let blog = Blog::new(WEEKLY, &posts);
    let assigned = blog.identify(&store, monday());
    let mut posts = Vec::new();
    for (Assigned { known, .. }, post) in assigned.iter().zip(&blog.posts) {
        posts.push(Candidate { id: &known.id, post, first_seen: monday(), taken: false });
    }
    let desk = Desk { config: &blog.config, site: &blog.site, posts, store: &store, now: monday(), accept_new: false };
    let rendered = AtomicUsize::new(0);
    let render = |candidate: &Candidate<'_>| {
        rendered.fetch_add(1, Ordering::Relaxed);
        let html = clean(&format!("<p>All about {}.</p>", candidate.post.slug), &blog.site.url);
        Ok(Content { excerpt: html.clone(), summary: candidate.post.title.clone(), html, ..Content::default() })
    };
    let mail = blog.config.mail.as_ref().expect("a [mail] table");
    for decision in desk.decide().expect("it decides") {
        desk.carry_out(&decision, &Templates::embedded(), mail, &render).expect("it is frozen");
    }
    assert_eq!(rendered.into_inner(), 20, "each post once");
    assert_eq!(base.look("SELECT COUNT(*) FROM variants"), "50");
    // Two were there before.
    assert_eq!(base.look("SELECT COUNT(*) FROM deliveries"), (readers + 2).to_string());
    assert_eq!(base.look("SELECT COUNT(DISTINCT variant) FROM deliveries"), "50");
}

#[test]
fn readers_are_spoken_to_in_their_language_where_there_are_words_of_it() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        let in_language = |email: &str, language: &str, topics: &str| Row {
            language: Some(language.to_owned()),
            ..reader(email, "", topics)
        };
        add(
            &store,
            &[
                in_language("de@example.org", "de", ""),
                in_language("at@example.org", "de-AT", ""),
                in_language("rust@example.org", "de", "rust"),
                in_language("none@example.org", "de", "chess"),
                in_language("gb@example.org", "en-GB", ""),
                in_language("fi@example.org", "fi", ""),
            ],
        );
        let posts = [tagged("crab", "2026-11-20T08:00", "rust"), tagged("oslo", "2026-11-21T08:00", "Travel")];
        Blog::new(WEEKLY, &posts).run(&store, monday());
        let got = |email: &str| {
            base.look(&format!(
                "SELECT v.posts FROM deliveries d JOIN variants v ON v.id = d.variant WHERE d.address = '{email}@example.org'"
            ))
        };
        assert_eq!((got("r0"), got("gb"), got("fi")), ("0,1".into(), "0,1".into(), "0,1".into()));
        assert_eq!((got("de"), got("at"), got("rust")), ("0,1 de".into(), "0,1 de".into(), "1 de".into()));
        assert_eq!(
            base.look("SELECT COUNT(*) FROM variants"),
            "4",
            "the fourth, on rust in English, is for who changes"
        );
        let german = base.look("SELECT text FROM variants WHERE posts = '0,1 de'");
        assert!(german.contains("Abbestellen:") && german.contains("23. November 2026"), "{german}");
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries"), "7", "chess leaves nothing in any language");
    });
}

#[test]
fn a_file_beside_the_posts_introduces_an_edition() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        let mut blog = Blog::new(WEEKLY, &[post("a", "2026-11-20T08:00")]);
        let site = tempfile::tempdir().expect("a folder");
        blog.config.root = site.path().to_owned();
        let folder = site.path().join("posts/_editions/weekly");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("2026-11-23.md"), "It *rained*, says [the gauge](/gauge/).").expect("writable");
        blog.run(&store, monday());
        let html = base.look("SELECT html FROM variants");
        assert!(html.contains("It <em>rained</em>, says") && html.contains("https://example.org/gauge/"), "{html}");
        assert!(
            base.look("SELECT text FROM variants")
                .contains("It rained, says the gauge [1].\n\n[1] https://example.org/gauge/")
        );
    });
}

#[test]
fn who_has_no_choice_gets_the_default_digests() {
    every_store(|base| {
        let digests = format!("{WEEKLY}default = true\n{}", WEEKLY.replace("weekly", "second"));
        let store = introduced(base, &digests);
        add(&store, &[reader("second@example.org", "second", "")]);
        Blog::new(&digests, &[post("a", "2026-11-20T08:00")]).run(&store, monday());
        let of =
            |digest: &str| base.look(&format!("SELECT COUNT(*) FROM deliveries WHERE edition = '{digest}/2026-11-23'"));
        assert_eq!((of("weekly"), of("second")), ("2".into(), "1".into()));
    });
}

#[test]
fn topics_that_change_after_freezing_count_from_the_next_edition() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        let posts = [tagged("crab", "2026-11-20T08:00", "rust"), tagged("oslo", "2026-11-21T08:00", "travel")];
        Blog::new(WEEKLY, &posts).run(&store, monday());
        let before = base.look("SELECT variant FROM deliveries WHERE address = 'r0@example.org'");
        add(&store, &[reader("r0@example.org", "", "chess"), row("new@example.org")]);
        let after = base.look("SELECT variant FROM deliveries WHERE address = 'r0@example.org'");
        assert_eq!((after, state(base, "r0@example.org")), (before, "queued".into()));
        assert_eq!(counts(&store).recipients(), 2);
        let posts = [&posts[..], &[post("next", "2026-11-25T08:00")]].concat();
        Blog::new(WEEKLY, &posts).run(&store, days(7));
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE edition = 'weekly/2026-11-30'"), "2");
    });
}

#[test]
fn an_edition_that_waits_is_released_to_those_who_are_subscribed_then() {
    every_store(|base| {
        let digest = format!("{WEEKLY}approve = true\n");
        let store = introduced(base, &digest);
        Blog::new(&digest, &[post("a", "2026-11-20T08:00")]).run(&store, monday());
        let id = "weekly/2026-11-23";
        assert_eq!((store.editions(1).unwrap()[0].state.as_str(), counts(&store).recipients()), ("waiting", 0));
        let leaves = store.find_subscriber(&address("r0@example.org"), &Random::seeded(1)).unwrap().unwrap();
        store.unsubscribe(&leaves.id, "link", &Random::system(), days(1)).unwrap();
        add(&store, &[row("new@example.org"), row("newer@example.org")]);
        assert_eq!(store.approve(id, |digest| digest == "weekly", days(2)).unwrap(), Changed::Done(3));
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE address = 'r0@example.org'"), "0");
        assert_eq!(store.approve(id, |_| true, days(2)).unwrap(), Changed::NotNow);
        // The Date of its mails is its release, not its freezing.
        assert_eq!(claim(&ledger(&store, "one"), 1, days(2))[0].date, days(2));
        assert_eq!(store.cancel(id).unwrap(), Changed::Done(3));
        assert_eq!(store.approve(id, |_| true, days(2)).unwrap(), Changed::NotNow);
        assert_eq!(store.approve("weekly/1999-01-01", |_| true, days(2)).unwrap(), Changed::Unknown);
    });
}

#[test]
fn a_cancelled_edition_keeps_its_slot_and_its_posts() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        let blog = Blog::new(WEEKLY, &[post("a", "2026-11-20T08:00")]);
        blog.run(&store, monday());
        assert_eq!(store.cancel("weekly/2026-11-23").unwrap(), Changed::Done(2));
        assert_eq!(blog.run(&store, monday()), [DECIDED]);
        assert_eq!(blog.run(&store, days(7)), ["passed 11-30 09:00: nothing new"]);
    });
}

// ---- rehearsing, and what goes out

#[test]
fn a_rehearsal_decides_as_the_run_will_and_leaves_nothing_behind() {
    every_store(|base| {
        drop(introduced(base, WEEKLY));
        let blog = Blog::new(WEEKLY, &[post("a", "2026-11-20T08:00")]);
        let rehearsed = Store::open(&base.place, Mode::Rehearse).unwrap();
        let said = blog.run(&rehearsed, monday());
        assert_eq!(counts(&rehearsed).queued, 2);
        drop(rehearsed);
        assert_eq!(base.look("SELECT COUNT(*) FROM editions"), "0");
        assert_eq!(blog.run(&base.open(), monday()), said);
    });
}

#[test]
fn a_resend_is_the_same_message_to_the_octet() {
    every_store(|base| {
        let store = introduced(base, WEEKLY);
        let blog = Blog::new(WEEKLY, &[post("a", "2026-11-20T08:00")]);
        blog.run(&store, monday());
        let random = Random::seeded(5);
        let (transport, memory) = Transport::memory();
        let dispatch = |minutes| {
            let dispatched = Dispatch {
                store: &store,
                relays: &Relays::sole(transport.clone(), 4),
                remote: None,
                settings: &delivery::Settings::default(),
                mail: blog.config.mail.as_ref().expect("[mail]"),
                keyring: &store.keyring(&[], &random).unwrap(),
                signer: &postrider::message::Signer::none(),
                clock: Clock::starting_at(monday() + TimeDelta::minutes(minutes)),
                random: &random,
                stop: &AtomicBool::new(false),
                progress: &Progress::default(),
                wait: TimeDelta::zero(),
            };
            assert_eq!(dispatched.run().unwrap().end, End::Drained);
            let mut taken = memory.taken();
            taken.sort_by(|a, b| a.delivery.cmp(&b.delivery));
            taken
        };
        let first = dispatch(1);
        assert_eq!(first.len(), 2);
        // As if neither reply had come; and since then the people and the post have changed.
        base.change("UPDATE deliveries SET state = 'uncertain'");
        base.change("UPDATE editions SET state = 'open'");
        add(&store, &[Row { name: Some("New Name".into()), ..reader("R0@example.org", "", "chess") }]);
        Blog::new(WEEKLY, &[Post { title: "Changed".into(), ..post("a", "2026-11-20T08:00") }]).run(&store, days(1));
        let both = dispatch(2000);
        assert_eq!(both.len(), 4);
        for pair in both.chunks(2) {
            assert_eq!(pair[0].delivery, pair[1].delivery);
            assert_eq!(pair[0].message.bytes, pair[1].message.bytes);
            assert_eq!(pair[0].message.envelope, pair[1].message.envelope);
        }
        let text = String::from_utf8(first[0].message.bytes.clone()).unwrap();
        assert!(text.contains("Date: Mon, 23 Nov 2026 09:00:00 +0000"), "{text}");
        assert_eq!(store.resent().unwrap().len(), 2);
    });
}
