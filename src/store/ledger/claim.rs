//! Which rows may go now: due, not claimed by a living worker, within the limits. What counts against a limit is counted in the
//! ledger, so limits survive a restart and bind all processes.

use super::super::sql::Row;
use super::super::time;
use super::{Claim, Claimed, Connection, Error, LEASE, Text};
use crate::address::EmailAddress;
use crate::delivery::pace::{Allowance, Window, allowance};
use crate::delivery::relay::Terms;
use crate::delivery::{Limits, Rate};
use chrono::{DateTime, TimeDelta, Utc};

/// For whom rows are claimed.
#[derive(Clone, Copy)]
pub(super) struct Claimant<'a> {
    pub(super) worker: &'a str,
    /// By which of several relays they are to go.
    pub(super) relay: Option<&'a str>,
}

/// A part of the queue and what it may do now.
struct Lane<'a> {
    name: &'a str,
    allowance: Allowance,
}

/// Claims due rows by a lease.
pub(super) fn claim(
    c: &mut Connection,
    claimant: Claimant<'_>,
    limit: i64,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Result<Claim, Error> {
    let own = claimant.relay.and_then(|name| limits.relay(name));
    let mut lanes = lanes(c, limits, own, now)?;
    let all = allowed(c, Counted::default(), &limits.rates, now)?;
    let mut left = match all.and(of_relay(c, own, now)?) {
        Allowance::Now(n) => limit.min(n),
        Allowance::Wait(millis) => return next(c, &lanes, Some(millis), now),
    };
    let (mut rows, mut found) = (Vec::new(), 0);
    // Somebody waits for a letter; an edition of a million can let it pass.
    for which in [LETTERS, EDITIONS] {
        for lane in &mut lanes {
            let Allowance::Now(n) = &mut lane.allowance else { continue };
            if left <= 0 || *n <= 0 {
                continue;
            }
            let (claimed, mut kept) = take(c, claimant, (lane.name, which), left.min(*n), limits, now)?;
            found += claimed;
            left -= kept.len() as i64;
            *n -= kept.len() as i64;
            rows.append(&mut kept);
        }
    }
    if found > 0 { Ok(Claim::Rows(rows)) } else { next(c, &lanes, None, now) }
}

/// Which deliveries are letters.
const LETTERS: &str = "d.edition IS NULL";
/// Which deliveries are of editions that go out.
const EDITIONS: &str = "d.edition IN (SELECT e.id FROM editions e WHERE e.state = 'open')";

/// When the next row is due, whatever the limits.
pub(super) fn first_due(c: &mut Connection, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
    let mut first = next_due(c, "", now)?;
    for lane in own_lanes(c)? {
        first = first.into_iter().chain(next_due(c, &lane, now)?).min();
    }
    Ok(first)
}

/// `{skip}` lets several PostgreSQL workers take disjoint rows without waiting for each other. With how many were looked at: a row
/// in the wrong lane is moved to its own, and not kept.
fn take(
    c: &mut Connection,
    claimant: Claimant<'_>,
    (lane, which): (&str, &str),
    limit: i64,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Result<(usize, Vec<Claimed>), Error> {
    let sql = format!(
        "UPDATE deliveries SET worker = $1, relay = $6, lease = CAST($2 AS BIGINT) + CAST($3 AS BIGINT) \
         WHERE id IN (SELECT d.id FROM deliveries d WHERE d.lane = $5 AND d.state IN ('queued', 'uncertain') AND d.due <= $2 \
            AND (d.worker IS NULL OR d.lease < $2) \
            AND {which} ORDER BY d.due, d.id LIMIT $4 {{skip}}) \
         RETURNING id, subscriber, occasion, variant, letter, address, hash, name, \
            COALESCE((SELECT e.released FROM editions e WHERE e.id = deliveries.edition), queued)"
    );
    let Claimant { worker, relay } = claimant;
    let rows = c.query(&sql, &[worker.into(), now.into(), LEASE.into(), limit.into(), lane.into(), relay.into()])?;
    let mut kept = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = read(row)?;
        let own = limits.lane(&row.address);
        if own == lane {
            kept.push(row);
        } else {
            let sql = "UPDATE deliveries SET lane = $2, worker = NULL, lease = NULL WHERE id = $1";
            c.execute(sql, &[row.id.as_str().into(), own.into()])?;
        }
    }
    Ok((rows.len(), kept))
}

fn read(row: &Row) -> Result<Claimed, Error> {
    Ok(Claimed {
        id: row.text(0)?,
        subscriber: row.text(1)?,
        occasion: row.text(2)?,
        text: match row.maybe_text(3)? {
            Some(variant) => Text::Variant(variant),
            None => Text::Letter(row.text(4)?),
        },
        address: EmailAddress::parse(&row.text(5)?)
            .map_err(|e| Error::Corrupt(format!("a delivery's address cannot be read: {e}")))?,
        hash: row.text(6)?,
        name: row.maybe_text(7)?,
        date: time(row.int(8)?)?,
    })
}

/// The lanes with limits first, since others might leave nothing for them. A lane whose limit was taken out of the configuration
/// has none, until its rows have moved.
fn lanes<'a>(
    c: &mut Connection,
    limits: &'a Limits,
    own: Option<&Terms>,
    now: DateTime<Utc>,
) -> Result<Vec<Lane<'a>>, Error> {
    let mut lanes = Vec::new();
    for name in limits.lanes() {
        let all = allowed(c, Counted { lane: Some(name), relay: None }, limits.domains.rates(name), now)?;
        let own = own.map(|terms| {
            allowed(c, Counted { lane: Some(name), relay: terms.name.as_deref() }, terms.domains.rates(name), now)
        });
        lanes.push(Lane { name, allowance: own.transpose()?.map_or(all, |own| all.and(own)) });
    }
    lanes.push(Lane { name: "", allowance: Allowance::Now(i64::MAX) });
    Ok(lanes)
}

/// What a relay may take, be it for whom it may.
fn of_relay(c: &mut Connection, own: Option<&Terms>, now: DateTime<Utc>) -> Result<Allowance, Error> {
    let Some(terms) = own else { return Ok(Allowance::Now(i64::MAX)) };
    let allowed = allowed(c, Counted { lane: None, relay: terms.name.as_deref() }, &terms.rates_at(now), now)?;
    Ok(match (allowed, terms.warm_up) {
        // It may have room sooner than a day after the oldest try: when its warm-up comes to the next step.
        (Allowance::Wait(millis), Some(warm_up)) => {
            Allowance::Wait(millis.min((warm_up.next_step(now) - now).num_milliseconds().max(1)))
        }
        (allowed, _) => allowed,
    })
}

/// Puts the rows of lanes that the configuration no longer knows back among all others.
pub(super) fn clear_lanes(c: &mut Connection, limits: &Limits) -> Result<(), Error> {
    for lane in own_lanes(c)? {
        if !limits.has_lane(&lane) {
            let sql = "UPDATE deliveries SET lane = '' WHERE lane = $1 AND state IN ('queued', 'uncertain')";
            c.execute(sql, &[lane.into()])?;
        }
    }
    Ok(())
}

/// What a clock that was ahead put off is due now: how many. A minute is left for clocks that are set a little now and then, so that
/// none of them makes a retry come too soon.
pub(super) fn mend_due(c: &mut Connection, now: DateTime<Utc>) -> Result<u64, Error> {
    let mut mended = 0;
    let ahead = now + TimeDelta::minutes(1);
    for lane in own_lanes(c)?.iter().map(String::as_str).chain([""]) {
        let sql = "UPDATE deliveries SET due = $2 WHERE lane = $1 AND state IN ('queued', 'uncertain') AND due > $2 \
             AND COALESCE(last_at, queued) > $3";
        mended += c.execute(sql, &[lane.into(), now.into(), ahead.into()])?;
    }
    Ok(mended)
}

/// The lanes beside the common one that hold something.
fn own_lanes(c: &mut Connection) -> Result<Vec<String>, Error> {
    let sql = "SELECT DISTINCT lane FROM deliveries WHERE lane > '' AND state IN ('queued', 'uncertain')";
    c.query(sql, &[])?.iter().map(|row| row.text(0)).collect()
}

/// Nothing can be claimed: when that changes. `wait`: all lanes have to wait so many milliseconds.
fn next(c: &mut Connection, lanes: &[Lane<'_>], wait: Option<i64>, now: DateTime<Utc>) -> Result<Claim, Error> {
    let (mut next, mut waits): (Option<DateTime<Utc>>, Option<i64>) = (None, None);
    for lane in lanes {
        let Some(due) = next_due(c, lane.name, now)? else { continue };
        let own = match lane.allowance {
            Allowance::Wait(millis) => Some(millis),
            Allowance::Now(_) => None,
        };
        match own.max(wait) {
            Some(millis) if due <= now => waits = Some(waits.map_or(millis, |least| least.min(millis))),
            _ => next = Some(next.map_or(due, |first| first.min(due))),
        }
    }
    Ok(match (waits, next) {
        (Some(millis), Some(next)) if next > now && (next - now).num_milliseconds() < millis => {
            Claim::Nothing(Some(next))
        }
        (Some(millis), _) => Claim::Wait(millis),
        (None, next) => Claim::Nothing(next),
    })
}

/// When the next row of a lane can be claimed: one that another worker has claimed, not before its lease ends.
fn next_due(c: &mut Connection, lane: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
    let sql = format!(
        "SELECT MIN(CASE WHEN d.worker IS NULL OR d.lease < $1 OR d.lease < d.due THEN d.due ELSE d.lease + 1 END) \
         FROM deliveries d WHERE d.lane = $2 AND d.state IN ('queued', 'uncertain') AND ({LETTERS} OR {EDITIONS})"
    );
    let next = c.query_one(&sql, &[now.into(), lane.into()])?.map(|row| row.maybe_int(0)).transpose()?.flatten();
    next.map(time).transpose()
}

/// Which tries and promises count against a limit: those of a lane or of all, by one relay or by any.
#[derive(Clone, Copy, Default)]
struct Counted<'a> {
    lane: Option<&'a str>,
    relay: Option<&'a str>,
}

/// Tries begun and rows promised in each window. A clock that went back has left tries in its future: those
/// further off than the window would bar the way for as long as it went back, and do not count.
fn allowed(c: &mut Connection, which: Counted<'_>, rates: &[Rate], now: DateTime<Utc>) -> Result<Allowance, Error> {
    if rates.is_empty() {
        return Ok(Allowance::Now(i64::MAX));
    }
    let of: Vec<(&str, &str)> =
        [("lane", which.lane), ("relay", which.relay)].into_iter().filter_map(|(key, of)| Some((key, of?))).collect();
    let narrowed = |first: usize| -> String {
        of.iter().enumerate().map(|(n, (key, _))| format!(" AND {key} = ${}", first + n)).collect()
    };
    let values = |mut values: Vec<super::super::sql::Value>| {
        values.extend(of.iter().map(|(_, value)| (*value).into()));
        values
    };
    let sql = format!(
        "SELECT COUNT(*) FROM deliveries WHERE worker IS NOT NULL AND state IN ('queued', 'uncertain') AND lease >= $1{}",
        narrowed(2)
    );
    let promised = c.query_one(&sql, &values(vec![now.into()]))?.map_or(Ok(0), |row| row.int(0))?;
    let sql = format!("SELECT COUNT(*), MIN(began) FROM attempts WHERE began > $1 AND began <= $2{}", narrowed(3));
    let mut windows = Vec::new();
    for rate in rates {
        let window = TimeDelta::milliseconds(rate.window);
        let row = c.query_one(&sql, &values(vec![(now - window).into(), (now + window).into()]))?;
        let (used, oldest) = row.map_or(Ok((0, None)), |row| Ok::<_, Error>((row.int(0)?, row.maybe_int(1)?)))?;
        let from = (now - window).timestamp_millis();
        windows.push(Window {
            rate: *rate,
            used: used + promised,
            frees_in: oldest.map_or(100, |oldest| oldest - from),
        });
    }
    Ok(allowance(&windows))
}
