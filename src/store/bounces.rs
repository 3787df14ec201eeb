//! What comes back: each mail is recorded in the transaction that holds its effect, so that none has an effect twice, however often it
//! is read and whenever we are stopped.

use super::sql::{Connection, Row, Write};
use super::subscribers::{cancel_queued, event, hash_of, leave, suppress};
use super::{Error, Store, time};
use crate::address::EmailAddress;
use crate::bounce::{Settings, Verdict};
use crate::random::Random;
use crate::reply::{Outcome, Refusal, Sent, Status};
use crate::subscriber::Suppression;
use chrono::{DateTime, Utc};

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
    /// Kept for the record alone.
    Recorded,
}

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

    /// Takes a mail in: what it does and that it was there, in one transaction. None where it was there before: then nothing is done.
    pub fn take_in(
        &self,
        mail: Arrival<'_>,
        effects: &[Effect],
        settings: &Settings,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Done>>, Error> {
        self.connection().transaction(Write::Shared, |c| {
            let sql = "INSERT INTO inbox (hash, at, kind) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING";
            if c.execute(sql, &[mail.hash.into(), now.into(), mail.kind.into()])? == 0 {
                return Ok(None);
            }
            let done: Result<Vec<Done>, Error> =
                effects.iter().map(|effect| apply(c, mail.hash, effect, settings, random, now)).collect();
            done.map(Some)
        })
    }

    /// Counts the refusals of this run and of those before it; the addresses that are suppressed for it. Not done as they come: ten in a
    /// row would be nobody's fault but ours, and are undone.
    pub fn judge_refusals(
        &self,
        settings: &Settings,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Vec<EmailAddress>, Error> {
        self.connection().transaction(Write::Shared, |c| {
            let sql = "SELECT d.id, d.subscriber, d.address, d.hash FROM bounces b JOIN deliveries d ON d.id = b.delivery \
                 WHERE b.judged = 0 AND d.state = 'refused' ORDER BY b.at, d.id";
            let mut suppressed = Vec::new();
            for row in c.query(sql, &[])? {
                let delivery = sender(&row)?;
                if count(c, &delivery, settings, random, now)? == Done::Suppressed {
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
    settings: &Settings,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Done, Error> {
    match effect {
        Effect::Bounce { delivery, verdict, status, text } => {
            record(c, mail, delivery, "bounce", *verdict, *status, text, now)?;
            match verdict {
                Verdict::Hard => bury(c, delivery, Suppression::Bounce, now),
                Verdict::Soft | Verdict::Policy => count(c, delivery, settings, random, now),
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
    }
}

fn bury(c: &mut Connection, delivery: &Sender, reason: Suppression, now: DateTime<Utc>) -> Result<Done, Error> {
    suppress(c, &delivery.hash, delivery.address.as_str(), reason, Some(&delivery.id), now)?;
    cancel_queued(c, "hash", &delivery.hash)?;
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
    cancel_queued(c, "hash", &hash)?;
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
/// set-up, the mail's content) neither counts nor ends it.
fn count(
    c: &mut Connection,
    delivery: &Sender,
    settings: &Settings,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Done, Error> {
    let sql = "SELECT d.last_at, d.state, EXISTS (SELECT 1 FROM bounces b WHERE b.delivery = d.id AND b.kind = 'bounce' \
           AND b.verdict IN ('soft', 'policy', 'hard') AND (b.mail <> '' OR d.state = 'refused')) FROM deliveries d \
         WHERE d.hash = $1 AND d.state IN ('accepted', 'refused') AND d.last_at IS NOT NULL \
           AND d.last_at <= (SELECT n.last_at FROM deliveries n WHERE n.id = $2) ORDER BY d.last_at DESC, d.id DESC LIMIT 1000";
    let (mut row, mut newest, mut oldest, mut ended) = (0_u32, 0, 0, false);
    c.each(sql, &[delivery.hash.as_str().into(), delivery.id.as_str().into()], |found| {
        let (at, accepted, came_back) = (found.int(0)?, found.text(1)? == "accepted", found.int(2)? != 0);
        if !ended && came_back {
            newest = if row == 0 { at } else { newest };
            (row, oldest) = (row + 1, at);
        }
        ended = ended || accepted && !came_back;
        Ok(())
    })?;
    let long = time(newest)? - time(oldest)? >= settings.over.0;
    if row > settings.limit && long {
        return bury(c, delivery, Suppression::Bounce, now);
    }
    if row == settings.limit || row > settings.limit && !long {
        let text = format!("{row} mails in a row came back; if the next one does, too, the address is suppressed");
        event(c, &delivery.subscriber, "bouncing", &text, random, now)?;
    }
    Ok(Done::Counted)
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
