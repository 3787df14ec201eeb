//! What comes in by mail: bounces, complaints, wishes to leave and to join ([`Answers`]).
//!
//! A bounce counts where its envelope address carries a tag that we signed (VERP): it names the delivery, and nobody else can make
//! one. A complaint may also name it by the token of its unsubscribe link, which only that reader's mail holds.
//! Everything else is told and changes nothing. Each mail is recorded with its effect in one transaction, and moved after that.

use crate::address::EmailAddress;
use crate::bounce::notice::Notice;
use crate::bounce::request::{Request, tag};
use crate::bounce::{self, Handled, Kind, Mail, Recipient, Returned, Verdict};
use crate::mailbox::{self, Disposal, Item, Mailbox};
use crate::message::letter;
use crate::random::{Random, base32};
use crate::remote::Remote;
use crate::report::Arrived;
use crate::store::answers::Answers;
use crate::store::bounces::{Arrival, Done, Effect, Patience, Sender, Taken};
use crate::store::consents;
use crate::store::{self, Store};
use crate::subscriber::Choices;
use crate::token::{Keyring, Purpose};
use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};

/// Reads what comes in.
pub struct Receiver<'a> {
    /// Where it is recorded.
    pub store: &'a Store,
    /// What keeps that, if this machine does not: then a mail is moved away only once its effect is there.
    pub remote: Option<&'a Remote>,
    /// Verifies tags and tokens.
    pub keyring: &'a Keyring,
    /// How many soft bounces an address may have.
    pub patience: Patience<'a>,
    /// Answers who asks for something; without it that is left for the author.
    pub answers: Option<&'a Answers>,
    /// For ids.
    pub random: &'a Random,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Why reading ended early. What was read before is recorded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mailbox.
    #[error(transparent)]
    Mailbox(#[from] mailbox::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What becomes of mails that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// They are moved.
    Move(Handled),
    /// They stay: a rehearsal.
    Stay,
}

/// So many mails wait for one push.
const AT_ONCE: usize = 200;

impl Receiver<'_> {
    /// Reads a mailbox to its end. `told` hears the rows of each mail.
    pub fn empty(
        &self,
        mailbox: &mut Mailbox,
        afterwards: Afterwards,
        mut told: impl FnMut(Vec<Arrived>),
    ) -> Result<(), Error> {
        let at_once = if self.remote.is_some() { AT_ONCE } else { 1 };
        let mut recorded = Vec::with_capacity(at_once);
        while let Some(mut item) = mailbox.next_mail()? {
            let (rows, disposal) = self.take(&item)?;
            item.bytes.clear();
            item.bytes.shrink_to_fit();
            recorded.push((item, disposal));
            if recorded.len() == at_once {
                self.put_away(mailbox, &mut recorded, afterwards)?;
            }
            told(rows);
        }
        self.put_away(mailbox, &mut recorded, afterwards)
    }

    /// Moves mails away, once what they brought about is kept.
    fn put_away(
        &self,
        mailbox: &mut Mailbox,
        recorded: &mut Vec<(Item, Disposal)>,
        afterwards: Afterwards,
    ) -> Result<(), Error> {
        if let (Some(remote), false) = (self.remote, recorded.is_empty()) {
            remote.push_checkpoint()?;
        }
        for (item, disposal) in recorded.drain(..) {
            if let Afterwards::Move(handled) = afterwards {
                mailbox.dispose(&item, disposal, handled)?;
            }
        }
        Ok(())
    }

    /// One mail: its rows (none where it was there before), and what becomes of it.
    fn take(&self, item: &Item) -> Result<(Vec<Arrived>, Disposal), store::Error> {
        let hash = hash(&item.bytes);
        let mail = bounce::read(&item.bytes);
        let mut found = self.judge(&mail)?;
        // Where a person asked and nobody answers, it is the author's to read, like what nobody understood.
        let kind = if found.asks { "other" } else { found.kind };
        let effects: Vec<Effect> = found.rows.iter().filter_map(|row| row.effect.clone()).collect();
        let disposal = |unread: bool| if unread { Disposal::Unread } else { Disposal::Done };
        match self.store.take_in(Arrival { hash: &hash, kind }, &effects, self.patience, self.random, self.now)? {
            Taken::Before { unread } => Ok((Vec::new(), disposal(unread))),
            Taken::Now(done) => {
                found.note(&done);
                let unread = kind == "other" || done.contains(&Done::LeftToRead);
                Ok((found.reported(&item.name), disposal(unread)))
            }
        }
    }

    fn judge(&self, mail: &Mail) -> Result<Found, store::Error> {
        let delivery = self.tagged(mail.delivered_to.iter().map(String::as_str))?;
        if let Some(subscriber) = self.leaves(mail) {
            let address = self.store.subscriber(&subscriber)?.map(|found| found.row.address);
            let effect = Effect::Leave { subscriber, how: "mail" };
            return Ok(Found::one("unsubscribe", Row::new(address, Some(effect))));
        }
        if let Some(row) = self.confirms(mail)? {
            return Ok(Found::one("subscribe", row));
        }
        Ok(match &mail.kind {
            Kind::Bounce => Found { kind: "bounce", rows: bounced(&mail.recipients, delivery), asks: false },
            Kind::Complaint => {
                let delivery = match (delivery, &mail.returned) {
                    (None, Some(returned)) => self.named(returned)?,
                    (delivery, _) => delivery,
                };
                Found { kind: "complaint", rows: complained(&mail.recipients, delivery), asks: false }
            }
            Kind::Request(request) => {
                let kind = if matches!(request, Request::Unsubscribe { .. }) { "unsubscribe" } else { "subscribe" };
                // Who merely says that they are somebody may be anybody, and nobody answers a machine (RFC 3834 section 2).
                let effect = match (self.answers, &mail.from) {
                    (Some(answers), Some(from)) if !mail.automatic && !is_own(answers, from) => {
                        Some(answer(answers, request, from))
                    }
                    _ => None,
                };
                let asks = effect.is_none() && !mail.automatic;
                Found { asks, ..Found::one(kind, Row::new(mail.from.clone(), effect)) }
            }
            Kind::Automatic => Found::one("auto", Row::new(mail.from.clone(), None)),
            // A report that all went well is understood.
            Kind::Other if !mail.recipients.is_empty() => {
                Found { kind: "auto", rows: bounced(&mail.recipients, None), asks: false }
            }
            Kind::Other => Found::one("other", Row::new(mail.from.clone(), None)),
        })
    }

    /// Who leaves by this mail: it was sent to an address with their token, or has it in its subject. Machines answer whoever writes to
    /// them; they do not leave.
    fn leaves(&self, mail: &Mail) -> Option<String> {
        let in_subject = match &mail.kind {
            Kind::Request(Request::Unsubscribe { token }) => token.as_deref(),
            Kind::Other => None,
            _ => return None,
        };
        let tags = mail.delivered_to.iter().filter_map(|address| tag(address));
        in_subject.into_iter().chain(tags).find_map(|token| self.keyring.verify(Purpose::Unsubscribe, token))
    }

    /// Who confirms by this mail: as one leaves, but never by a machine's answer. One that comes too late asks anew.
    fn confirms(&self, mail: &Mail) -> Result<Option<Row>, store::Error> {
        let in_subject = match &mail.kind {
            Kind::Request(Request::Confirm { token }) => token.as_deref(),
            Kind::Other | Kind::Request(_) => None,
            _ => return Ok(None),
        };
        let Some(answers) = self.answers.filter(|_| !mail.automatic) else { return Ok(None) };
        let tags = mail.delivered_to.iter().filter_map(|address| tag(address));
        for token in in_subject.into_iter().chain(tags) {
            let found = self.store.consent_of(self.keyring, letter::Kind::Confirm, token)?;
            let Some((subscriber, number, consent)) = found else { continue };
            if consent.confirmed.is_some() || Store::is_open(&consent, self.now) {
                let effect = Effect::Confirm { subscriber, number, welcome: answers.welcome.clone() };
                return Ok(Some(Row::new(Some(consent.address), Some(effect))));
            }
            let again = answer(answers, &Request::Subscribe, &consent.address);
            return Ok(Some(Row::new(Some(consent.address), Some(again))));
        }
        Ok(None)
    }

    /// The delivery that a tag of ours names.
    fn tagged<'t>(&self, addresses: impl Iterator<Item = &'t str>) -> Result<Option<Sender>, store::Error> {
        for address in addresses {
            let Some((delivery, mac)) = tag(address).and_then(|tag| tag.rsplit_once('-')) else { continue };
            if let Some(id) = self.keyring.verify(Purpose::Bounce, &format!("{delivery}{mac}"))
                && let Some(delivery) = self.store.delivery_sent(&id)?
            {
                return Ok(Some(delivery));
            }
        }
        Ok(None)
    }

    /// The delivery of which a mail is, by what only it holds: the token in its links.
    fn named(&self, returned: &Returned) -> Result<Option<Sender>, store::Error> {
        // Not by its Message-ID, which every answer to the mail repeats.
        let links = returned.field("list-unsubscribe").unwrap_or_default();
        let words = links.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-'));
        let subscriber =
            words.filter(|word| word.len() > 16).find_map(|word| self.keyring.verify(Purpose::Unsubscribe, word));
        subscriber.map_or(Ok(None), |subscriber| self.store.newest_delivery(&subscriber))
    }

    /// A notice of a provider that has proved who it is: it is believed also where it names an address alone. `id` is the provider's own,
    /// by which a notice that comes twice is known. The rows, none where it came before.
    pub fn notice(&self, notice: &Notice, id: &str) -> Result<Vec<Arrived>, store::Error> {
        let mut delivery = self.tagged(notice.sender.iter().map(String::as_str))?;
        if delivery.is_none()
            && let Some(id) = notice.message_id.as_deref().and_then(|id| id.split('@').next())
        {
            delivery = self.store.delivery_sent(&id.to_lowercase())?;
        }
        let mut found = match &notice.kind {
            Kind::Bounce => Found { kind: "bounce", rows: bounced(&notice.recipients, delivery), asks: false },
            Kind::Complaint => Found { kind: "complaint", rows: complained(&notice.recipients, delivery), asks: false },
            Kind::Request(_) => Found { kind: "unsubscribe", rows: self.left(&notice.recipients)?, asks: false },
            Kind::Automatic => Found { kind: "auto", rows: Vec::new(), asks: false },
            Kind::Other => Found { kind: "auto", rows: Vec::new(), asks: false },
        };
        for row in found.rows.iter_mut().filter(|row| row.effect.is_none()) {
            row.effect = match (found.kind, row.verdict, &row.address) {
                ("complaint", _, Some(address)) => Some(Effect::ComplaintOf(address.clone())),
                ("bounce", Verdict::Hard, Some(address)) => Some(Effect::NoSuchAddress(address.clone())),
                _ => None,
            };
        }
        let effects: Vec<Effect> = found.rows.iter().filter_map(|row| row.effect.clone()).collect();
        let arrival = Arrival { hash: &hash(id.as_bytes()), kind: found.kind };
        match self.store.take_in(arrival, &effects, self.patience, self.random, self.now)? {
            Taken::Before { .. } => Ok(Vec::new()),
            Taken::Now(done) => {
                found.note(&done);
                Ok(found.reported(""))
            }
        }
    }

    fn left(&self, recipients: &[Recipient]) -> Result<Vec<Row>, store::Error> {
        let mut rows = Vec::new();
        for address in recipients.iter().filter_map(|recipient| recipient.address.as_ref()) {
            let subscriber = self.store.find_subscriber(address, self.random)?;
            let effect = subscriber.map(|found| Effect::Leave { subscriber: found.id, how: "provider" });
            rows.push(Row::new(Some(address.clone()), effect));
        }
        Ok(rows)
    }
}

fn is_own(answers: &Answers, from: &EmailAddress) -> bool {
    answers.own.iter().any(|own| own.identity() == from.identity())
}

/// What answers a request. Anybody can write in another's name: so nothing is done but that a letter goes to the address that the mail
/// names, and what comes back with its token is done.
fn answer(answers: &Answers, request: &Request, from: &EmailAddress) -> Effect {
    let links = answers.links.clone();
    match request {
        Request::Subscribe | Request::Confirm { .. } => {
            let request = consents::Request {
                address: from.clone(),
                digests: Choices::default(),
                topics: Choices::default(),
                language: None,
                source: "mail".to_owned(),
                wording: answers.wording.clone(),
                network: None,
            };
            Effect::Ask { request, confirm: answers.confirm.clone(), links }
        }
        Request::Unsubscribe { .. } | Request::Help => {
            Effect::Explain { address: from.clone(), links, help: answers.help.clone() }
        }
    }
}

/// What a mail says and does.
struct Found {
    kind: &'static str,
    rows: Vec<Row>,
    /// A person waits for an answer that nobody gives.
    asks: bool,
}

struct Row {
    address: Option<EmailAddress>,
    status: Option<String>,
    verdict: Verdict,
    effect: Option<Effect>,
    action: &'static str,
}

impl Row {
    fn new(address: Option<EmailAddress>, effect: Option<Effect>) -> Row {
        Row { address, status: None, verdict: Verdict::None, effect, action: "none" }
    }

    fn of(recipient: &Recipient) -> Row {
        let Recipient { address, status, verdict, .. } = recipient;
        Row { status: status.map(|s| s.to_string()), verdict: *verdict, ..Row::new(address.clone(), None) }
    }
}

impl Found {
    fn one(kind: &'static str, row: Row) -> Found {
        Found { kind, rows: vec![row], asks: false }
    }

    /// What came of each row that had an effect.
    fn note(&mut self, done: &[Done]) {
        for (row, done) in self.rows.iter_mut().filter(|row| row.effect.is_some()).zip(done) {
            row.action = match done {
                Done::Suppressed => "suppressed",
                Done::Counted => "counted",
                Done::Unsubscribed => "unsubscribed",
                Done::Subscribed => "subscribed",
                Done::Answered => "answered",
                Done::Recorded | Done::LeftToRead => "none",
            };
        }
    }

    fn reported(self, file: &str) -> Vec<Arrived> {
        let report = |row: Row| Arrived {
            file: file.to_owned(),
            kind: self.kind,
            address: row.address.map(|address| address.as_str().to_owned()),
            status: row.status,
            verdict: row.verdict.as_str(),
            action: row.action,
        };
        self.rows.into_iter().map(report).collect()
    }
}

/// One row for each recipient; the one that the delivery went to has its effect. Where a server passed the mail on, it has another
/// address, and where it went to several, one that still works is enough.
fn bounced(recipients: &[Recipient], delivery: Option<Sender>) -> Vec<Row> {
    let mut rows: Vec<Row> = recipients.iter().map(Row::of).collect();
    let Some(delivery) = delivery else { return rows };
    let is_theirs = |recipient: &Recipient| {
        recipient.address.as_ref().is_some_and(|address| address.identity() == delivery.address.identity())
    };
    let theirs = recipients
        .iter()
        .position(is_theirs)
        .or_else(|| (0..recipients.len()).max_by_key(|at| recipients[*at].verdict));
    if let Some(at) = theirs {
        let Recipient { verdict, status, said, .. } = &recipients[at];
        rows[at].address = Some(delivery.address.clone());
        rows[at].effect = Some(Effect::Bounce { delivery, verdict: *verdict, status: *status, text: said.clone() });
    }
    rows
}

/// A complaint is about one mail: the first row is its reader's.
fn complained(recipients: &[Recipient], delivery: Option<Sender>) -> Vec<Row> {
    let mut rows: Vec<Row> = recipients.iter().map(Row::of).collect();
    if rows.is_empty() {
        rows.push(Row::new(None, None));
    }
    if let Some(delivery) = delivery {
        rows[0].address = Some(delivery.address.clone());
        rows[0].effect = Some(Effect::Complaint { delivery });
    }
    rows
}

fn hash(bytes: &[u8]) -> String {
    base32(&digest(&SHA256, bytes).as_ref()[..20])
}
