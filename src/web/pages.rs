//! Pages: in the reader's language, each with the headers that keep it harmless. And what a request says: its language, its form.

use super::Web;
use crate::edition::compose;
use crate::template::context::{Again, DonePage, ErrorPage, Site};
use crate::template::text::direction;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Pages hold no script, load nothing, and post to us alone.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// A form of ours has no more fields.
const FIELDS: usize = 300;

/// In which language a page speaks.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    /// BCP 47: one that there are words of.
    pub(super) language: String,
    /// `ltr` or `rtl`.
    pub(super) dir: String,
    /// The site, as templates see it.
    pub(super) site: Site,
}

impl Voice {
    /// In the person's own language where it is known, else as the browser asks.
    pub(super) fn of(web: &Web, headers: &HeaderMap, own: Option<&str>) -> Voice {
        let asked = accepted(headers);
        let language = web.desk.spoken(own.into_iter().chain(asked.iter().map(String::as_str)));
        Voice { dir: direction(&language).to_owned(), language, site: compose::site(&web.desk.site) }
    }

    /// A phrase of `templates/strings`.
    pub(super) fn says(&self, web: &Web, key: &str) -> String {
        let values = [("site".to_owned(), self.site.title.clone())];
        web.desk.templates.words().phrase(&self.language, key, &values).unwrap_or_default()
    }
}

/// The languages of `Accept-Language` (RFC 9110 section 12.5.4), the dearest first.
fn accepted(headers: &HeaderMap) -> Vec<String> {
    let said = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut languages: Vec<(String, f32)> = said
        .split(',')
        .take(20)
        .filter_map(|entry| {
            let (tag, weight) = entry.split_once(';').unwrap_or((entry, ""));
            let tag = tag.trim();
            let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.trim().parse().ok())?;
            let good =
                !tag.is_empty() && tag.len() <= 35 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            (good && weight > 0.0).then(|| (tag.to_owned(), weight))
        })
        .collect();
    languages.sort_by(|a, b| b.1.total_cmp(&a.1));
    languages.into_iter().map(|(tag, _)| tag).collect()
}

/// A rendered page.
pub(super) fn page(web: &Web, status: StatusCode, template: &str, context: &impl Serialize) -> Response {
    match web.desk.templates.render(template, context) {
        Ok(html) => dressed((status, Html(html)).into_response()),
        Err(error) => {
            // Only an author's own template can do that: not the reader's fault, and nothing to be seen.
            tracing::error!(%error, "a page cannot be rendered; `postrider check` says where");
            dressed((StatusCode::SERVICE_UNAVAILABLE, "not now; please try again in a minute\n").into_response())
        }
    }
}

fn dressed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    response
}

/// Something was done: the phrases `NAME_title` and `NAME_text`.
pub(super) fn done(web: &Web, voice: &Voice, name: &str, preferences: Option<String>) -> Response {
    let context = DonePage {
        language: voice.language.clone(),
        dir: voice.dir.clone(),
        site: voice.site.clone(),
        title: voice.says(web, &format!("{name}_title")),
        message: voice.says(web, &format!("{name}_text")),
        preferences,
    };
    page(web, StatusCode::OK, "web/done.html.j2", &context)
}

/// Something went wrong, by the same two phrases.
pub(super) fn wrong(web: &Web, voice: &Voice, status: StatusCode, name: &str) -> Response {
    error(web, voice, status, name, None)
}

/// A link came too late: the page where one asks for another, and the phrase that names it.
pub(super) fn expired(web: &Web, voice: &Voice, url: &str, phrase: &str) -> Response {
    let again = Again { url: url.to_owned(), label: voice.says(web, phrase) };
    error(web, voice, StatusCode::GONE, "expired", Some(again))
}

fn error(web: &Web, voice: &Voice, status: StatusCode, name: &str, again: Option<Again>) -> Response {
    let context = ErrorPage {
        language: voice.language.clone(),
        dir: voice.dir.clone(),
        site: voice.site.clone(),
        title: voice.says(web, &format!("{name}_title")),
        message: voice.says(web, &format!("{name}_text")),
        again,
    };
    page(web, status, "web/error.html.j2", &context)
}

/// Whether a program asks, which reads no pages: it takes JSON, or sends it.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    is_json(headers, header::ACCEPT) || is_json(headers, header::CONTENT_TYPE)
}

fn is_json(headers: &HeaderMap, field: HeaderName) -> bool {
    let said = headers.get(field).and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.to_ascii_lowercase().contains("application/json")
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Field {
    One(String),
    Many(Vec<String>),
}

/// What a form sent.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads either kind of body that browsers send, or an object in JSON. None: it is none of these, or too much.
    pub(super) async fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Option<Form> {
        let body = body.ok()?;
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
            return Form::of_parts(kind, body).await;
        }
        if is_json(headers, header::CONTENT_TYPE) {
            return Form::of_object(&body);
        }
        std::str::from_utf8(&body).ok()?;
        let pairs = url::form_urlencoded::parse(&body).take(FIELDS);
        Some(Form(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }

    async fn of_parts(kind: &str, body: Bytes) -> Option<Form> {
        let request = Request::builder().header(header::CONTENT_TYPE, kind).body(Body::from(body)).ok()?;
        let mut parts = Multipart::from_request(request, &()).await.ok()?;
        let mut pairs = Vec::new();
        while let Some(part) = parts.next_field().await.ok()? {
            let name = part.name().unwrap_or_default().to_owned();
            pairs.push((name, part.text().await.ok()?));
            if pairs.len() == FIELDS {
                break;
            }
        }
        Some(Form(pairs))
    }

    /// Each field is a text, or a list of texts.
    fn of_object(body: &[u8]) -> Option<Form> {
        let object: BTreeMap<String, Field> = serde_json::from_slice(body).ok()?;
        let all = |(name, field)| {
            let values = match field {
                Field::One(value) => vec![value],
                Field::Many(values) => values,
            };
            values.into_iter().map(move |value| (String::clone(&name), value))
        };
        Some(Form(object.into_iter().flat_map(all).take(FIELDS).collect()))
    }

    /// The first of that name; empty where there is none.
    pub(super) fn first(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// All of that name.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dearest_language_comes_first() {
        let of = |said: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(said));
            accepted(&headers).join(" ")
        };
        assert_eq!(of("de-AT, en;q=0.5, fr ; q=0.9, x;q=0, ;q=1, <script>, es;q=z"), "de-AT fr en");
        assert_eq!(of(""), "");
    }
}
