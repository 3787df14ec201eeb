//! What people come for: the form, the link that confirms, their preferences, the way out. Promises: no GET changes anything (P9);
//! the answer to an address is the same whether it is known or not; every error is a page with a sentence.

use super::guard::{self, Stamp};
use super::pages::{self, Form, Voice, page};
use super::server::Peer;
use super::{Shared, blocking, failed, missing};
use crate::address::EmailAddress;
use crate::config::web::Network;
use crate::message::letter::Kind;
use crate::subscribe::desk::{Asked, Standing};
use crate::subscribe::{self, Leaving};
use crate::template::context::{Choice, ConfirmPage, FormPage, LeftPage, UnsubscribePage};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Why somebody may have left; each is said by the phrase `why_…`.
const REASONS: [&str; 4] = ["often", "content", "never", "other"];
pub(super) type Token = Result<Path<String>, PathRejection>;
pub(super) type Body = Result<Bytes, BytesRejection>;

// ---- the form

/// What a form shows that was not sent, or not rightly.
struct Unsent<'a> {
    template: &'a str,
    address: &'a str,
    problem: Option<&'a str>,
}

fn form_page(web: &Shared, voice: &Voice, status: StatusCode, unsent: &Unsent<'_>) -> Response {
    let config = &web.desk.config;
    let choice = |name: &str, chosen| Choice { value: name.to_lowercase(), name: name.to_owned(), chosen };
    let defaults = config.default_digests();
    let names = config.digests.iter().map(|digest| digest.name.as_str());
    let digests: Vec<Choice> = names.map(|name| choice(name, defaults.contains(&name))).collect();
    let subscribes = unsent.template == "web/subscribe.html.j2";
    let context = FormPage {
        language: voice.language.clone(),
        dir: voice.dir.clone(),
        site: voice.site.clone(),
        action: if subscribes { "subscribe" } else { "preferences" }.to_owned(),
        address: unsent.address.chars().take(254).collect(),
        problem: unsent.problem.map(|key| voice.says(web, key)),
        digests: if digests.len() > 1 { digests } else { Vec::new() },
        topics: config.subscribe.topics.iter().map(|topic| choice(topic, false)).collect(),
        stamp: guard::stamp(&web.desk.keyring, web.clock.now()),
    };
    page(web, status, unsent.template, &context)
}

const SUBSCRIBE: &str = "web/subscribe.html.j2";
const LINKS: &str = "web/links.html.j2";

/// `GET /` and `GET /subscribe`
pub(super) async fn form(State(web): State<Shared>, headers: HeaderMap) -> Response {
    empty_form(&web, &headers, SUBSCRIBE)
}

/// `GET /preferences`: where one asks for the link to one's preferences.
pub(super) async fn links_form(State(web): State<Shared>, headers: HeaderMap) -> Response {
    empty_form(&web, &headers, LINKS)
}

fn empty_form(web: &Shared, headers: &HeaderMap, template: &str) -> Response {
    let voice = Voice::of(web, headers, None);
    match web.desk.config.mail {
        None => missing(web, headers),
        Some(_) => form_page(web, &voice, StatusCode::OK, &Unsent { template, address: "", problem: None }),
    }
}

/// `GET /snippet`: the form for a page of one's own.
pub(super) async fn snippet(State(web): State<Shared>, headers: HeaderMap) -> Response {
    let voice = Voice::of(&web, &headers, None);
    let context = FormPage {
        language: voice.language.clone(),
        dir: voice.dir.clone(),
        site: voice.site.clone(),
        action: format!("{}subscribe", web.desk.config.web.address()),
        ..FormPage::sample()
    };
    match web.desk.templates.render("web/snippet.html.j2", &context) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        Err(_) => pages::wrong(&web, &voice, StatusCode::SERVICE_UNAVAILABLE, "busy"),
    }
}

/// `POST /subscribe`
pub(super) async fn subscribe(
    State(web): State<Shared>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    ask(web, peer, headers, body, SUBSCRIBE).await
}

/// `POST /preferences`
pub(super) async fn send_links(
    State(web): State<Shared>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    ask(web, peer, headers, body, LINKS).await
}

/// Both forms: an address is typed, and a mail may come of it.
async fn ask(web: Shared, peer: IpAddr, headers: HeaderMap, body: Body, template: &'static str) -> Response {
    let form = Form::read(&headers, body).await;
    // A form on another page says in which language it is.
    let said = form.as_ref().map(|form| form.first("language")).filter(|said| !said.is_empty() && said.len() <= 35);
    let voice = Voice::of(&web, &headers, said);
    let answer = Answer { web: &web, headers: &headers, voice: &voice, origin: origin(&web, &headers) };
    if web.desk.config.mail.is_none() {
        return answer.wrong(StatusCode::NOT_FOUND, "missing");
    }
    let Some(form) = &form else { return answer.wrong(StatusCode::BAD_REQUEST, "wrong") };
    let now = web.clock.now();
    let unsent = |problem| Unsent { template, address: form.first("email"), problem };
    if !form.first("website").is_empty() {
        return answer.asked();
    }
    match guard::judge(&web.desk.keyring, form.first("stamp"), now) {
        Stamp::Good => {}
        Stamp::Machine => return answer.asked(),
        // A form on the site's own pages has no stamp, and its origin speaks for it. Whoever comes from elsewhere sees our form.
        Stamp::Stale if form.first("stamp").is_empty() && answer.origin.is_some() => {}
        Stamp::Stale => return answer.anew(|| form_page(&web, &voice, StatusCode::OK, &unsent(None))),
    }
    let Ok(address) = form.first("email").parse::<EmailAddress>() else {
        return answer.bad_address(|| form_page(&web, &voice, StatusCode::BAD_REQUEST, &unsent(Some("bad_address"))));
    };
    let Some(client) = web.admits(peer, &headers, now) else { return answer.too_often() };
    let asked = Asked {
        address,
        digests: form.all("digest"),
        topics: form.all("topic"),
        language: voice.language.clone(),
        network: web.desk.config.subscribe.keep_network.then(|| Network::around(client).to_string()),
    };
    let done = blocking(&web, move |web| match template {
        SUBSCRIBE => web.desk.request(&asked, now),
        _ => web.desk.request_links(&asked.address, &asked.language, now),
    });
    match done.await {
        // Whatever came of it.
        Ok(_) => answer.asked(),
        Err(error) => match pages::wants_json(&headers) {
            true => {
                tracing::error!(%error, "a request could not be answered");
                answer.wrong(StatusCode::SERVICE_UNAVAILABLE, "busy")
            }
            false => failed(&web, &headers, &error),
        },
    }
}

/// The origin of the page that holds the form, where it is one of those that may.
fn origin(web: &Shared, headers: &HeaderMap) -> Option<HeaderValue> {
    let said = headers.get(header::ORIGIN)?;
    let url: url::Url = said.to_str().ok()?.parse().ok()?;
    let config = &web.desk.config;
    let own = [&web.desk.site.url].into_iter().chain(&config.subscribe.origins);
    own.into_iter().any(|known| known.origin() == url.origin()).then(|| said.clone())
}

/// How a form is answered.
struct Answer<'a> {
    web: &'a Shared,
    headers: &'a HeaderMap,
    voice: &'a Voice,
    origin: Option<HeaderValue>,
}

impl Answer<'_> {
    /// The same for every address, known or not, and for programs.
    fn asked(&self) -> Response {
        let thanks = self.web.desk.config.subscribe.thanks.as_ref().filter(|_| self.origin.is_some());
        match thanks {
            _ if pages::wants_json(self.headers) => self.json(StatusCode::OK, "asked", "asked_text"),
            // Configured, never sent: it leads nowhere else.
            Some(thanks) => {
                self.shared((StatusCode::SEE_OTHER, [(header::LOCATION, thanks.to_string())]).into_response())
            }
            None => self.shared(pages::done(self.web, self.voice, "asked", None)),
        }
    }

    fn bad_address(&self, page: impl FnOnce() -> Response) -> Response {
        match pages::wants_json(self.headers) {
            true => self.json(StatusCode::BAD_REQUEST, "address", "bad_address"),
            false => page(),
        }
    }

    /// The form came from elsewhere or lay too long. A person sees ours; a program is told, as it would take a page for success.
    fn anew(&self, page: impl FnOnce() -> Response) -> Response {
        match pages::wants_json(self.headers) {
            true => self.json(StatusCode::FORBIDDEN, "form", "form_text"),
            false => page(),
        }
    }

    fn too_often(&self) -> Response {
        let mut response = self.wrong(StatusCode::TOO_MANY_REQUESTS, "often");
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("3600"));
        response
    }

    /// What is wrong, by its phrases.
    fn wrong(&self, status: StatusCode, name: &str) -> Response {
        match pages::wants_json(self.headers) {
            true => self.json(status, name, &format!("{name}_text")),
            false => pages::wrong(self.web, self.voice, status, name),
        }
    }

    fn json(&self, status: StatusCode, result: &str, key: &str) -> Response {
        let message = self.voice.says(self.web, key);
        let json = serde_json::json!({ "result": result, "message": message }).to_string();
        self.shared((status, [(header::CONTENT_TYPE, "application/json")], json).into_response())
    }

    /// A page of those that may hold the form can read the answer.
    fn shared(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(origin) = &self.origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        response
    }
}

// ---- the links that ask

/// `GET /confirm/{token}`
pub(super) async fn confirm_page(web: State<Shared>, token: Token, headers: HeaderMap) -> Response {
    standing(web, token, headers, Kind::Confirm).await
}

/// `GET /change/{token}`
pub(super) async fn change_page(web: State<Shared>, token: Token, headers: HeaderMap) -> Response {
    standing(web, token, headers, Kind::Change).await
}

/// `POST /confirm/{token}`
pub(super) async fn confirm(web: State<Shared>, token: Token, headers: HeaderMap) -> Response {
    confirmed(web, token, headers, Kind::Confirm).await
}

/// `POST /change/{token}`
pub(super) async fn change(web: State<Shared>, token: Token, headers: HeaderMap) -> Response {
    confirmed(web, token, headers, Kind::Change).await
}

async fn standing(State(web): State<Shared>, token: Token, headers: HeaderMap, kind: Kind) -> Response {
    let Ok(Path(token)) = token else { return missing(&web, &headers) };
    let now = web.clock.now();
    // Relative: a proxy may serve us below a path.
    let action = token.clone();
    match blocking(&web, move |web| web.desk.standing(kind, &token, now)).await {
        Ok(Standing::Open { masked, language }) => {
            let voice = Voice::of(&web, &headers, language.as_deref());
            let context = ConfirmPage {
                language: voice.language,
                dir: voice.dir,
                site: voice.site,
                kind: kind.as_str().to_owned(),
                address: masked,
                action,
            };
            page(&web, StatusCode::OK, "web/confirm.html.j2", &context)
        }
        Ok(other) => stands(&web, &headers, kind, other),
        Err(error) => failed(&web, &headers, &error),
    }
}

async fn confirmed(State(web): State<Shared>, token: Token, headers: HeaderMap, kind: Kind) -> Response {
    let Ok(Path(token)) = token else { return missing(&web, &headers) };
    let now = web.clock.now();
    match blocking(&web, move |web| web.desk.confirm(kind, &token, now)).await {
        Ok(standing) => stands(&web, &headers, kind, standing),
        Err(error) => failed(&web, &headers, &error),
    }
}

fn stands(web: &Shared, headers: &HeaderMap, kind: Kind, standing: Standing) -> Response {
    match standing {
        Standing::Done { language, preferences } => {
            let voice = Voice::of(web, headers, language.as_deref());
            let preferences = preferences.map(|token| format!("../preferences/{token}"));
            pages::done(web, &voice, if kind == Kind::Change { "changed" } else { "confirmed" }, preferences)
        }
        Standing::Expired => {
            let (url, phrase) = match kind {
                Kind::Change => ("../preferences", "links_button"),
                _ => ("../subscribe", "subscribe"),
            };
            pages::expired(web, &Voice::of(web, headers, None), url, phrase)
        }
        Standing::NotOurs | Standing::Open { .. } => missing(web, headers),
    }
}

// ---- the way out

pub(super) fn leaving_page(web: &Shared, voice: Voice, address: String, action: String) -> Response {
    let context = UnsubscribePage { language: voice.language, dir: voice.dir, site: voice.site, address, action };
    page(web, StatusCode::OK, "web/unsubscribe.html.j2", &context)
}

/// `GET /unsubscribe/{token}`: the page with the button. A scanner that follows links changes nothing (P9).
pub(super) async fn leave_page(State(web): State<Shared>, token: Token, headers: HeaderMap) -> Response {
    let Ok(Path(token)) = token else { return missing(&web, &headers) };
    let action = token.clone();
    let found = blocking(&web, move |web| subscribe::who_leaves(&web.desk.store, &web.desk.keyring, &token)).await;
    match found {
        Ok(Leaving::Person { masked, language, .. }) => {
            leaving_page(&web, Voice::of(&web, &headers, language.as_deref()), masked, action)
        }
        Ok(Leaving::NotOurs) => missing(&web, &headers),
        Err(error) => failed(&web, &headers, &error.into()),
    }
}

/// `POST /unsubscribe/{token}`: the button, and a mail program's one click (RFC 8058 section 3.2): no cookie, no redirect, any body.
pub(super) async fn leave(State(web): State<Shared>, token: Token, headers: HeaderMap) -> Response {
    let Ok(Path(token)) = token else { return missing(&web, &headers) };
    let action = format!("{token}/reason");
    let left = blocking(&web, move |web| {
        let desk = &web.desk;
        subscribe::leave(&desk.store, &desk.keyring, &token, "link", &desk.random, web.clock.now())
    });
    match left.await {
        Ok(Leaving::Person { language, .. }) => {
            let voice = Voice::of(&web, &headers, language.as_deref());
            let context = LeftPage {
                language: voice.language,
                dir: voice.dir,
                site: voice.site,
                action,
                reasons: REASONS.map(str::to_owned).into(),
            };
            page(&web, StatusCode::OK, "web/left.html.j2", &context)
        }
        Ok(Leaving::NotOurs) => missing(&web, &headers),
        Err(error) => failed(&web, &headers, &error.into()),
    }
}

/// `POST /unsubscribe/{token}/reason`: the one question, after the fact.
pub(super) async fn reason(State(web): State<Shared>, token: Token, headers: HeaderMap, body: Body) -> Response {
    let (Ok(Path(token)), Some(form)) = (token, Form::read(&headers, body).await) else {
        return missing(&web, &headers);
    };
    // Words of ours alone are kept.
    let reason = REASONS.into_iter().find(|reason| *reason == form.first("reason"));
    let noted = blocking(&web, move |web| {
        let desk = &web.desk;
        let leaving = subscribe::who_leaves(&desk.store, &desk.keyring, &token)?;
        if let (Leaving::Person { id, .. }, Some(reason)) = (&leaving, reason) {
            desk.store.note_reason(id, reason, &desk.random, web.clock.now())?;
        }
        Ok(leaving)
    });
    match noted.await {
        Ok(Leaving::Person { language, .. }) => {
            pages::done(&web, &Voice::of(&web, &headers, language.as_deref()), "thanks", None)
        }
        Ok(Leaving::NotOurs) => missing(&web, &headers),
        Err(error) => failed(&web, &headers, &subscribe::desk::Error::Store(error)),
    }
}
