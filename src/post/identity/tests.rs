//! Identities and dates, by case and by property.

use super::*;
use crate::post::{Hash, Link};
use proptest::prelude::*;
use url::Url;

fn site(language: &str) -> Site {
    Site {
        title: "Field Notes".into(),
        url: "https://example.org/".parse().expect("a URL"),
        description: None,
        language: language.into(),
        timezone: chrono_tz::Tz::America__Chicago,
        author: None,
    }
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("a time").to_utc()
}

/// Sentences that no other seed has.
fn prose(seed: u32) -> String {
    (0..80).map(|n| format!("word{}x{} ", seed, n * 7 + seed)).collect()
}

fn post(path: &str, slug: &str, day: &str, seed: u32) -> Post {
    let mut post = Post {
        body: Body::sketched(&prose(seed)),
        ..Post::new(
            path.into(),
            format!("On {slug}"),
            DateTime::parse_from_rfc3339(&format!("{day}T00:00:00-06:00")).expect("a date"),
            slug.into(),
            format!("https://example.org/{}/{slug}/", day.replace('-', "/")).parse().expect("a URL"),
        )
    };
    seal(&mut post);
    post
}

fn link(url: &str) -> Link {
    url.parse::<Url>().unwrap().into()
}

fn seal(post: &mut Post) {
    post.fingerprint = Hash::of(&format!("{}/{}", post.title, post.body.hash));
}

fn edit(post: &Post, change: impl FnOnce(&mut Post)) -> Post {
    let mut post = post.clone();
    change(&mut post);
    seal(&mut post);
    post
}

fn run(known: &[Arc<Known>], posts: &[Post], now: &str) -> Vec<Assigned> {
    let site = site("en");
    let posts: Vec<Arc<Post>> = posts.iter().cloned().map(Arc::new).collect();
    assign(
        known,
        &posts,
        &Rules { ids: Ids::Tag, authority: "example.org", site: &site, now: at(now), present: &HashSet::new() },
    )
}

fn rows(assigned: &[Assigned]) -> Vec<Arc<Known>> {
    assigned.iter().map(|assigned| assigned.known.clone()).collect()
}

fn ids(assigned: &[Assigned]) -> Vec<&str> {
    assigned.iter().map(|assigned| assigned.known.id.0.as_str()).collect()
}

const FIRST: &str = "2026-11-20T12:00:00Z";
const LATER: &str = "2026-11-21T12:00:00Z";

#[test]
fn ids_are_minted_by_the_rules() {
    let site = site("en");
    let mut german = post("de/frost.md", "frost", "2026-11-07", 2);
    german.rare.language = Some("de".into());
    let html = edit(&post("b.md", "b", "2026-11-08", 3), |post| post.link = link("https://example.org/b.html"));
    let posts = [
        post("z/frost.md", "frost", "2026-11-07", 1),
        german,
        html,
        post("a/frost.md", "frost", "2026-11-07", 4),
        post("naïve #1.md", "naïve 100%", "2026-11-09", 5),
    ]
    .map(Arc::new);
    let minted = |kind| {
        let rules =
            Rules { ids: kind, authority: "example.org", site: &site, now: at(FIRST), present: &HashSet::new() };
        assign(&[], &posts, &rules).into_iter().map(|assigned| assigned.known.id.0.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        minted(Ids::Tag),
        [
            "tag:example.org,2026-11-07:frost:z/frost.md",
            "tag:example.org,2026-11-07:frost:de",
            "tag:example.org,2026-11-08:b",
            "tag:example.org,2026-11-07:frost",
            "tag:example.org,2026-11-09:na%C3%AFve%20100%25",
        ]
    );
    assert_eq!(
        minted(Ids::JekyllFeed)[1..3],
        ["https://example.org/2026/11/07/frost#de/frost.md", "https://example.org/b"]
    );
    assert_eq!(minted(Ids::Zola)[3], "https://example.org/2026/11/07/frost/");
    assert_eq!(serde_json::to_string(&Ids::JekyllFeed).expect("a name"), "\"jekyll-feed\"");
}

#[test]
fn an_authors_own_id_is_made_an_iri_and_follows_the_file() {
    let cases = [
        ("https://old.example.org/?p=12", "https://old.example.org/?p=12"),
        ("tag:example.org,2019:x", "tag:example.org,2019:x"),
        ("6BA7B810-9dad-11d1-80b4-00c04fd430c8", "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        (" my first post ", "tag:example.org,2026:my%20first%20post"),
        ("note: hello", "tag:example.org,2026:note:%20hello"),
        ("12:30", "tag:example.org,2026:12:30"),
    ];
    for (guid, id) in cases {
        let mut first = post("a.md", "a", "2026-11-07", 1);
        first.rare.guid = Some(guid.into());
        let assigned = run(&[], std::slice::from_ref(&first), FIRST);
        assert_eq!(ids(&assigned), [id]);
        let mut moved = post("b.md", "b", "2025-11-08", 2);
        moved.rare.guid = Some(guid.into());
        let again = run(&rows(&assigned), &[moved], LATER);
        assert_eq!((ids(&again), &again[0].change), (vec![id], &Change::Moved { from: "a.md".into() }), "{guid}");
    }
}

#[test]
fn a_guid_that_is_added_keeps_the_id_and_a_copied_one_stays_with_its_post() {
    let first = run(&[], &[post("b.md", "b", "2026-11-07", 1)], FIRST);
    let mut named = post("b.md", "b", "2026-11-07", 1);
    named.rare.guid = Some("bee".into());
    let second = run(&rows(&first), std::slice::from_ref(&named), LATER);
    assert_eq!(second[0].change, Change::Same);
    assert_eq!(ids(&second), ids(&first));

    let mut copy = post("a.md", "a", "2026-11-12", 2);
    copy.rare.guid = Some("bee".into());
    let third = run(&rows(&second), &[copy, named], LATER);
    assert_eq!(ids(&third), ["tag:example.org,2026-11-12:a", ids(&first)[0]]);
    assert_eq!((&third[0].change, &third[1].change), (&Change::New, &Change::Same));
    assert_eq!(third[0].known.guid, None);
}

#[test]
fn a_post_is_found_again_by_what_is_left_of_it() {
    let old = post("old.md", "frost", "2026-11-07", 1);
    let words = prose(1);
    let words: Vec<&str> = words.split(' ').collect();
    let mostly = format!("{} and a new ending", words[..70].join(" "));
    let everything_else = |post: &mut Post| (post.slug, post.title) = ("other".into(), "Another title".into());
    let far = |post: &mut Post| {
        post.link = link("https://elsewhere.example/x");
        post.published = DateTime::parse_from_rfc3339("2026-10-01T00:00:00-06:00").unwrap();
    };
    let cases: Vec<(&str, Post, bool)> = vec![
        (
            "permalink on another domain",
            edit(&old, |p| {
                everything_else(p);
                p.body = Body::sketched(&prose(9));
                p.link = link("http://new.example.net/2026/11/07/frost/");
            }),
            true,
        ),
        (
            "date and slug",
            edit(&old, |p| {
                far(p);
                (p.published, p.title, p.body) = (old.published, "Another".into(), Body::sketched(&prose(9)));
            }),
            true,
        ),
        (
            "body",
            edit(&old, |p| {
                far(p);
                everything_else(p);
            }),
            true,
        ),
        (
            "title and day",
            edit(&old, |p| {
                far(p);
                (p.published, p.slug, p.body) = (old.published, "other".into(), Body::sketched(&prose(9)));
            }),
            true,
        ),
        (
            "likeness",
            edit(&old, |p| {
                far(p);
                everything_else(p);
                p.body = Body::sketched(&mostly);
            }),
            true,
        ),
        (
            "nothing",
            edit(&old, |p| {
                far(p);
                everything_else(p);
                p.body = Body::sketched(&prose(9));
            }),
            false,
        ),
        (
            "a short body",
            edit(&old, |p| {
                far(p);
                everything_else(p);
                p.body = Body::sketched("See you there.");
            }),
            false,
        ),
    ];
    for (what, mut new, same) in cases {
        let mut old = old.clone();
        if what == "a short body" {
            old.body = new.body.clone();
        }
        let first = run(&[], &[old], FIRST);
        new.path = "new.md".into();
        let second = run(&rows(&first), &[new], LATER);
        assert_eq!(ids(&second) == ids(&first), same, "{what}");
        let change = if same { Change::Moved { from: "old.md".into() } } else { Change::New };
        assert_eq!(second[0].change, change, "{what}");
    }
}

#[test]
fn a_file_that_comes_back_is_the_same_post() {
    let (a, b) = (post("a.md", "a", "2026-11-07", 1), post("b.md", "b", "2026-11-08", 2));
    let mut known = rows(&run(&[], &[a.clone(), b.clone()], FIRST));
    Arc::make_mut(&mut known[0]).gone = true;
    let back = run(&known, &[a, b], LATER);
    assert_eq!(back[0].change, Change::Same);
    assert!(!back[0].known.gone);
    assert_eq!(back[0].known.id, known[0].id);
}

#[test]
fn files_that_swap_names_leave_the_ids_with_the_paths() {
    let (a, b) = (post("a.md", "a", "2026-11-07", 1), post("b.md", "b", "2026-11-08", 2));
    let first = run(&[], &[a.clone(), b.clone()], FIRST);
    let swapped = [edit(&b, |p| p.path = "a.md".into()), edit(&a, |p| p.path = "b.md".into())];
    let second = run(&rows(&first), &swapped, LATER);
    assert_eq!(ids(&second), ids(&first));
    assert!(second.iter().all(|assigned| assigned.change == Change::Updated));
}

#[test]
fn updated_follows_what_readers_see() {
    let old = post("a.md", "a", "2026-11-07", 1);
    let first = rows(&run(&[], std::slice::from_ref(&old), FIRST));
    assert_eq!(first[0].updated, at("2026-11-07T06:00:00Z"));
    let own = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    let cases = [
        ("edited", edit(&old, |p| p.body = Body::sketched(&prose(2))), LATER, Change::Updated),
        (
            "minor",
            edit(&old, |p| (p.body, p.minor) = (Body::sketched(&prose(2)), true)),
            "2026-11-07T06:00:00Z",
            Change::Same,
        ),
        ("own", edit(&old, |p| p.rare.updated = own("2026-11-10T12:00:00Z")), "2026-11-10T12:00:00Z", Change::Updated),
        (
            "own, older",
            edit(&old, |p| p.rare.updated = own("2026-11-01T12:00:00Z")),
            "2026-11-07T06:00:00Z",
            Change::Same,
        ),
        (
            "postponed",
            edit(&old, |p| p.published = own("2026-11-09T12:00:00Z").unwrap()),
            "2026-11-09T12:00:00Z",
            Change::Updated,
        ),
    ];
    for (what, post, updated, change) in cases {
        let second = run(&first, std::slice::from_ref(&post), LATER);
        assert_eq!((second[0].known.updated, &second[0].change), (at(updated), &change), "{what}");
        let third = run(&rows(&second), &[post], "2026-11-22T12:00:00Z");
        assert_eq!((third[0].known.updated, &third[0].change), (at(updated), &Change::Same), "{what}");
    }
}

#[test]
fn no_two_posts_have_one_atom_date_and_it_is_remembered() {
    let posts: Vec<Post> = (0..5).map(|n| post(&format!("{n}.md"), &n.to_string(), "2026-11-07", n)).collect();
    let first = run(&[], &posts, FIRST);
    let seconds = |assigned: &[Assigned]| -> Vec<i64> {
        assigned.iter().map(|a| (a.known.atom_updated - at("2026-11-07T06:00:00Z")).num_seconds()).collect()
    };
    assert_eq!(seconds(&first), [0, 1, 2, 3, 4]);
    // The first goes, a new one comes: nobody else moves.
    let mut next = posts[1..].to_vec();
    next.insert(0, post("00.md", "zero", "2026-11-07", 9));
    let known: Vec<Arc<Known>> = rows(&first)
        .into_iter()
        .map(|row| Arc::new(Known { gone: row.post.path == "0.md", ..(*row).clone() }))
        .collect();
    assert_eq!(seconds(&run(&known, &next, LATER)), [5, 1, 2, 3, 4]);
}

#[test]
fn a_row_of_a_version_with_other_fingerprints_is_no_edit() {
    let old = post("a.md", "a", "2026-11-07", 1);
    let known: Vec<Arc<Known>> = rows(&run(&[], std::slice::from_ref(&old), FIRST))
        .into_iter()
        .map(|row| {
            let post = Post { fingerprint: Hash::of("of old"), stamp: None, ..(*row.post).clone() };
            Arc::new(Known { post: Arc::new(post), extent: Extent::Identifying, ..(*row).clone() })
        })
        .collect();
    let again = run(&known, std::slice::from_ref(&old), LATER);
    assert_eq!((again[0].known.updated, &again[0].change), (known[0].updated, &Change::Same));
    assert_eq!((again[0].known.extent, &again[0].known.post.fingerprint), (Extent::Whole, &old.fingerprint));
    let edited = run(&known, &[edit(&old, |p| p.body = Body::sketched(&prose(2)))], LATER);
    assert_eq!(edited[0].change, Change::Updated);
}

#[test]
fn many_posts_of_one_midnight_are_no_trouble() {
    let posts: Vec<Post> = (0..20_000)
        .map(|n| Post { body: Body::sketched(""), ..post(&format!("{n}.md"), "same", "2026-11-07", 0) })
        .collect();
    let first = run(&[], &posts, FIRST);
    let dates: HashSet<_> = first.iter().map(|assigned| assigned.known.atom_updated).collect();
    assert_eq!(dates.len(), posts.len());
    let renamed: Vec<Post> =
        posts.iter().map(|post| Post { path: format!("moved/{}", post.path), ..post.clone() }).collect();
    assert_eq!(run(&rows(&first), &renamed, LATER).len(), posts.len());
}

#[derive(Clone, Debug)]
enum Edit {
    Rename,
    Retitle,
    Slug,
    Domain,
    Scheme,
    Body,
}

fn apply(edits: &[Edit], post: &Post, n: usize) -> Post {
    edit(post, |p| {
        for edit in edits {
            match edit {
                Edit::Rename => p.path = format!("moved/{n}.md"),
                Edit::Retitle => p.title = format!("New title {n}"),
                Edit::Slug => {
                    p.slug = format!("new-slug-{n}");
                    p.link = p.url().join(&format!("../{}/", p.slug)).unwrap().into();
                }
                Edit::Domain => p.link = link(&p.link.as_str().replacen("example.org", "new.example.net", 1)),
                Edit::Scheme => p.link = link(&p.link.as_str().replacen("https:", "http:", 1)),
                Edit::Body => p.body = Body::sketched(&format!("{} And one thing more.", prose(n as u32))),
            }
        }
    })
}

proptest! {
    #[test]
    fn a_post_keeps_its_identity_for_life(
        changes in proptest::collection::vec(
            proptest::sample::subsequence(
                vec![Edit::Rename, Edit::Retitle, Edit::Slug, Edit::Domain, Edit::Scheme, Edit::Body], 0..=6,
            ), 1..8,
        ),
        rotate in 0_usize..8,
    ) {
        let posts: Vec<Post> =
            (0..changes.len()).map(|n| post(&format!("{n}.md"), &format!("s{n}"), "2026-11-07", n as u32)).collect();
        let first = run(&[], &posts, FIRST);
        let changed: Vec<Post> = posts.iter().enumerate().map(|(n, p)| apply(&changes[n], p, n)).collect();
        let second = run(&rows(&first), &changed, LATER);
        prop_assert_eq!(ids(&second), ids(&first));

        let third = run(&rows(&second), &changed, "2026-11-22T12:00:00Z");
        prop_assert_eq!(rows(&third), rows(&second));
        prop_assert!(third.iter().all(|assigned| assigned.change == Change::Same));

        // The order in which files and rows are read decides nothing.
        let mut known = rows(&first);
        let mut turned = changed.clone();
        known.reverse();
        turned.rotate_left(rotate % changed.len());
        let mut again = run(&known, &turned, LATER);
        again.rotate_right(rotate % changed.len());
        prop_assert_eq!(again, second);
    }

    #[test]
    fn ids_and_atom_dates_are_unique_whatever_the_files_do(
        runs in proptest::collection::vec(
            proptest::collection::btree_map(0_u32..6, (0_u32..4, 0_u32..3, proptest::option::of(0_u32..3)), 0..6), 1..5,
        ),
    ) {
        let mut known: Vec<Arc<Known>> = Vec::new();
        for (n, files) in runs.iter().enumerate() {
            let posts: Vec<Post> = files
                .iter()
                .map(|(path, (slug, body, guid))| {
                    let mut post = post(&format!("{path}.md"), &format!("s{slug}"), "2026-11-07", *body);
                    post.rare.guid = guid.map(|guid| format!("g{guid}"));
                    post
                })
                .collect();
            let assigned = run(&known, &posts, &format!("2026-11-2{n}T12:00:00Z"));
            for row in &mut known {
                Arc::make_mut(row).gone = true;
            }
            for new in rows(&assigned) {
                known.retain(|row| row.id != new.id);
                known.push(new);
            }
            let unique: HashSet<&str> = ids(&assigned).into_iter().collect();
            prop_assert_eq!(unique.len(), posts.len());
            let dates: HashSet<_> = known.iter().map(|row| row.atom_updated).collect();
            prop_assert_eq!(dates.len(), known.len());
            prop_assert!(assigned.iter().zip(&posts).all(|(a, p)| a.known.atom_updated >= p.published));
            let again = run(&known, &posts, "2026-11-29T12:00:00Z");
            prop_assert!(again.iter().all(|assigned| assigned.change == Change::Same), "{:?}", again);
        }
    }
}

#[test]
fn a_few_words_under_a_title_are_the_same_post_only_while_it_moves() {
    let short = |path: &str, slug: &str, day: &str| {
        edit(&post(path, slug, day, 1), |post| {
            post.title = "Open thread".into();
            post.body = Body::sketched("What is new with you?\n");
        })
    };
    let first = run(&[], &[short("a.md", "a", "2026-11-07")], FIRST);
    let moved = run(&rows(&first), &[short("b.md", "b", "2026-11-08")], LATER);
    assert_eq!(ids(&moved), ids(&first));
    // Of one that went long ago nobody thinks any more: the next of its kind is news.
    let gone: Vec<Arc<Known>> =
        rows(&first).into_iter().map(|row| Arc::new(Known { gone: true, ..(*row).clone() })).collect();
    let next = run(&gone, &[short("b.md", "b", "2026-11-08")], LATER);
    assert_eq!(next[0].change, Change::New);
}

#[test]
fn what_a_clock_ahead_of_its_time_wrote_does_not_stay() {
    let post = post("a.md", "a", "2026-11-07", 1);
    let first = run(&[], std::slice::from_ref(&post), FIRST);
    let ahead = edit(&post, |post| post.title = "Ahead".into());
    let ahead = run(&rows(&first), &[ahead], "2031-01-01T00:00:00Z");
    assert_eq!(ahead[0].known.updated, at("2031-01-01T00:00:00Z"));
    let back = edit(&post, |post| post.title = "Back".into());
    let back = run(&rows(&ahead), &[back], "2026-12-01T00:00:00Z");
    assert_eq!(back[0].known.updated, at("2026-12-01T00:00:00Z"));
}

#[test]
fn nobody_takes_the_id_of_a_post_that_is_there() {
    let (a, b) = (post("a.md", "a", "2026-11-07", 1), post("b.md", "b", "2026-11-08", 2));
    let first = run(&[], &[a.clone(), b.clone()], FIRST);
    let wanted = first[0].known.id.0.clone();
    let thief = edit(&b, |post| post.rare.guid = Some(wanted));
    let second = run(&rows(&first), &[a, thief], "2026-12-01T00:00:00Z");
    assert_eq!(ids(&second), ids(&first));
}
