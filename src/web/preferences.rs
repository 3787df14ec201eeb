//! A reader's preferences, behind the link that came by mail: which mails, which topics, in which language, a pause, another
//! address. Promises: a GET changes nothing (P9), and to want nothing at all leads to the way out.

use super::pages::{self, Form, Voice, page};
use super::people::{Body, Token, leaving_page};
use super::server::Peer;
use super::{Shared, blocking, failed, missing};
use crate::address::EmailAddress;
use crate::config::web::Network;
use crate::store::consents::Wishes;
use crate::subscribe::desk::{Asked, Error, Reader};
use crate::template::context::{Choice, PreferencesPage};
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Days, NaiveDate, TimeZone, Utc};

/// No pause is longer.
const LONGEST_PAUSE: Days = Days::new(730);

/// `GET /preferences/{token}`
pub(super) async fn show(State(web): State<Shared>, token: Token, headers: HeaderMap) -> Response {
    let Ok(Path(token)) = token else { return missing(&web, &headers) };
    match reader(&web, &token).await {
        Ok(Some(reader)) => preferences_page(&web, &headers, &token, &reader, None),
        Ok(None) => expired(&web, &Voice::of(&web, &headers, None)),
        Err(error) => failed(&web, &headers, &error),
    }
}

fn expired(web: &Shared, voice: &Voice) -> Response {
    pages::expired(web, voice, "../preferences", "links_button")
}

async fn reader(web: &Shared, token: &str) -> Result<Option<Reader>, Error> {
    let (token, now) = (token.to_owned(), web.clock.now());
    blocking(web, move |web| web.desk.reader(&token, now)).await
}

fn preferences_page(
    web: &Shared,
    headers: &HeaderMap,
    token: &str,
    reader: &Reader,
    problem: Option<&str>,
) -> Response {
    let row = &reader.subscriber.row;
    let voice = Voice::of(web, headers, row.language.as_deref());
    let config = &web.desk.config;
    let defaults = config.default_digests();
    let has = |name: &str| match row.digests.is_empty() {
        true => defaults.contains(&name),
        false => row.digests.iter().any(|chosen| chosen == name.to_lowercase()),
    };
    let names = config.digests.iter().map(|digest| digest.name.as_str());
    let digests: Vec<Choice> =
        names.map(|name| Choice { value: name.to_lowercase(), name: name.to_owned(), chosen: has(name) }).collect();
    let mut topics: Vec<Choice> = Vec::new();
    for topic in config.subscribe.topics.iter().map(String::as_str).chain(row.topics.iter()) {
        let value = topic.trim().to_lowercase();
        if !topics.iter().any(|known| known.value == value) {
            topics.push(Choice { chosen: row.topics.iter().any(|t| t == value), name: topic.to_owned(), value });
        }
    }
    let own = row.language.as_deref().and_then(|language| web.desk.templates.words().file(language));
    let any = Choice { value: String::new(), name: voice.says(web, "language_any"), chosen: own.is_none() };
    let languages = web.desk.templates.words().languages().into_iter();
    let languages = languages.map(|(tag, name)| Choice { value: tag.to_owned(), name, chosen: own == Some(tag) });
    let day = |until: DateTime<Utc>| until.with_timezone(&web.desk.site.timezone).format("%Y-%m-%d").to_string();
    let context = PreferencesPage {
        address: row.address.masked(),
        problem: problem.map(|key| voice.says(web, key)),
        digests: if digests.len() > 1 { digests } else { Vec::new() },
        topics,
        languages: [any].into_iter().chain(languages).collect(),
        // One that is over and not yet ended would be refused.
        paused_until: reader.paused_until.filter(|until| *until > web.clock.now()).map(day).unwrap_or_default(),
        action: token.to_owned(),
        unsubscribe: format!("../unsubscribe/{}", reader.unsubscribe),
        language: voice.language,
        dir: voice.dir,
        site: voice.site,
    };
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page(web, status, "web/preferences.html.j2", &context)
}

/// `POST /preferences/{token}`
pub(super) async fn save(
    State(web): State<Shared>,
    Extension(Peer(peer)): Extension<Peer>,
    token: Token,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(Path(token)) = token else { return missing(&web, &headers) };
    let Some(form) = Form::read(&headers, body).await else {
        return pages::wrong(&web, &Voice::of(&web, &headers, None), StatusCode::BAD_REQUEST, "wrong");
    };
    let reader = match reader(&web, &token).await {
        Ok(Some(reader)) => reader,
        Ok(None) => return expired(&web, &Voice::of(&web, &headers, None)),
        Err(error) => return failed(&web, &headers, &error),
    };
    let now = web.clock.now();
    let Some(paused_until) = pause(&web, form.first("pause"), now) else {
        return preferences_page(&web, &headers, &token, &reader, Some("bad_day"));
    };
    let new = form.first("new_address").trim().to_owned();
    let new: Option<EmailAddress> = match (new.is_empty(), new.parse()) {
        (true, _) => None,
        (false, Ok(address)) => Some(address),
        (false, Err(_)) => return preferences_page(&web, &headers, &token, &reader, Some("bad_address")),
    };
    let digests = match web.desk.config.digests.len() {
        0 | 1 => reader.subscriber.row.digests.clone(),
        _ => web.desk.digests(&form.all("digest")),
    };
    if digests.is_empty() && web.desk.config.digests.len() > 1 {
        // Nothing of all there is: that is to leave, and asked for by its own button.
        let voice = Voice::of(&web, &headers, reader.subscriber.row.language.as_deref());
        let action = format!("../unsubscribe/{}", reader.unsubscribe);
        return leaving_page(&web, voice, reader.subscriber.row.address.masked(), action);
    }
    let language = Some(form.first("language")).filter(|l| web.desk.templates.words().file(l).is_some());
    let wishes = Wishes {
        digests,
        topics: web.desk.topics(&form.all("topic"), Some(&reader.subscriber.row.topics)),
        language: language.map(str::to_owned),
        paused_until,
    };
    let voice = Voice::of(&web, &headers, language);
    let change = match new {
        None => None,
        Some(address) => match web.admits(peer, &headers, now) {
            None => return pages::wrong(&web, &voice, StatusCode::TOO_MANY_REQUESTS, "often"),
            Some(client) => Some(Asked {
                address,
                digests: Vec::new(),
                topics: Vec::new(),
                language: voice.language.clone(),
                network: web.desk.config.subscribe.keep_network.then(|| Network::around(client).to_string()),
            }),
        },
    };
    let asks = change.is_some();
    let saved = blocking(&web, move |web| {
        let saved = web.desk.set_wishes(&reader, &wishes, now)?;
        if let Some(asked) = change.filter(|_| saved) {
            web.desk.request_change(&reader, &asked, now)?;
        }
        Ok::<_, Error>(saved)
    });
    match saved.await {
        Ok(true) => pages::done(&web, &voice, if asks { "asked" } else { "saved" }, Some(token)),
        Ok(false) => expired(&web, &voice),
        Err(error) => failed(&web, &headers, &error),
    }
}

/// The beginning of that day at the site. None: it is no day, not to come, or too far off.
fn pause(web: &Shared, day: &str, now: DateTime<Utc>) -> Option<Option<DateTime<Utc>>> {
    if day.trim().is_empty() {
        return Some(None);
    }
    let day = NaiveDate::parse_from_str(day.trim(), "%Y-%m-%d").ok()?;
    if day > now.date_naive().checked_add_days(LONGEST_PAUSE)? {
        return None;
    }
    let zone = web.desk.site.timezone;
    let noon = day.and_hms_opt(12, 0, 0)?;
    // Some zones have had days without a midnight; none is without a noon.
    let begins = zone.from_local_datetime(&day.and_hms_opt(0, 0, 0)?).earliest();
    let begins = begins.or_else(|| zone.from_local_datetime(&noon).earliest())?;
    (begins > now).then(|| Some(begins.to_utc()))
}
