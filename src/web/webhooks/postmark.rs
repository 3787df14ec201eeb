//! Postmark signs nothing: a secret in the webhook's address proves it, as the password of `https://user:SECRET@…/hooks/postmark` or at the
//! end of the path.

use super::{Heard, Refused, text};
use crate::bounce::notice;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64;
use serde_json::Value;

pub(super) fn hear(secret: Option<&str>, given: &str, json: &Value) -> Result<Heard, Refused> {
    let secret = secret.ok_or(Refused::NotHere)?;
    // Of hashes, so that the time tells nothing of the length either.
    let hash = |text: &str| digest(&SHA256, text.as_bytes());
    verify_slices_are_equal(hash(secret).as_ref(), hash(given).as_ref())
        .map_err(|_| Refused::NotProven("Postmark's password is not web.hooks.postmark_password"))?;
    let Some(notice) = notice::postmark(json) else { return Ok(Heard::Nothing) };
    let record = text(json, "RecordType").unwrap_or_default();
    // Bounces have a number; a change of subscription has the mail's and the moment.
    let id = match json["ID"].as_i64() {
        Some(id) => id.to_string(),
        None => {
            let part = |key| text(json, key).unwrap_or_default();
            format!("{} {} {}", part("MessageID"), part("Recipient"), part("ChangedAt"))
        }
    };
    Ok(Heard::Notice(notice, format!("postmark {record} {id}")))
}

/// The password of `Authorization: Basic …` (RFC 7617).
pub(super) fn password(header: &str) -> Option<String> {
    let encoded = header.strip_prefix("Basic ").or_else(|| header.strip_prefix("basic "))?;
    let decoded = String::from_utf8(BASE64.decode(encoded.trim().as_bytes()).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}
