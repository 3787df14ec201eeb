//! Mailgun's proof: HMAC-SHA256 over a time and a token, with the account's webhook signing key. It does not cover what is said, so each
//! token is good once, and not for long.

use super::{Heard, Refused, text};
use crate::bounce::notice;
use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::Value;

/// Mailgun tries for eight hours.
const WINDOW: i64 = 12 * 3600;

pub(super) fn hear(key: Option<&str>, json: &Value, now: DateTime<Utc>) -> Result<Heard, Refused> {
    let key = key.ok_or(Refused::NotHere)?;
    let proof = &json["signature"];
    let (Some(timestamp), Some(token), Some(signature)) =
        (text(proof, "timestamp"), text(proof, "token"), text(proof, "signature"))
    else {
        return Err(Refused::Unreadable);
    };
    let signature = HEXLOWER_PERMISSIVE.decode(signature.as_bytes()).map_err(|_| Refused::NotProven("no hex"))?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hmac::verify(&key, format!("{timestamp}{token}").as_bytes(), &signature).map_err(|_| {
        Refused::NotProven("Mailgun's signature is wrong; is web.hooks.mailgun_signing_key the webhook signing key?")
    })?;
    let at: i64 = timestamp.parse().map_err(|_| Refused::Unreadable)?;
    if (now.timestamp() - at).abs() > WINDOW {
        return Err(Refused::NotProven("Mailgun's signature is too old"));
    }
    Ok(match notice::mailgun(json) {
        Some(notice) => Heard::Notice(notice, format!("mailgun {token}")),
        None => Heard::Nothing,
    })
}
