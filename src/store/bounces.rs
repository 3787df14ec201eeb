//! What comes back: each mail is recorded in the transaction that holds its effect, so that none has an effect twice, however often it
//! is read and whenever we are stopped.

use super::answers;
use super::consents::{self, Confirmed, Reaction, Request};
use super::letters::{self, To};
use super::sql::{Connection, Row, Write};
use super::subscribers::{TO_HASH, cancel_queued, event, hash_of, leave, suppress};
use super::{Error, Store, time};
use crate::address::EmailAddress;
use crate::bounce::{Settings, Verdict};
use crate::message::letter::Kind;
use crate::random::Random;
use crate::reply::{Outcome, Refusal, Sent, Status};
use crate::subscriber::Suppression;
use chrono::{DateTime, TimeDelta, Utc};

/// A delivery of which a mail speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The delivery.
    pub id: String,
    /// To whom.
    pub subscriber: String,
    /// Where it went.
    pub address: EmailAddress,
    hash: String,
}

/// What a mail does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A delivery came back.
    Bounce {
        /// Which.
        delivery: Sender,
        /// What it means.
        verdict: Verdict,
        /// The status beside it.
        status: Option<Status>,
        /// The server's words.
        text: String,
    },
    /// A reader called a delivery spam.
    Complaint {
        /// Which.
        delivery: Sender,
    },
    /// The same, said by a provider that we believe, of an address.
    ComplaintOf(EmailAddress),
    /// An address does not exist, said by a provider that we believe.
    NoSuchAddress(EmailAddress),
    /// A person leaves.
    Leave {
        /// Their id.
        subscriber: String,
        /// By which way.
        how: &'static str,
    },
    /// Somebody asks to subscribe: what [`Store::request`] does.
    Ask {
        /// For what.
        request: Request,
        /// What a letter that asks says.
        confirm: String,
        /// What the letter to a subscriber says.
        links: String,
    },
    /// A person confirms: what [`Store::confirm`] does.
    Confirm {
        /// Their id.
        subscriber: String,
        /// The number of their request.
        number: i64,
        /// What greets them.
        welcome: Option<String>,
    },
    /// Somebody asks how to leave, or how all this works.
    Explain {
        /// Who they say they are.
        address: EmailAddress,
        /// What the letter to a subscriber says.
        links: String,
        /// What the letter to anybody else says.
        help: String,
    },
}

/// What came of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The address is suppressed.
    Suppressed,
    /// Counted against the address.
    Counted,
    /// The person has left.
    Unsubscribed,
    /// The person is a reader from now on.
    Subscribed,
    /// A letter answers it.
    Answered,
    /// So many have asked that a person must look at it.
    LeftToRead,
    /// Kept for the record alone.
    Recorded,
}

/// What became of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was there before: nothing is done. Whether it is left for a person to read.
    Before {
        /// It is.
        unread: bool,
    },
    /// What each of its effects came to.
    Now(Vec<Done>),
}

/// When an address that exists, and takes nothing, is left alone.
#[derive(Clone, Copy, Debug)]
pub struct Patience<'a> {
    /// How many mails may come back.
    pub settings: &'a Settings,
    /// What the letter says that tries the address once more; without one it is not tried.
    pub probe: Option<&'a str>,
}

/// So many mails an hour are answered: whoever writes in others' names shall not make us write to them all.
const ANSWERS_AN_HOUR: i64 = 300;

/// A mail that was read.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Of its bytes, or of the id that its sender gave it.
    pub hash: &'a str,
    /// As JSON has it.
    pub kind: &'a str,
}

impl Store {
    /// The delivery of that id. An id in a mail may be made up.
    pub fn delivery_sent(&self, id: &str) -> Result<Option<Sender>, Error> {
        let sql = "SELECT id, subscriber, address, hash FROM deliveries WHERE id = $1";
        self.connection().query_one(sql, &[id.into()])?.map(|row| sender(&row)).transpose()
    }

    /// The newest delivery to a subscriber.
    pub fn newest_delivery(&self, subscriber: &str) -> Result<Option<Sender>, Error> {
        let sql = "SELECT id, subscriber, address, hash FROM deliveries WHERE subscriber = $1 AND last_at IS NOT NULL \
             ORDER BY last_at DESC, id DESC LIMIT 1";
        self.connection().query_one(sql, &[subscriber.into()])?.map(|row| sender(&row)).transpose()
    }

    /// Takes a mail in: what it does and that it was there, in one transaction.
    pub fn take_in(
        &self,
        mail: Arrival<'_>,
        effects: &[Effect],
        patience: Patience<'_>,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Taken, Error> {
        self.connection().transaction(Write::Shared, |c| {
            let sql = "INSERT INTO inbox (hash, at, kind) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING";
            if c.execute(sql, &[mail.hash.into(), now.into(), mail.kind.into()])? == 0 {
                let sql = "SELECT 1 FROM inbox WHERE hash = $1 AND kind = 'other'";
                return Ok(Taken::Before { unread: c.query_one(sql, &[mail.hash.into()])?.is_some() });
            }
            let done: Result<Vec<Done>, Error> =
                effects.iter().map(|effect| apply(c, mail.hash, effect, patience, random, now)).collect();
            let done = done?;
            if done.contains(&Done::LeftToRead) {
                c.execute("UPDATE inbox SET kind = 'other' WHERE hash = $1", &[mail.hash.into()])?;
            }
            Ok(Taken::Now(done))
        })
    }

    /// Whether [`Store::judge_refusals`] has something to do.
    pub fn has_refusals(&self) -> Result<bool, Error> {
        Ok(self.connection().query_one("SELECT 1 FROM bounces WHERE judged = 0 LIMIT 1", &[])?.is_some())
    }

    /// Counts the refusals of this run and of those before it; the addresses that are suppressed for it. Not done as they come: ten in a
    /// row would be nobody's fault but ours, and are undone.
    pub fn judge_refusals(
        &self,
        patience: Patience<'_>,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Vec<EmailAddress>, Error> {
        self.connection().transaction(Write::Shared, |c| {
            let sql = "SELECT d.id, d.subscriber, d.address, d.hash FROM bounces b JOIN deliveries d ON d.id = b.delivery \
                 WHERE b.judged = 0 AND d.state = 'refused' ORDER BY b.at, d.id";
            let mut suppressed = Vec::new();
            for row in c.query(sql, &[])? {
                let delivery = sender(&row)?;
                if count(c, &delivery, patience, random, now)? == Done::Suppressed {
                    suppressed.push(delivery.address.clone());
                }
                c.execute("UPDATE bounces SET judged = 1 WHERE delivery = $1 AND mail = ''", &[delivery.id.as_str().into()])?;
            }
            Ok(suppressed)
        })
    }

    /// How many mails were taken in since then with which we could do nothing; they lie in a folder of their own.
    pub fn unread(&self, since: DateTime<Utc>) -> Result<i64, Error> {
        let sql = "SELECT COUNT(*) FROM inbox WHERE kind = 'other' AND at > $1";
        self.connection().query_one(sql, &[since.into()])?.map_or(Ok(0), |row| row.int(0))
    }
}

fn sender(row: &Row) -> Result<Sender, Error> {
    let address = EmailAddress::parse(&row.text(2)?)
        .map_err(|e| Error::Corrupt(format!("a delivery's address cannot be read: {e}")))?;
    Ok(Sender { id: row.text(0)?, subscriber: row.text(1)?, address, hash: row.text(3)? })
}

fn apply(
    c: &mut Connection,
    mail: &str,
    effect: &Effect,
    patience: Patience<'_>,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Done, Error> {
    match effect {
        Effect::Bounce { delivery, verdict, status, text } => {
            record(c, mail, delivery, "bounce", *verdict, *status, text, now)?;
            match verdict {
                Verdict::Hard => bury(c, delivery, Suppression::Bounce, now),
                Verdict::Soft | Verdict::Policy => count(c, delivery, patience, random, now),
                Verdict::Sender | Verdict::Delayed | Verdict::None => Ok(Done::Recorded),
            }
        }
        Effect::Complaint { delivery } => {
            record(c, mail, delivery, "complaint", Verdict::None, None, "", now)?;
            bury(c, delivery, Suppression::Complaint, now)
        }
        Effect::ComplaintOf(address) => bury_address(c, address, Suppression::Complaint, random, now),
        Effect::NoSuchAddress(address) => bury_address(c, address, Suppression::Bounce, random, now),
        Effect::Leave { subscriber, how } => {
            leave(c, subscriber, how, random, now)?;
            Ok(Done::Unsubscribed)
        }
        Effect::Confirm { subscriber, number, welcome } => {
            let confirmed = consents::confirm(c, subscriber, *number, welcome.as_deref(), random, now)?;
            Ok(if confirmed == Confirmed::Now { Done::Subscribed } else { Done::Recorded })
        }
        Effect::Ask { .. } | Effect::Explain { .. } if asked_too_much(c, now)? => Ok(Done::LeftToRead),
        Effect::Ask { request, confirm, links } => {
            consents::take_request(c, request, (confirm, links), random, now).map(answered)
        }
        Effect::Explain { address, links, help } => {
            answers::explain(c, address, (links, help), random, now).map(answered)
        }
    }
}

fn answered(reaction: Reaction) -> Done {
    if matches!(reaction, Reaction::Wrote(_)) { Done::Answered } else { Done::Recorded }
}

/// This mail is among those that are counted.
fn asked_too_much(c: &mut Connection, now: DateTime<Utc>) -> Result<bool, Error> {
    let sql = "SELECT COUNT(*) FROM inbox WHERE kind IN ('subscribe', 'unsubscribe') AND at > $1";
    let asked = c.query_one(sql, &[(now - TimeDelta::hours(1)).into()])?.map_or(Ok(0), |row| row.int(0))?;
    Ok(asked > ANSWERS_AN_HOUR)
}

fn bury(c: &mut Connection, delivery: &Sender, reason: Suppression, now: DateTime<Utc>) -> Result<Done, Error> {
    suppress(c, &delivery.hash, delivery.address.as_str(), reason, Some(&delivery.id), now)?;
    cancel_queued(c, TO_HASH, &delivery.hash)?;
    Ok(Done::Suppressed)
}

fn bury_address(
    c: &mut Connection,
    address: &EmailAddress,
    reason: Suppression,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Done, Error> {
    let hash = hash_of(c, address, random)?;
    suppress(c, &hash, address.as_str(), reason, None, now)?;
    cancel_queued(c, TO_HASH, &hash)?;
    Ok(Done::Suppressed)
}

#[expect(clippy::too_many_arguments, reason = "the columns of a row")]
fn record(
    c: &mut Connection,
    mail: &str,
    delivery: &Sender,
    kind: &str,
    verdict: Verdict,
    status: Option<Status>,
    text: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "INSERT INTO bounces (delivery, mail, hash, at, kind, verdict, status, text, judged) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1) \
         ON CONFLICT (delivery, mail) DO NOTHING";
    let values = [
        delivery.id.as_str().into(),
        mail.into(),
        delivery.hash.as_str().into(),
        now.into(),
        kind.into(),
        verdict.as_str().into(),
        status.map(|status| status.to_string()).into(),
        text.into(),
    ];
    c.execute(sql, &values).map(drop)
}

/// What a server refused at once and what comes back later is one row of soft bounces: deliveries of this address, from this one
/// backwards, each of which came back. One that was taken and did not come back ends the row. A refusal that is nobody's (the sender's
/// set-up, the mail's content) neither counts nor ends it. At its end a letter tries the address once more.
fn count(
    c: &mut Connection,
    delivery: &Sender,
    Patience { settings, probe }: Patience<'_>,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Done, Error> {
    let sql = format!(
        "SELECT last_at, state, occasion, EXISTS (SELECT 1 FROM bounces b WHERE b.delivery = deliveries.id AND b.kind = 'bounce' \
           AND b.verdict IN ('soft', 'policy', 'hard') AND (b.mail <> '' OR deliveries.state = 'refused')) FROM deliveries \
         WHERE {TO_HASH} AND state IN ('accepted', 'refused') AND last_at IS NOT NULL \
           AND last_at <= (SELECT n.last_at FROM deliveries n WHERE n.id = $2) ORDER BY last_at DESC, id DESC LIMIT 1000"
    );
    let (mut row, mut newest, mut oldest, mut ended, mut probed) = (0_u32, 0, 0, false, false);
    c.each(&sql, &[delivery.hash.as_str().into(), delivery.id.as_str().into()], |found| {
        let (at, accepted, came_back) = (found.int(0)?, found.text(1)? == "accepted", found.int(3)? != 0);
        if !ended && came_back {
            probed = probed || Kind::of(&found.text(2)?).is_some_and(|(kind, _)| kind == Kind::Probe);
            newest = if row == 0 { at } else { newest };
            (row, oldest) = (row + 1, at);
        }
        ended = ended || accepted && !came_back;
        Ok(())
    })?;
    if row <= settings.limit || time(newest)? - time(oldest)? < settings.over.0 {
        return Ok(Done::Counted);
    }
    match probe {
        Some(probe) if !probed => {
            let to = To { subscriber: &delivery.subscriber, address: &delivery.address, hash: &delivery.hash };
            if let Some(occasion) = letters::try_address(c, to, probe, now)? {
                let text = format!("{row} mails in a row came back; {occasion} tries once more");
                event(c, &delivery.subscriber, "bouncing", &text, random, now)?;
            }
            Ok(Done::Counted)
        }
        _ => bury(c, delivery, Suppression::Bounce, now),
    }
}

/// A refusal that is counted against the address (full, too big, policy), recorded with the try that it ended.
pub(super) fn count_refusal(
    c: &mut Connection,
    delivery: &str,
    hash: &str,
    sent: &Sent,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let verdict = match sent.outcome {
        Outcome::Refused(Refusal::Mailbox) => Verdict::Soft,
        Outcome::Refused(Refusal::Policy) => Verdict::Policy,
        _ => return Ok(()),
    };
    let sql = "INSERT INTO bounces (delivery, mail, hash, at, kind, verdict, status, text, judged) VALUES ($1, '', $2, $3, 'bounce', $4, $5, $6, 0) \
         ON CONFLICT (delivery, mail) DO UPDATE SET at = excluded.at, verdict = excluded.verdict, status = excluded.status, text = excluded.text, judged = 0";
    let values = [
        delivery.into(),
        hash.into(),
        at.into(),
        verdict.as_str().into(),
        sent.reply.status.map(|status| status.to_string()).into(),
        sent.reply.to_string().into(),
    ];
    c.execute(sql, &values).map(drop)
}
