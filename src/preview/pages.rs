//! The pages of a preview, by path: the same in the browser and in a folder. All links among them are relative.
//!
//! ```text
//! index.html  preview.css  preview.js        pictures/…
//! mails/weekly/1/  mail.html mail.txt mail.eml   the parts and the whole, as they are
//!                  light.html dark-no-pictures.html …   the HTML as the page shows it, one for each look
//!                  text.html source.html
//!                  phone.html tablet-dark.html …  whole pages, for pictures of them
//! feeds/1/         reader.html  rss.html atom.html json.html   and the feeds themselves
//! ```

use super::look::{self, Look, Pictures, Scheme, Style};
use super::{Feed, Mail, Preview, media_type, view};
use crate::feed::Format;
use crate::html::escape;
use crate::output;
use crate::template::{self, Templates};
use aws_lc_rs::digest::{SHA256, digest};
use std::fmt::Write;

/// The program's own templates of these pages; nobody replaces them.
const TEMPLATES: [(&str, &str); 1] = [("preview/index.html.j2", include_str!("../../templates/preview/index.html.j2"))];
const STYLES: &str = include_str!("../../templates/preview/preview.css");
const SCRIPT: &str = include_str!("../../templates/preview/preview.js");
/// Makes the frame of a page for pictures as high as the mail in it.
const FIT: &str = "const f = document.querySelector('iframe'); f.onload = () => { f.height = 0; f.height = f.contentDocument.documentElement.scrollHeight; };";

/// Whole pages, for pictures of them: their name, the width of the mail in CSS pixels, and how it is looked at.
const SCREENS: [(&str, u32, Look); 8] = [
    ("phone", PHONE, PLAIN),
    ("tablet", TABLET, PLAIN),
    ("desktop", DESKTOP, PLAIN),
    ("phone-dark", PHONE, DARK),
    ("tablet-dark", TABLET, DARK),
    ("desktop-dark", DESKTOP, DARK),
    ("no-pictures", DESKTOP, Look { pictures: Pictures::Off, ..PLAIN }),
    ("no-style", PHONE, Look { style: Style::Dropped, ..PLAIN }),
];
const PHONE: u32 = 360;
const TABLET: u32 = 768;
const DESKTOP: u32 = 1024;
const PLAIN: Look = Look { scheme: Scheme::Light, pictures: Pictures::On, style: Style::Kept };
const DARK: Look = Look { scheme: Scheme::Dark, ..PLAIN };

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its media type, with its charset.
    pub media_type: &'static str,
    /// What it may do, where it is served.
    pub may: May,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// What a page may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Run the preview's own script, and show the others in frames.
    Act,
    /// Nothing but show itself: it holds what comes from posts and templates.
    Show,
    /// The same, around a frame that its one script makes as high as it needs to be.
    Fit,
}

impl Page {
    fn shown(media_type: &'static str, bytes: impl Into<Vec<u8>>) -> Option<Page> {
        Some(Page { media_type, may: May::Show, bytes: bytes.into() })
    }

    fn html(text: String) -> Option<Page> {
        Page::shown("text/html; charset=utf-8", text)
    }
}

/// The value of `Content-Security-Policy` for the one script of pages that fit.
pub fn fitting() -> String {
    format!("'sha256-{}'", data_encoding::BASE64.encode(digest(&SHA256, FIT.as_bytes()).as_ref()))
}

/// The page on which nothing is to be seen but why there is no preview.
///
/// # Errors
/// When the page's own template is broken.
pub fn trouble(sentence: &str, version: &str) -> Result<Page, template::Error> {
    let html = Templates::of_program(&TEMPLATES).render(TEMPLATES[0].0, &view::Page::trouble(sentence, version))?;
    Ok(Page { media_type: "text/html; charset=utf-8", may: May::Act, bytes: html.into_bytes() })
}

/// What the pages look like and how they act: the same for every preview.
pub fn own(path: &str) -> Option<Page> {
    match path {
        "preview.css" => Page::shown("text/css; charset=utf-8", STYLES),
        "preview.js" => Page::shown("text/javascript; charset=utf-8", SCRIPT),
        _ => None,
    }
}

impl Preview {
    /// The page to begin with. `version` is there in the browser, where it changes with the files; `trouble` is why they cannot
    /// be shown as they are now.
    ///
    /// # Errors
    /// When the page's own template is broken.
    pub fn index(&self, version: Option<&str>, trouble: Option<&str>) -> Result<Page, template::Error> {
        let context = view::Page::of(self, version, trouble);
        let html = Templates::of_program(&TEMPLATES).render(TEMPLATES[0].0, &context)?;
        Ok(Page { media_type: "text/html; charset=utf-8", may: May::Act, bytes: html.into_bytes() })
    }

    /// The paths of all other pages, without the pictures.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = vec!["preview.css".to_owned(), "preview.js".to_owned()];
        for (digest, at, _) in self.mails() {
            let folder = mail_folder(&digest.name, at);
            let named = ["mail.html", "mail.txt", "mail.eml", "text.html", "source.html"].map(str::to_owned);
            let looks = Look::all().map(|look| format!("{}.html", look.name()));
            let screens = SCREENS.iter().map(|(name, ..)| format!("{name}.html"));
            paths.extend(named.into_iter().chain(looks).chain(screens).map(|name| folder.clone() + &name));
        }
        for (at, feed) in self.feeds.iter().enumerate() {
            let folder = feed_folder(at);
            paths.push(format!("{folder}reader.html"));
            for (format, ..) in &feed.files {
                paths.push(format!("{folder}{}.html", source_name(*format)));
                paths.push(format!("{folder}{}", format.file_name()));
            }
        }
        paths
    }

    /// The page at a path; a picture is read where it lies.
    pub fn page(&self, path: &str) -> Option<Page> {
        if let Some(page) = own(path) {
            return Some(page);
        }
        let (folder, rest) = path.split_once('/')?;
        if folder == "pictures" {
            let picture = self.pictures.file(rest)?;
            return Page::shown(media_type(rest)?, output::read(&picture.file).ok()??);
        }
        let (below, name) = rest.rsplit_once('/')?;
        match folder {
            "mails" => {
                let mut mails = self.mails();
                let (.., mail) =
                    mails.find(|(digest, at, _)| mail_folder(&digest.name, *at) == format!("mails/{below}/"))?;
                self.of_mail(mail, name)
            }
            "feeds" => {
                let number: usize = below.parse().ok()?;
                self.of_feed(self.feeds.get(number.checked_sub(1)?)?, name)
            }
            _ => None,
        }
    }

    fn of_mail(&self, mail: &Mail, name: &str) -> Option<Page> {
        let looked_at = |look| look::at(&mail.html, look, &|address| self.picture("../../../", address));
        match name {
            "mail.html" => Page::html(mail.html.clone()),
            "mail.txt" => Page::shown("text/plain; charset=utf-8", mail.text.clone()),
            // Not one that a browser would give away.
            "mail.eml" => Page::shown("text/plain; charset=utf-8", mail.message.clone()),
            "text.html" => Page::html(source("Text", "../../../", &mail.text)),
            "source.html" => Page::html(source("Source", "../../../", &mail.message.replace("\r\n", "\n"))),
            _ => {
                let stem = name.strip_suffix(".html")?;
                if let Some((_, width, look)) = SCREENS.iter().find(|(known, ..)| *known == stem) {
                    let bytes = screen(&mail.subject, *width, look.scheme, &looked_at(*look)).into_bytes();
                    return Some(Page { media_type: "text/html; charset=utf-8", may: May::Fit, bytes });
                }
                Look::all().find(|look| look.name() == stem).and_then(|look| Page::html(looked_at(look)))
            }
        }
    }

    fn of_feed(&self, feed: &Feed, name: &str) -> Option<Page> {
        if name == "reader.html" {
            return Page::html(self.reader(feed));
        }
        feed.files.iter().find_map(|(format, _, bytes)| {
            if name == format.file_name() {
                // As text: a browser would show it in its own way.
                return Page::shown("text/plain; charset=utf-8", bytes.clone());
            }
            let is_source = name.strip_suffix(".html") == Some(source_name(*format));
            is_source
                .then(|| Page::html(source(&format.to_string(), "../../", &String::from_utf8_lossy(bytes))))
                .flatten()
        })
    }

    fn picture(&self, up: &str, address: &str) -> Option<String> {
        self.pictures.link(address).map(|link| format!("{up}{link}"))
    }

    /// A feed as a reader shows it.
    fn reader(&self, feed: &Feed) -> String {
        let mut body = String::new();
        for entry in &feed.entries {
            let language = entry.language.as_ref().map_or(String::new(), |tag| format!(" lang=\"{}\"", escape(tag)));
            let _ = write!(
                body,
                "<article{language} dir=\"auto\"><h2><a href=\"{}\">{}</a></h2><p class=\"date\">{}</p>",
                escape(&entry.url),
                escape(&entry.title),
                escape(&entry.date)
            );
            if !entry.summary.is_empty() {
                let _ = write!(body, "<p class=\"summary\">{}</p>", escape(&entry.summary));
            }
            if let Some(html) = &entry.html {
                let html = look::with_pictures(html, &|address| self.picture("../../", address));
                let _ = write!(
                    body,
                    "<details><summary>The whole entry</summary><div class=\"content\">{html}</div></details>"
                );
            }
            body.push_str("</article>\n");
        }
        if feed.entries.is_empty() {
            body.push_str("<p>There is no entry.</p>");
        }
        document(&feed.title, &self.language, "../../", "reader", &body)
    }
}

/// The folder of a mail's pages: of the `at`-th mail of a digest, counted from 0.
pub fn mail_folder(digest: &str, at: usize) -> String {
    format!("mails/{digest}/{}/", at + 1)
}

/// The folder of a feed's pages.
pub(super) fn feed_folder(at: usize) -> String {
    format!("feeds/{}/", at + 1)
}

/// What the page with a feed's source is called.
pub(super) fn source_name(format: Format) -> &'static str {
    match format {
        Format::Rss => "rss",
        Format::Atom => "atom",
        Format::Json => "json",
    }
}

/// A page of ours around something of others', in the system's own scheme. `up` leads to the folder of all pages.
fn document(title: &str, language: &str, up: &str, class: &str, body: &str) -> String {
    let (language, title) = (escape(language), escape(title));
    format!(
        "<!doctype html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'self' file:; img-src 'self' file: https: data:; base-uri 'none'; form-action 'none'\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"referrer\" content=\"no-referrer\">\
         <base target=\"_blank\"><title>{title}</title><link rel=\"stylesheet\" href=\"{up}preview.css\"></head>\n\
         <body class=\"{class}\"><main>\n{body}</main></body></html>\n"
    )
}

/// A text, line by line as it is.
fn source(title: &str, up: &str, text: &str) -> String {
    document(title, "en", up, "source", &format!("<pre>{}</pre>\n", escape(text)))
}

/// A mail at a width of so many pixels on a page that a browser can take a picture of, whatever the width of its window.
fn screen(title: &str, width: u32, scheme: Scheme, mail: &str) -> String {
    let (ground, name) = if scheme == Scheme::Dark { ("#0b0c0d", "dark") } else { ("#dfe1e4", "light") };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file: https: data:; script-src {}; base-uri 'none'; form-action 'none'\">\
         <meta name=\"referrer\" content=\"no-referrer\"><title>{}</title>\
         <style>:root {{ color-scheme: {name}; background: {ground}; }} body {{ margin: 0; }} \
         iframe {{ display: block; margin: 0 auto; border: 0; }}</style></head>\n\
         <body><main><iframe title=\"The mail\" width=\"{width}\" height=\"1200\" sandbox=\"allow-same-origin\" srcdoc=\"{}\"></iframe></main>\
         <script>{FIT}</script></body></html>\n",
        fitting(),
        escape(title),
        escape(mail),
    )
}
