//! People subscribe, confirm, choose, pause, change their address and come back, over real connections and by the mails that come;
//! and what those try who are no such people.

use crate::support::edition::{address, monday, row};
use crate::support::web::{Answer, CONFIG, Served, link_in};
use chrono::TimeDelta;
use postrider::message::letter;
use postrider::random::Random;
use postrider::subscriber::{Status, Suppression};
use postrider::token::Purpose;

const NEW: &str = "new@example.org";

/// Somebody who has confirmed, and the path of their preferences.
fn subscribed(served: &Served, email: &str) -> String {
    served.subscribe(email);
    let link = served.link("confirm");
    let page = served.post(&link, &[]);
    assert!(page.status == 200 && page.body.contains("You are subscribed"), "{page:?}");
    let at = page.body.find("../preferences/").expect("a way to choose") + 2;
    page.body[at..].split('"').next().unwrap().to_owned()
}

#[test]
fn a_person_subscribes_by_the_form_and_the_mail() {
    let served = Served::new();
    let form = served.get("/");
    assert!(form.status == 200 && form.body == served.get("/subscribe").body, "{form:?}");
    assert!(form.body.contains("value=\"birds\"") && form.body.contains("value=\"weekly\" checked"), "{form:?}");
    let answer = served.post(
        "/subscribe",
        &[
            ("email", " New@Example.org "),
            ("digest", "each"),
            ("topic", "birds"),
            ("topic", "nothing"),
            ("stamp", &served.stamp()),
        ],
    );
    assert!(answer.status == 200 && answer.body.contains("Look into your mailbox"), "{answer:?}");
    assert_eq!(served.status(NEW), "pending");
    let mails = served.mails();
    let (to, occasion, text) = &mails[0];
    assert_eq!((to.as_str(), occasion.as_str(), mails.len()), ("New@example.org", "confirm/1", 1));
    assert!(!text.contains("List-Unsubscribe") && text.contains("\nTo: <New@example.org>\n"), "{text}");
    let link = link_in(text, "confirm");
    // Scanners follow links.
    for _ in 0..3 {
        let page = served.get(&link);
        assert!(page.body.contains("Subscribe to Field &lt;Notes&gt;?") && page.body.contains("N…@e….org"), "{page:?}");
    }
    assert_eq!(served.status(NEW), "pending");
    assert!(served.post(&link, &[]).body.contains("You are subscribed"));
    let row = served.find(NEW).unwrap().row;
    assert_eq!((row.status, row.digests.as_str(), row.topics.as_str()), (Status::Active, ";each;", ";birds;"));
    // Again: the same page, and nothing happens.
    let before = served.dump();
    for method in ["GET", "POST"] {
        assert!(served.ask(method, &link, "", "").body.contains("You are subscribed"));
    }
    assert_eq!((served.dump(), served.mails().len()), (before, 0));
}

#[test]
fn who_confirms_is_greeted_where_that_is_wanted() {
    let served = Served::with(&CONFIG.replace("[subscribe]", "[subscribe]\nwelcome = true"));
    subscribed(&served, NEW);
    let mails = served.mails();
    assert_eq!((mails[0].1.as_str(), mails.len()), ("welcome/1", 1));
    assert!(mails[0].2.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{}", mails[0].2);
    let page = served.get(&link_in(&mails[0].2, "preferences"));
    assert!(page.status == 200 && page.body.contains("Your subscription"), "{page:?}");
    let leave = link_in(&mails[0].2, "unsubscribe");
    assert!(served.post(&leave, &[("List-Unsubscribe", "One-Click")]).body.contains("You are unsubscribed"));
    assert_eq!(served.status(NEW), "unsubscribed");
}

#[test]
fn preferences_hold_and_a_pause_is_a_day() {
    let served = Served::new();
    let path = subscribed(&served, NEW);
    let page = served.get(&path).body;
    assert!(page.contains("value=\"weekly\" checked") && !page.contains("value=\"each\" checked"), "{page}");
    let saved = served.post(
        &path,
        &[("digest", "each"), ("topic", "weather"), ("topic", "x"), ("language", "de"), ("pause", "2026-12-24")],
    );
    assert!(saved.status == 200 && saved.body.contains("Gespeichert"), "{saved:?}");
    let found = served.find(NEW).unwrap().row;
    assert_eq!(
        (found.status, found.digests.as_str(), found.topics.as_str(), found.language.as_deref()),
        (Status::Paused, ";each;", ";weather;", Some("de"))
    );
    let page = served.get(&path).body;
    assert!(page.contains("value=\"2026-12-24\"") && page.contains("<html lang=\"de\""), "{page}");
    let days = ["tomorrow", "2099-01-01", "2026-11-23", "2020-01-01"].map(|day| ("pause", day));
    for (field, value) in days.into_iter().chain([("new_address", "nobody")]) {
        let page = served.post(&path, &[("digest", "each"), (field, value)]);
        assert!(page.status == 400 && page.body.contains("class=\"problem\""), "{field}: {page:?}");
    }
    // To want nothing of all there is is to leave, and has a button of its own.
    let page = served.post(&path, &[("language", "en")]);
    assert!(page.body.contains("../unsubscribe/") && served.status(NEW) == "paused", "{page:?}");
    served.post(&path, &[("digest", "each"), ("language", "")]);
    let found = served.find(NEW).unwrap().row;
    assert_eq!((found.status, found.language), (Status::Active, None));
    // The link of the page works for an hour, and that of a mail for seven days.
    assert_eq!(served.later(TimeDelta::minutes(61)).get(&path).status, 410);
    let later = served.later(TimeDelta::hours(2));
    let asked = later.post("/preferences", &[("email", NEW), ("stamp", &later.stamp())]);
    assert!(asked.body.contains("Look into your mailbox"));
    let link = later.link("preferences");
    assert_eq!(later.get(&link).status, 200);
    assert_eq!(later.later(TimeDelta::days(6)).get(&link).status, 200);
    assert_eq!(later.later(TimeDelta::days(8)).get(&link).status, 410);
}

#[test]
fn an_address_changes_when_the_new_one_confirms_and_old_links_to_choices_end() {
    let served = Served::new();
    let path = subscribed(&served, "old@example.org");
    let id = served.find("old@example.org").unwrap().id;
    let asked = served.post(&path, &[("digest", "weekly"), ("new_address", NEW)]);
    assert!(asked.body.contains("Look into your mailbox"), "{asked:?}");
    let mails = served.mails();
    assert_eq!((mails[0].0.as_str(), mails[0].1.as_str(), mails.len()), (NEW, "change/1", 1));
    let link = link_in(&mails[0].2, "change");
    assert!(served.get(&link).body.contains("Use this address?") && served.status(NEW) == "nobody");
    assert!(served.post(&link, &[]).body.contains("Your address is changed"));
    assert_eq!((served.find(NEW).unwrap().id, served.status("old@example.org")), (id, "nobody".to_owned()));
    assert_eq!(served.get(&path).status, 410, "it was bound to the old address");
    let story = |email: &str| served.store().story(&address(email), &Random::seeded(1)).unwrap();
    assert_eq!(
        (story("old@example.org").status, story(NEW).status),
        (format!("changed to {NEW}"), "active".to_owned())
    );
}

#[test]
fn a_new_address_gets_its_own_link_to_choices_on_the_same_day() {
    let served = Served::new();
    subscribed(&served, "old@example.org");
    served.post("/preferences", &[("email", "old@example.org"), ("stamp", &served.stamp())]);
    let path = served.link("preferences");
    served.post(&path, &[("digest", "weekly"), ("new_address", NEW)]);
    let changed = served.post(&served.link("change"), &[]);
    assert!(changed.body.contains("../preferences/"), "{changed:?}");
    for mails in [1, 0] {
        served.post("/preferences", &[("email", NEW), ("stamp", &served.stamp())]);
        assert_eq!(served.mails().len(), mails, "one a day");
    }
}

#[test]
fn a_link_that_came_too_late_says_so_and_leads_on_and_a_broken_one_does_not() {
    let served = Served::new();
    let preferences = subscribed(&served, "old@example.org");
    served.post(&preferences, &[("digest", "weekly"), ("new_address", "third@example.org")]);
    let change = served.link("change");
    served.subscribe(NEW);
    let confirm = served.link("confirm");
    let late = served.later(TimeDelta::days(4));
    let offers = |path: &str, link: &str| {
        for method in ["GET", "POST"] {
            let page = late.ask(method, path, "", "");
            let said = page.body.contains("does not work any more") && page.body.contains(&format!("href=\"{link}\""));
            assert!(page.status == 410 && said, "{method} {path}: {page:?}");
        }
    };
    offers(&confirm, "../subscribe");
    offers(&change, "../preferences");
    offers(&preferences, "../preferences");
    // Who never confirmed is forgotten; their link is still one that came too late.
    late.store().tidy_requests(monday() + TimeDelta::days(5)).unwrap();
    assert_eq!(late.status(NEW), "nobody");
    offers(&confirm, "../subscribe");
    for broken in [&confirm[..confirm.len() - 3], "/confirm/x", "/change/aaaaaaaaaaaaaaaaaaaaaaaa"] {
        let page = late.get(broken);
        assert!(page.status == 404 && page.body.contains("copy the whole of it"), "{broken}: {page:?}");
    }
}

#[test]
fn a_program_that_asks_for_json_or_sends_it_gets_json_with_a_sentence() {
    let served = Served::new();
    let send = |headers: &str, body: &str| {
        let answer = served.ask("POST", "/subscribe", &format!("{headers}\r\n"), body);
        assert_eq!(answer.field("content-type"), Some("application/json"), "{answer:?}");
        let said: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert!(said["message"].as_str().is_some_and(|message| message.ends_with('.')), "{said}");
        (answer.status, said["result"].as_str().unwrap().to_owned())
    };
    let stamp = served.stamp();
    let whole = format!(r#"{{"email": "{NEW}", "digest": ["each"], "topic": "birds", "stamp": "{stamp}"}}"#);
    let json = "Content-Type: application/json";
    let accept = "Content-Type: application/x-www-form-urlencoded\r\nAccept: application/json";
    for (headers, body, expected) in [
        (json, r#"{"email": "new@example.org"}"#, (403, "form")),
        (accept, "email=new@example.org", (403, "form")),
        (json, "[1]", (400, "wrong")),
        (json, &format!(r#"{{"email": "x", "stamp": "{stamp}"}}"#), (400, "address")),
        (json, &whole, (200, "asked")),
        (json, r#"{"email": "new@example.org", "website": "x"}"#, (200, "asked")),
    ] {
        assert_eq!(send(headers, body), (expected.0, expected.1.to_owned()), "{body}");
    }
    let row = served.find(NEW).unwrap().row;
    assert_eq!((row.digests.as_str(), row.topics.as_str(), served.mails().len()), (";each;", ";birds;", 1));
}

#[test]
fn known_and_unknown_addresses_get_the_same_answer() {
    let served = Served::new();
    let random = Random::seeded(1);
    let store = served.store();
    for (email, status) in
        [("a@example.org", Status::Active), ("u@example.org", Status::Unsubscribed), ("p@example.org", Status::Paused)]
    {
        store
            .add_subscriber(&postrider::subscriber::file::Row { status, ..row(email) }, "cli", &random, monday())
            .unwrap();
    }
    store.suppress(&address("m@example.org"), Suppression::Manual, &random, monday()).unwrap();
    store.suppress(&address("b@example.org"), Suppression::Bounce, &random, monday()).unwrap();
    drop(store);
    let people = ["a@example.org", "u@example.org", "p@example.org", "m@example.org", "b@example.org", NEW, NEW];
    for path in ["/subscribe", "/preferences"] {
        let mut answers = people.map(|email| {
            let Answer { status, head, body } = served.post(path, &[("email", email), ("stamp", &served.stamp())]);
            (status, head.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n"), body)
        });
        answers.sort();
        assert_eq!(answers.first(), answers.last());
    }
    let mut wrote: Vec<(String, String)> = served.mails().into_iter().map(|(to, what, _)| (to, what)).collect();
    wrote.sort();
    let expected =
        [("a@", "links/1"), ("b@", "confirm/1"), ("new@", "confirm/1"), ("p@", "links/1"), ("u@", "confirm/1")];
    assert_eq!(wrote, expected.map(|(to, what)| (format!("{to}example.org"), what.to_owned())));
}

#[test]
fn who_bounced_complained_or_left_comes_back_by_a_confirmed_wish() {
    let served = Served::new();
    let random = Random::seeded(1);
    for reason in [Suppression::Bounce, Suppression::Complaint] {
        let email = format!("{}@example.org", reason.as_str());
        served.store().suppress(&address(&email), reason, &random, monday()).unwrap();
        subscribed(&served, &email);
        assert_eq!(served.store().suppression(&address(&email), &random).unwrap(), None);
    }
    served.store().suppress(&address("manual@example.org"), Suppression::Manual, &random, monday()).unwrap();
    served.subscribe("manual@example.org");
    assert_eq!(served.mails().len(), 0);
    let id = served.find("bounce@example.org").unwrap().id;
    served.post(&format!("/unsubscribe/{}", served.keyring.sign(Purpose::Unsubscribe, &id)), &[]);
    assert_eq!(served.status("bounce@example.org"), "unsubscribed");
    let later = served.later(TimeDelta::hours(25));
    subscribed(&later, "bounce@example.org");
    assert_eq!(
        (later.status("bounce@example.org"), later.find("bounce@example.org").unwrap().id),
        ("active".into(), id)
    );
}

#[test]
fn a_form_on_the_sites_own_pages_needs_no_stamp_and_leads_where_it_was_told() {
    let config = CONFIG.replace(
        "[subscribe]",
        "[subscribe]\nthanks = \"https://example.org/thanks/\"\norigins = [\"https://shop.example\"]",
    );
    let served = Served::with(&config);
    let fields = [("email", NEW), ("next", "https://evil.example/"), ("thanks", "https://evil.example/")];
    for origin in ["https://example.org", "https://shop.example"] {
        let answer = served.post_with("/subscribe", &format!("Origin: {origin}\r\n"), &fields);
        assert_eq!((answer.status, answer.field("location")), (303, Some("https://example.org/thanks/")), "{answer:?}");
        assert_eq!(answer.field("access-control-allow-origin"), Some(origin));
    }
    let json = served.post_with("/subscribe", "Origin: https://example.org\r\nAccept: application/json\r\n", &fields);
    assert!(json.status == 200 && json.body.contains("\"result\":\"asked\""), "{json:?}");
    let json = served.post_with(
        "/subscribe",
        "Origin: https://example.org\r\nAccept: application/json\r\n",
        &[("email", "x")],
    );
    assert!(json.status == 400 && json.body.contains("\"result\":\"address\""), "{json:?}");
    assert_eq!(served.mails().len(), 1);
    // From elsewhere, our own form is shown, with what was typed; one more click.
    for headers in ["Origin: https://evil.example\r\n", "Origin: null\r\n", ""] {
        let form = served.post_with("/subscribe", headers, &[("email", "\"><b>@example.org")]);
        assert!(form.status == 200 && form.body.contains("value=\"&quot;&gt;&lt;b&gt;@example.org\""), "{form:?}");
        assert_eq!(form.field("access-control-allow-origin"), None);
    }
    let snippet = served.get("/snippet");
    assert!(
        snippet.body.contains("action=\"https://news.example.org/subscribe\"") && !snippet.body.contains("<script"),
        "{snippet:?}"
    );
}

#[test]
fn a_program_gets_the_answer_of_a_person_and_sends_nothing() {
    let served = Served::new();
    let person = served.subscribe("person@example.org").body;
    let (fast, forged) = (served.stamp_of(TimeDelta::zero()), "1795446000aaaaaaaaaaaaaaaa");
    for fields in [
        vec![("email", NEW), ("stamp", &fast)],
        vec![("email", NEW), ("stamp", forged)],
        vec![("email", NEW), ("stamp", &served.stamp()), ("website", "https://spam.example")],
    ] {
        assert_eq!(served.post("/subscribe", &fields).body, person, "{fields:?}");
    }
    // A page that was left open is shown anew.
    let old = served.post("/subscribe", &[("email", NEW), ("stamp", &served.stamp_of(TimeDelta::days(2)))]);
    assert!(old.status == 200 && old.body.contains(&format!("value=\"{NEW}\"")), "{old:?}");
    assert_eq!((served.status(NEW), served.mails().len()), ("nobody".to_owned(), 1));
}

#[test]
fn there_are_limits_for_a_network_and_for_all() {
    let limits = "requests_per_network = \"2/h\"\nrequests = \"4/h\"\ntrusted_proxies = [\"127.0.0.1\"]\n[web]";
    let config = CONFIG.replace("[web]\n", &format!("[web]\n{}", limits.trim_end_matches("[web]")));
    let served = Served::with(&config);
    let ask = |from: &str, n: usize| {
        let email = format!("{n}@example.org");
        let headers = format!("X-Forwarded-For: 6.6.6.6, {from}\r\n");
        served.post_with("/subscribe", &headers, &[("email", &email), ("stamp", &served.stamp())])
    };
    assert_eq!([ask("203.0.113.1", 1).status, ask("203.0.113.200", 2).status], [200, 200]);
    let refused = ask("203.0.113.3", 3);
    assert_eq!((refused.status, refused.field("retry-after")), (429, Some("3600")));
    assert_eq!([ask("2001:db8:1:1::1", 4).status, ask("2001:db8:1:2::1", 5).status], [200, 200]);
    assert_eq!(ask("198.51.100.1", 6).status, 429, "all together");
    assert_eq!(served.mails().len(), 4);
    // Whoever may not be believed is one network, whatever they say.
    let plain = Served::with(&CONFIG.replace("[web]\n", "[web]\nrequests_per_network = \"1/h\"\n"));
    let ask = |n: usize| {
        let headers = format!("X-Forwarded-For: 203.0.{n}.1\r\n");
        plain
            .post_with("/subscribe", &headers, &[("email", &format!("{n}@example.org")), ("stamp", &plain.stamp())])
            .status
    };
    assert_eq!([ask(1), ask(2)], [200, 429]);
}

#[test]
fn a_token_is_good_for_what_it_names_and_nothing_else() {
    let served = Served::new();
    let preferences = subscribed(&served, "old@example.org");
    subscribed(&served, "other@example.org");
    served.post(&preferences, &[("digest", "weekly"), ("new_address", "third@example.org")]);
    let change = served.link("change");
    served.subscribe(NEW);
    let confirm = served.link("confirm");
    let token = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let leave = served.keyring.sign(Purpose::Unsubscribe, &served.find("old@example.org").unwrap().id);
    let all = [
        ("confirm", token(&confirm)),
        ("change", token(&change)),
        ("preferences", token(&preferences)),
        ("unsubscribe", leave),
    ];
    let before = served.dump();
    for (kind, token) in &all {
        for (other, _) in all.iter().filter(|(other, _)| other != kind) {
            for method in ["GET", "POST"] {
                let page = served.ask(method, &format!("/{other}/{token}"), "", "");
                assert!((400..500).contains(&page.status), "{method} a {kind} at {other}: {page:?}");
            }
        }
        // Every part of it counts: whose, which, until when, and the signature.
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'a' { b'b' } else { b'a' };
            let path = format!("/{kind}/{}", String::from_utf8(forged).unwrap());
            let page = served.post(&path, &[("digest", "each")]);
            assert!((400..500).contains(&page.status), "{path}: {page:?}");
        }
        let end = token.len() - 16;
        for other in [&token[end..], &token[..end]] {
            assert!((400..500).contains(&served.post(&format!("/{kind}/{other}"), &[]).status));
        }
    }
    // A link to the choices of one is not made one of another's, nor longer.
    let store = served.store();
    let (old, other) = (served.find("old@example.org").unwrap().id, served.find("other@example.org").unwrap().id);
    let hash = store.hash_of_subscriber(&other).unwrap().unwrap();
    let mine = letter::preferences(&served.keyring, &other, &hash, monday() + TimeDelta::days(9));
    let theirs = format!("/preferences/{}", mine.replace(&other, &old));
    assert_eq!(served.post(&theirs, &[("digest", "each")]).status, 410);
    drop(store);
    assert_eq!(served.dump(), before);
}

#[test]
fn what_is_typed_reaches_no_mail_header_and_no_log() {
    let served = Served::new();
    for typed in [
        "a@example.org\r\nBcc: b@example.org",
        "a@example.org%0aBcc:x",
        "\"a\"@example.org",
        "a@b@example.org\u{202E}",
        &"a".repeat(9000),
    ] {
        let page = served.post("/subscribe", &[("email", typed), ("name", "Spam <b>"), ("stamp", &served.stamp())]);
        assert_eq!(page.status, 400, "{typed:?}");
        assert!(!page.head.contains("bcc"), "{page:?}");
    }
    served.post_with(
        "/subscribe",
        "Accept-Language: de\r\nUser-Agent: x\r\n",
        &[
            ("email", NEW),
            ("name", "Buy now https://spam.example"),
            ("topic", "Buy now"),
            ("digest", "Buy now"),
            ("stamp", &served.stamp()),
        ],
    );
    let mails = served.mails();
    assert!(
        mails.len() == 1 && !mails[0].2.contains("Buy now") && mails[0].2.contains("Bitte bestätigen"),
        "{mails:?}"
    );
    assert!(!served.dump().contains("Buy now"));
}

/// A scanner follows every link in every mail and page, and on from there.
#[test]
fn no_link_changes_anything_by_being_followed() {
    let served = Served::with(&CONFIG.replace("[subscribe]", "[subscribe]\nwelcome = true"));
    let preferences = subscribed(&served, "reader@example.org");
    served.post(&preferences, &[("digest", "weekly"), ("new_address", "third@example.org")]);
    served.subscribe(NEW);
    served.later(TimeDelta::hours(1)).subscribe("reader@example.org");
    let mails = served.later(TimeDelta::hours(2)).mails();
    let mut occasions: Vec<&str> = mails.iter().map(|mail| mail.1.as_str()).collect();
    occasions.sort_unstable();
    assert_eq!(occasions, ["change/1", "confirm/1", "links/1", "welcome/1"]);
    let mut waiting: Vec<String> =
        ["/", "/subscribe", "/snippet", "/preferences", "/metrics", "/healthz", "/robots.txt", &preferences]
            .map(str::to_owned)
            .into();
    for (_, _, text) in &mails {
        for piece in text.split("https://news.example.org/").skip(1) {
            waiting
                .push(format!("/{}", piece.split(|c: char| c.is_whitespace() || "\"<>,)".contains(c)).next().unwrap()));
        }
    }
    let before = served.dump();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        for method in ["HEAD", "GET"] {
            let page = served.ask(method, &path, "", "");
            assert!(page.status < 500, "{path}: {page:?}");
            let base = url::Url::parse(&format!("http://news{path}")).unwrap();
            for attribute in ["href=\"", "action=\""] {
                for link in page.body.split(attribute).skip(1) {
                    let url = base.join(link.split('"').next().unwrap()).unwrap();
                    if url.host_str() == Some("news") {
                        waiting.push(url.path().to_owned());
                    }
                }
            }
        }
    }
    for kind in ["/change/", "/confirm/", "/preferences/", "/unsubscribe/"] {
        assert!(seen.iter().any(|path| path.starts_with(kind)), "{kind}: {seen:?}");
    }
    assert_eq!(served.dump(), before);
}

#[test]
fn a_request_is_known_by_when_where_and_in_which_words() {
    let served = Served::with(&CONFIG.replace("[subscribe]", "[subscribe]\nkeep_network = true"));
    served.subscribe(NEW);
    assert!(served.dump().contains("Text(\"127.0.0.0/24\")"));
    let random = Random::seeded(1);
    let asked = |served: &Served| {
        let story = served.store().story(&address(NEW), &random).unwrap();
        assert_eq!(story.status, "pending");
        let event = story.events.into_iter().find(|event| event.kind == "asked").unwrap();
        event.text.rsplit_once(' ').map(|(how, words)| (how.to_owned(), words.len())).unwrap()
    };
    assert_eq!(asked(&served), ("confirm/1: by form, from 127.0.0.0/24, words".to_owned(), 8));
    let without = Served::new();
    without.subscribe(NEW);
    assert!(!without.dump().contains("127.0.0"));
    assert_eq!(asked(&without), ("confirm/1: by form, words".to_owned(), 8));
}
