//! What the pages for readers can use, and the letters to one of them.

use super::Site;
use crate::template::theme::{self, Theme};
use serde::Serialize;
use url::Url;

/// Something that can be chosen.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What people read.
    pub name: String,
    /// Whether it is.
    pub chosen: bool,
}

/// For `confirm`, `welcome`, `change`, `links`, `help` and `probe`: `subject.txt.j2`, `body.txt.j2` and `body.html.j2`. Nothing in it was typed by
/// whoever asked.
#[derive(Clone, Debug, Serialize)]
pub struct Letter {
    /// BCP 47: in which the letter speaks.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
    /// The site.
    pub site: Site,
    /// The finished subject; empty while the subject itself is rendered.
    pub subject: String,
    /// Where the reader can go.
    pub links: LetterLinks,
    /// `welcome` alone: the latest edition that has a page.
    pub latest: Option<Latest>,
    /// The sender's postal address, on one line, or nothing.
    pub postal_address: Option<String>,
    /// Colours and faces.
    pub theme: Theme,
}

/// Where the reader of a letter can go.
#[derive(Clone, Debug, Serialize)]
pub struct LetterLinks {
    /// What the letter is for: to confirm, to choose, to subscribe; nothing where there is no page to choose on. Both bodies must show it
    /// where it is there.
    pub action: Option<String>,
    /// Whether that opens a mail, which is to be sent as it is.
    pub by_mail: bool,
    /// Ends the subscription; nothing where there is none yet. Both bodies must show it where it is there.
    pub unsubscribe: Option<String>,
}

/// An edition to look at.
#[derive(Clone, Debug, Serialize)]
pub struct Latest {
    /// Its subject.
    pub title: String,
    /// Its page.
    pub url: String,
    /// BCP 47.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
}

/// For `web/subscribe.html.j2`, the form; `web/snippet.html.j2`, the same to be copied into other pages; and `web/links.html.j2`,
/// where one asks for the link to one's choices.
#[derive(Clone, Debug, Serialize)]
pub struct FormPage {
    /// BCP 47: in which the page speaks.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
    /// The site.
    pub site: Site,
    /// Where the form goes.
    pub action: String,
    /// What was typed before; mostly empty.
    pub address: String,
    /// What was wrong with it, or nothing.
    pub problem: Option<String>,
    /// The digests, where there are several.
    pub digests: Vec<Choice>,
    /// The topics that are offered.
    pub topics: Vec<Choice>,
    /// Says when the page was shown; the form must send it back.
    pub stamp: String,
}

/// For `web/confirm.html.j2`: the page behind a link that asks. It changes nothing until its button is pressed.
#[derive(Clone, Debug, Serialize)]
pub struct ConfirmPage {
    /// BCP 47: in which the page speaks.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
    /// The site.
    pub site: Site,
    /// `confirm` or `change`.
    pub kind: String,
    /// The address, masked: the link may have been forwarded.
    pub address: String,
    /// Where the form goes: the page's own URL.
    pub action: String,
}

/// For `web/preferences.html.j2`: what a reader gets.
#[derive(Clone, Debug, Serialize)]
pub struct PreferencesPage {
    /// BCP 47: in which the page speaks.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
    /// The site.
    pub site: Site,
    /// The address, masked.
    pub address: String,
    /// What was wrong with what was sent, or nothing.
    pub problem: Option<String>,
    /// The digests.
    pub digests: Vec<Choice>,
    /// The topics that are offered, and those chosen before.
    pub topics: Vec<Choice>,
    /// The languages, and none.
    pub languages: Vec<Choice>,
    /// `2026-12-24`, or empty.
    pub paused_until: String,
    /// Where the form goes: the page's own URL.
    pub action: String,
    /// The page where one leaves.
    pub unsubscribe: String,
}

/// For `web/unsubscribe.html.j2`: the page behind the link, which changes nothing until its button is pressed.
#[derive(Clone, Debug, Serialize)]
pub struct UnsubscribePage {
    /// BCP 47: in which the page speaks.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
    /// The site.
    pub site: Site,
    /// The subscriber's address, masked: the link may have been forwarded. Empty where nobody of that id is left.
    pub address: String,
    /// Where the form goes: the page's own URL.
    pub action: String,
}

/// For `web/left.html.j2`: a reader has left, and may say why.
#[derive(Clone, Debug, Serialize)]
pub struct LeftPage {
    /// BCP 47: in which the page speaks.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
    /// The site.
    pub site: Site,
    /// Where the form goes.
    pub action: String,
    /// The answers: each is said by the phrase `why_…`.
    pub reasons: Vec<String>,
}

/// For `web/done.html.j2`: something the reader asked for was done.
#[derive(Clone, Debug, Serialize)]
pub struct DonePage {
    /// BCP 47: in which the page speaks.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
    /// The site.
    pub site: Site,
    /// The headline: `You are subscribed`.
    pub title: String,
    /// One or two sentences.
    pub message: String,
    /// The page where the reader chooses what they get, or nothing.
    pub preferences: Option<String>,
}

/// For `web/error.html.j2`: something did not work.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorPage {
    /// BCP 47: in which the page speaks.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
    /// The site.
    pub site: Site,
    /// The headline.
    pub title: String,
    /// What happened, and what the reader can do.
    pub message: String,
    /// Where that is done, or nothing.
    pub again: Option<Again>,
}

/// A way on from a page on which something did not work.
#[derive(Clone, Debug, Serialize)]
pub struct Again {
    /// Where it leads.
    pub url: String,
    /// What the link says: `Subscribe`.
    pub label: String,
}

fn choices(names: &[&str]) -> Vec<Choice> {
    names.iter().map(|name| Choice { value: (*name).into(), name: (*name).into(), chosen: *name == names[0] }).collect()
}

impl Letter {
    /// Letters to try templates with: one that is all there is, one to a stranger, and one in another script.
    pub fn samples() -> [Self; 3] {
        let rich = Letter {
            language: "en".into(),
            dir: "ltr".into(),
            site: Site::sample(),
            subject: "Welcome to Field Notes".into(),
            links: LetterLinks {
                action: Some("https://news.example.org/preferences/sample".into()),
                by_mail: false,
                unsubscribe: Some("https://news.example.org/unsubscribe/sample".into()),
            },
            latest: Some(Latest {
                title: "Field Notes: The eels are back".into(),
                url: "https://example.org/editions/weekly/2026-11-23/".into(),
                language: "en".into(),
                dir: "ltr".into(),
            }),
            postal_address: Some("1 Sample Street, Chicago IL".into()),
            theme: theme::Settings::default().theme(&Url::parse("https://example.org/").expect("a URL")),
        };
        let mut bare = rich.clone();
        (bare.latest, bare.postal_address, bare.links.unsubscribe) = (None, None, None);
        let mut arabic = rich.clone();
        (arabic.language, arabic.dir) = ("ar".into(), "rtl".into());
        [rich, bare, arabic]
    }
}

impl FormPage {
    /// A page to try templates with.
    pub fn sample() -> Self {
        FormPage {
            language: "en".into(),
            dir: "ltr".into(),
            site: Site::sample(),
            action: "subscribe".into(),
            address: "ada@".into(),
            problem: Some("This is not an e-mail address.".into()),
            digests: choices(&["weekly", "each"]),
            topics: choices(&["birds", "eels & <such>"]),
            stamp: "sample".into(),
        }
    }
}

impl ConfirmPage {
    /// A page to try templates with.
    pub fn sample() -> Self {
        ConfirmPage {
            language: "en".into(),
            dir: "ltr".into(),
            site: Site::sample(),
            kind: "confirm".into(),
            address: "a…@e….org".into(),
            action: "sample".into(),
        }
    }
}

impl PreferencesPage {
    /// A page to try templates with.
    pub fn sample() -> Self {
        PreferencesPage {
            language: "en".into(),
            dir: "ltr".into(),
            site: Site::sample(),
            address: "a…@e….org".into(),
            problem: None,
            digests: choices(&["weekly", "each"]),
            topics: choices(&["birds", "eels & <such>"]),
            languages: choices(&["en", "de"]),
            paused_until: "2026-12-24".into(),
            action: "sample".into(),
            unsubscribe: "../unsubscribe/sample".into(),
        }
    }
}

impl UnsubscribePage {
    /// A page to try templates with.
    pub fn sample() -> Self {
        UnsubscribePage {
            language: "en".into(),
            dir: "ltr".into(),
            site: Site::sample(),
            address: "a…@e….org".into(),
            action: "sample".into(),
        }
    }
}

impl LeftPage {
    /// A page to try templates with.
    pub fn sample() -> Self {
        LeftPage {
            language: "en".into(),
            dir: "ltr".into(),
            site: Site::sample(),
            action: "sample/reason".into(),
            reasons: ["often", "content", "never", "other"].map(str::to_owned).into(),
        }
    }
}

impl DonePage {
    /// A page to try templates with.
    pub fn sample() -> Self {
        DonePage {
            language: "en".into(),
            dir: "ltr".into(),
            site: Site::sample(),
            title: "You are subscribed".into(),
            message: "From now on you get mail from Field Notes.".into(),
            preferences: Some("../preferences/sample".into()),
        }
    }
}

impl ErrorPage {
    /// A page to try templates with.
    pub fn sample() -> Self {
        ErrorPage {
            language: "en".into(),
            dir: "ltr".into(),
            site: Site::sample(),
            title: "This link does not work".into(),
            message: "It is not complete. Open it from the mail again, or answer the mail with the word “unsubscribe”."
                .into(),
            again: Some(Again { url: "../subscribe".into(), label: "Subscribe".into() }),
        }
    }
}
