//! What reading and rendering a post costs, and a mail for one reader, part by part: `cargo bench --bench parts`.

use divan::Bencher;
use divan::counter::BytesCount;
use postrider::address::Mailbox;
use postrider::edition::compose::{Composition, UNSUBSCRIBE_LINK};
use postrider::html;
use postrider::message::{self, List, Personal, Skeleton};
use postrider::post::date::{self, Naive};
use postrider::post::front_matter::{self, Fences};
use postrider::post::identity::Body;
use postrider::post::kramdown::Flavour;
use postrider::post::markdown;

fn main() {
    divan::main();
}

const SIMPLE: &str = "---\nlayout: post\ntitle: “Frost” and more\ndate: 2026-11-07 09:00:00 -0600\nauthor: Ada\ntags: [garden, winter]\n---\nBody\n";
const NESTED: &str = "---\nlayout: post\ntitle: >\n  Frost\nauthor:\n  name: Ada\n  url: https://example.org/\ntags: [garden, winter]\n---\nBody\n";

/// About 4 KB, as half of all posts are.
fn body() -> String {
    let part = "## A heading\n\nSome *words* with a [link](https://example.org/a) and `code`, which go on for a while and\n\
                then end.\n\n- one\n- two\n\n```rust\nfn main() {}\n```\n\n> A quote — “so”.\n\n![A picture](/a.png)\n\n";
    part.repeat(16)
}

#[divan::bench(args = [("lines", SIMPLE), ("nested", NESTED)])]
fn front_matter(bencher: Bencher<'_, '_>, (_, text): (&str, &str)) {
    bencher.bench(|| front_matter::parse(&front_matter::split(divan::black_box(text), Fences::Jekyll)));
}

#[divan::bench]
fn dates(bencher: Bencher<'_, '_>) {
    bencher
        .bench(|| date::parse(divan::black_box("2026-11-07 09:00:00 -0600"), chrono_tz::America::Chicago, Naive::Utc));
}

#[divan::bench]
fn remembering_a_body(bencher: Bencher<'_, '_>) {
    let body = body();
    bencher.counter(BytesCount::of_str(&body)).bench(|| Body::of(&body));
}

#[divan::bench(args = [Flavour::CommonMark, Flavour::Kramdown])]
fn markdown_to_html(bencher: Bencher<'_, '_>, flavour: Flavour) {
    let body = body();
    bencher.counter(BytesCount::of_str(&body)).bench(|| markdown::to_html_as(flavour, &body, "p"));
}

#[divan::bench]
fn cleaning(bencher: Bencher<'_, '_>) {
    let html = markdown::to_html_as(Flavour::CommonMark, &body(), "p");
    let base = "https://example.org/p/".parse().expect("a URL");
    bencher.counter(BytesCount::of_str(&html)).bench(|| html::clean(&html, &base));
}

/// As an edition of eleven whole posts has it: about 40 KB on the wire.
fn skeleton_of_an_edition() -> Skeleton {
    let mail: message::Settings = toml::from_str("from = 'Field Notes <news@example.org>'").expect("settings");
    let page = "https://news.example.org".parse().expect("a URL");
    let list = List::new("Field Notes", "weekly", &mail, None, Some(&page));
    let words = "Ferns on the window pane, drawn in one night by water and a scratch.\n".repeat(250);
    let composition = Composition {
        subject: "Field Notes: What the frost drew".to_owned(),
        preheader: "Also: the owl in the parking lot".to_owned(),
        html: format!("<p>{words}</p><p><a href=\"{UNSUBSCRIBE_LINK}\">Unsubscribe</a></p>"),
        text: format!("{words}{UNSUBSCRIBE_LINK}\n"),
    };
    message::skeleton(&mail, &list, &composition, "weekly/2026-11-23").expect("a message")
}

#[divan::bench]
fn splicing_one_readers_message(bencher: Bencher<'_, '_>) {
    let skeleton = skeleton_of_an_edition();
    let to = Mailbox { name: Some("Zoë Example".to_owned()), address: "zoe@example.net".parse().expect("an address") };
    let date = chrono::DateTime::from_timestamp(1_795_446_000, 0).expect("a moment");
    let personal = Personal {
        delivery: "mfrggzdfmztwq2lk",
        to: &to,
        date,
        token: "u1-mfrggzdfmztwq2lknnwg23tp-nbswy3dpeb3w64tmmqqq",
        action: "",
    };
    let mut buffer = skeleton.splice(&personal);
    let octets = BytesCount::new(buffer.len());
    bencher.counter(octets).bench_local(|| {
        buffer = skeleton.splice_into(std::mem::take(&mut buffer), divan::black_box(&personal));
    });
}
