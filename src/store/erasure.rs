//! A person is forgotten (GDPR, article 17): what is left is a salted hash, so that nobody mails them by mistake, and the counts of
//! editions, which name nobody.

use super::sql::Write;
use super::subscribers::hash_of;
use super::{Error, Store, WITHDRAW};
use crate::address::EmailAddress;
use crate::random::Random;
use chrono::{DateTime, Utc};

/// Stands where an address stood (RFC 6761 section 6.4).
pub const ERASED: &str = "erased@erased.invalid";

impl Store {
    /// Erases all that is known of an address but its hash, which is suppressed for good. What waits for it is withdrawn. False
    /// where nothing was known of it.
    pub fn forget(&self, address: &EmailAddress, random: &Random, now: DateTime<Utc>) -> Result<bool, Error> {
        let mut connection = self.connection();
        let known = connection.transaction(Write::Alone, |c| {
            let hash = hash_of(c, address, random)?;
            let sql = "SELECT id FROM subscribers WHERE hash = $1";
            let id = c.query_one(sql, &[hash.as_str().into()])?.map(|row| row.text(0)).transpose()?;
            // An address that was only suppressed has no subscriber, nor has one that somebody moved away from.
            let person = id.clone().unwrap_or_default();
            let theirs = "subscriber = $1 OR hash = $2 AND subscriber IN (SELECT o.subscriber FROM other_addresses o WHERE o.hash = $2)";
            let both = [person.as_str().into(), hash.as_str().into()];
            let withdraw = format!("UPDATE deliveries SET {WITHDRAW} WHERE ({theirs}) AND state IN ('queued', 'uncertain')");
            c.execute(&withdraw, &both)?;
            // A server's words often repeat the address.
            let sql = format!("UPDATE attempts SET text = NULL WHERE delivery IN (SELECT id FROM deliveries WHERE {theirs})");
            c.execute(&sql, &both)?;
            let sql = format!("UPDATE bounces SET text = '' WHERE delivery IN (SELECT id FROM deliveries WHERE {theirs})");
            c.execute(&sql, &both)?;
            let sql = format!("UPDATE deliveries SET address = '{ERASED}', name = NULL WHERE {theirs}");
            let mut known = c.execute(&sql, &both)? > 0 || id.is_some();
            c.execute("DELETE FROM consents WHERE subscriber = $1 OR hash = $2", &both)?;
            c.execute("DELETE FROM events WHERE subscriber = $1", &[person.as_str().into()])?;
            let sql = format!(
                "UPDATE subscribers SET address = '{ERASED}', name = NULL, language = NULL, digests = '', topics = '', labels = '', \
                 status = 'unsubscribed', decided = 'person', paused_until = NULL, changed = $2 WHERE id = $1"
            );
            c.execute(&sql, &[person.as_str().into(), now.into()])?;
            let sql = "SELECT 1 FROM suppressions WHERE hash = $1";
            known |= c.query_one(sql, &[hash.as_str().into()])?.is_some();
            if known {
                let sql = "INSERT INTO suppressions (hash, address, reason, delivery, at) VALUES ($1, NULL, 'erased', NULL, $2) \
                     ON CONFLICT (hash) DO UPDATE SET address = NULL, reason = 'erased', delivery = NULL, at = excluded.at";
                c.execute(sql, &[hash.into(), now.into()])?;
            }
            Ok::<_, Error>(known)
        })?;
        if connection.is_sqlite() {
            // What was erased still stands in its journal. Whoever is reading meanwhile keeps that for as long.
            connection.query_one("PRAGMA wal_checkpoint(TRUNCATE)", &[])?;
        }
        Ok(known)
    }
}
