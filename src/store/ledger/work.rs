//! The statements of the ledger. Each runs inside the writer's transaction; guards in the statement decide races.

use super::super::bounces::count_refusal;
use super::super::letters::LETTER_MAY_GO;
use super::super::retention::note_past;
use super::super::subscribers::{TO_HASH, suppress_bounced};
use super::super::{ONCE_MORE, WITHDRAW, lock, time};
use super::{Begun, Connection, Error, Recovered, Settled};
use crate::delivery::{State, Uncertain};
use crate::reply::Outcome;
use chrono::{DateTime, Utc};
use std::path::Path;

/// The intent. Whether the reader may still be mailed is asked here, in the statement that makes the row Sending (P3).
pub(super) fn begin(
    c: &mut Connection,
    worker: &str,
    transport: &str,
    delivery: &str,
    now: DateTime<Utc>,
) -> Result<Option<Begun>, Error> {
    let sql = format!(
        "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, \
           resends = resends + CASE WHEN state = 'uncertain' THEN 1 ELSE 0 END, \
           first_at = COALESCE(first_at, $3), last_at = $3, transport = $4, lease = NULL \
         WHERE id = $1 AND worker = $2 AND state IN ('queued', 'uncertain') \
           AND CASE WHEN edition IS NULL THEN {LETTER_MAY_GO} ELSE \
             NOT EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = deliveries.hash) \
             AND EXISTS (SELECT 1 FROM subscribers s WHERE s.id = deliveries.subscriber AND s.status = 'active') \
             AND EXISTS (SELECT 1 FROM editions e WHERE e.id = deliveries.edition AND e.state = 'open') END \
         RETURNING attempts, first_at, resends, lane, relay"
    );
    let row = c.query_one(&sql, &[delivery.into(), worker.into(), now.into(), transport.into()])?;
    let Some(row) = row else {
        // What a bounce withdraws remembers it: the breaker may yet undo that.
        let sql = format!(
            "UPDATE deliveries SET withdrawn_by = (SELECT p.delivery FROM suppressions p, subscribers s \
                 WHERE p.hash = deliveries.hash AND s.id = deliveries.subscriber AND s.status = 'active'), {WITHDRAW} \
             WHERE id = $1 AND worker = $2 AND state IN ('queued', 'uncertain') \
             AND (edition IS NULL OR EXISTS (SELECT 1 FROM editions e WHERE e.id = deliveries.edition AND e.state = 'open'))"
        );
        c.execute(&sql, &[delivery.into(), worker.into()])?;
        release(c, worker, &[delivery.to_owned()])?;
        return Ok(None);
    };
    let begun = Begun { attempt: row.int(0)?, first_at: time(row.int(1)?)?, resends: row.int(2)? };
    let lane = Some(row.text(3)?).filter(|lane| !lane.is_empty());
    c.execute(
        "INSERT INTO attempts (delivery, number, began, lane, relay) VALUES ($1, $2, $3, $4, $5)",
        &[delivery.into(), begun.attempt.into(), now.into(), lane.into(), row.maybe_text(4)?.into()],
    )?;
    Ok(Some(begun))
}

/// The record. Only the worker that began the try can end it.
pub(super) fn settle(c: &mut Connection, worker: &str, settled: &Settled) -> Result<(), Error> {
    let Settled { delivery, attempt, at, sent, verdict } = settled;
    let sql = "UPDATE deliveries SET state = $3, due = COALESCE($4, due), worker = NULL, lease = NULL \
         WHERE id = $1 AND worker = $2 AND state = 'sending' AND attempts = $5 RETURNING hash, address";
    let values = [delivery.into(), worker.into(), verdict.state.as_str().into(), verdict.due.into(), (*attempt).into()];
    let Some(row) = c.query_one(sql, &values)? else {
        return Err(Error::Lost(
            "a delivery that this process was sending was judged by another; are two machines sharing one SQLite file?"
                .to_owned(),
        ));
    };
    let outcome = match (sent.outcome, verdict.expired) {
        (_, true) => "expired",
        (Outcome::Accepted, _) => "accepted",
        (Outcome::Deferred(_), _) => "deferred",
        (Outcome::Refused(_), _) => "refused",
        (Outcome::Unknown, _) => "unknown",
    };
    let sql = "UPDATE attempts SET ended = $3, stage = $4, code = $5, status = $6, text = $7, outcome = $8 WHERE delivery = $1 AND number = $2";
    let values = [
        delivery.into(),
        (*attempt).into(),
        (*at).into(),
        format!("{:?}", sent.stage).to_lowercase().into(),
        i64::from(sent.reply.code).into(),
        sent.reply.status.map(|s| s.to_string()).into(),
        sent.reply.text.as_str().into(),
        outcome.into(),
    ];
    c.execute(sql, &values)?;
    if matches!(verdict.state, State::Queued | State::Uncertain) {
        withdraw_cancelled(c, "id = $1", delivery)?;
    }
    match verdict.suppress {
        true => suppress_bounced(c, &row.text(0)?, &row.text(1)?, delivery, *at),
        false => count_refusal(c, delivery, &row.text(0)?, sent, *at),
    }
}

/// What was Sending when its edition was cancelled has come back to the queue, where nobody will ever claim it.
fn withdraw_cancelled(c: &mut Connection, which: &str, value: &str) -> Result<(), Error> {
    let sql = format!(
        "UPDATE deliveries SET {WITHDRAW} WHERE {which} AND state IN ('queued', 'uncertain') \
         AND EXISTS (SELECT 1 FROM editions e WHERE e.id = deliveries.edition AND e.state = 'cancelled')"
    );
    c.execute(&sql, &[value.into()]).map(drop)
}

/// As if the try had never begun: it was in doubt before if the try before it was.
pub(super) fn take_back(c: &mut Connection, worker: &str, delivery: &str, attempt: i64) -> Result<(), Error> {
    let before =
        "SELECT b.outcome FROM attempts b WHERE b.delivery = deliveries.id AND b.number = deliveries.attempts - 1";
    let sql = format!(
        "UPDATE deliveries SET state = CASE WHEN ({before}) = 'unknown' THEN 'uncertain' ELSE 'queued' END, \
           resends = resends - CASE WHEN ({before}) = 'unknown' THEN 1 ELSE 0 END, attempts = attempts - 1, \
           first_at = CASE WHEN EXISTS (SELECT 1 FROM attempts b WHERE b.delivery = deliveries.id \
             AND b.number < deliveries.attempts AND b.began = first_at) THEN first_at END, \
           last_at = (SELECT b.began FROM attempts b WHERE b.delivery = deliveries.id AND b.number = deliveries.attempts - 1), \
           worker = NULL, lease = NULL \
         WHERE id = $1 AND worker = $2 AND state = 'sending' AND attempts = $3"
    );
    if c.execute(&sql, &[delivery.into(), worker.into(), attempt.into()])? > 0 {
        withdraw_cancelled(c, "id = $1", delivery)?;
        c.execute("DELETE FROM attempts WHERE delivery = $1 AND number = $2", &[delivery.into(), attempt.into()])?;
    }
    Ok(())
}

pub(super) fn release(c: &mut Connection, worker: &str, deliveries: &[String]) -> Result<(), Error> {
    for delivery in deliveries {
        let sql = "UPDATE deliveries SET worker = NULL, lease = NULL WHERE id = $1 AND worker = $2 AND state IN ('queued', 'uncertain')";
        c.execute(sql, &[delivery.into(), worker.into()])?;
    }
    Ok(())
}

pub(super) fn release_all(c: &mut Connection, worker: &str) -> Result<(), Error> {
    let sql =
        "UPDATE deliveries SET worker = NULL, lease = NULL WHERE worker = $1 AND state IN ('queued', 'uncertain')";
    c.execute(sql, &[worker.into()]).map(drop)
}

pub(super) fn undo(c: &mut Connection, deliveries: &[String], now: DateTime<Utc>) -> Result<(), Error> {
    for delivery in deliveries {
        let row = c.query_one("SELECT hash FROM deliveries WHERE id = $1", &[delivery.into()])?;
        let Some(hash) = row.map(|row| row.text(0)).transpose()? else { continue };
        c.execute("DELETE FROM suppressions WHERE delivery = $1 AND reason = 'bounce'", &[delivery.into()])?;
        let sql = "UPDATE deliveries SET state = 'queued', due = $2 WHERE id = $1 AND state IN ('refused', 'queued')";
        c.execute(sql, &[delivery.into(), now.into()])?;
        // And what its suppression withdrew in other editions: nobody is skipped for a refusal that did not count (P1).
        let sql = format!(
            "UPDATE deliveries SET {ONCE_MORE}, due = $2, withdrawn_by = NULL \
             WHERE withdrawn_by = $1 AND state IN ('cancelled', 'held') \
             AND EXISTS (SELECT 1 FROM subscribers s WHERE s.id = deliveries.subscriber AND s.status = 'active')"
        );
        c.execute(&sql, &[delivery.into(), now.into()])?;
        withdraw_cancelled(c, TO_HASH, &hash)?;
        // Another process may have called an edition done meanwhile.
        let sql = format!(
            "UPDATE editions SET state = 'open' WHERE state = 'done' AND id IN \
             (SELECT deliveries.edition FROM deliveries WHERE {TO_HASH} AND state IN ('queued', 'uncertain'))"
        );
        c.execute(&sql, &[hash.as_str().into()])?;
        // What was noted of those that stay done is not right any more.
        let sql = format!(
            "DELETE FROM past WHERE edition IN (SELECT deliveries.edition FROM deliveries WHERE {TO_HASH}) \
             AND edition IN (SELECT e.id FROM editions e WHERE e.compacted IS NULL)"
        );
        c.execute(&sql, &[hash.into()])?;
    }
    Ok(())
}

/// Judges Sending rows whose worker's lock is free: the worker is dead, and whether the server took the message nobody knows.
/// Under `resend` it goes out again however often we die over it, or somebody might get nothing; what has been sent again in doubt
/// is held only when the server's reply fails to come to a living process. An outbox is never in doubt: writing the file again
/// overwrites it.
pub(super) fn recover(
    c: &mut Connection,
    worker: &str,
    beside: Option<&Path>,
    policy: Uncertain,
    now: DateTime<Utc>,
) -> Result<Recovered, Error> {
    let others =
        c.query("SELECT DISTINCT worker FROM deliveries WHERE worker IS NOT NULL AND worker <> $1", &[worker.into()])?;
    let mut recovered = Recovered::default();
    for other in others {
        let other = other.text(0)?;
        if !lock::is_dead(c, beside, &other)? {
            continue;
        }
        let sql = "UPDATE attempts SET ended = $2, outcome = CASE WHEN delivery IN \
               (SELECT d.id FROM deliveries d WHERE d.transport LIKE 'outbox%') THEN 'deferred' ELSE 'unknown' END, text = 'the process ended before a reply was recorded' \
             WHERE ended IS NULL AND delivery IN (SELECT d.id FROM deliveries d WHERE d.worker = $1 AND d.state = 'sending')";
        c.execute(sql, &[other.as_str().into(), now.into()])?;
        let resend = i64::from(policy == Uncertain::Resend);
        let sql = "UPDATE deliveries SET due = $2, worker = NULL, lease = NULL, state = CASE WHEN transport LIKE 'outbox%' THEN 'queued' \
             WHEN CAST($3 AS BIGINT) = 1 THEN 'uncertain' ELSE 'held' END \
             WHERE worker = $1 AND state = 'sending' RETURNING state, id";
        for row in c.query(sql, &[other.as_str().into(), now.into(), resend.into()])? {
            match row.text(0)? {
                state if state == State::Held.as_str() => recovered.held += 1,
                state if state == State::Uncertain.as_str() => recovered.uncertain += 1,
                _ => {}
            }
            withdraw_cancelled(c, "id = $1", &row.text(1)?)?;
        }
        release_all(c, &other)?;
        lock::bury(beside, &other);
    }
    Ok(recovered)
}

/// Holds what has rested too long: an edition that nobody tried to send for `give_up_after` may be stale news.
pub(super) fn hold_rested(c: &mut Connection, before: DateTime<Utc>) -> Result<Vec<String>, Error> {
    let sql = format!(
        "UPDATE deliveries SET {WITHDRAW} WHERE edition IS NULL AND occasion NOT LIKE 'probe/%' AND state = 'queued' AND attempts = 0 AND queued < $1"
    );
    c.execute(&sql, &[before.into()])?;
    let sql = "UPDATE editions SET state = 'held' WHERE state = 'open' AND rests < $1 \
           AND EXISTS (SELECT 1 FROM deliveries d WHERE d.edition = editions.id AND d.state IN ('queued', 'uncertain')) \
           AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.edition = editions.id AND d.last_at >= $1) RETURNING id";
    c.query(sql, &[before.into()])?.iter().map(|row| row.text(0)).collect()
}

/// Calls what has nothing left to be sent done, and notes how its deliveries ended: nobody has to count a million again.
pub(super) fn finish_editions(c: &mut Connection) -> Result<(), Error> {
    let sql = "UPDATE editions SET state = 'done' WHERE state = 'open' AND NOT EXISTS \
         (SELECT 1 FROM deliveries d WHERE d.edition = editions.id AND d.state IN ('queued', 'sending', 'uncertain')) RETURNING id";
    for row in c.query(sql, &[])? {
        let edition = row.text(0)?;
        c.execute("DELETE FROM past WHERE edition = $1", &[edition.as_str().into()])?;
        note_past(c, &edition)?;
    }
    Ok(())
}
