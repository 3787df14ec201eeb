//! The pages of editions: what the archive on the site is made of.

use super::{Error, Store, time};
use chrono::{DateTime, FixedOffset, Utc};

/// The page of an edition that is frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its id in the feed of editions.
    pub entry: String,
    /// The edition's moment, in the digest's zone.
    pub date: DateTime<FixedOffset>,
    /// BCP 47: in which it speaks.
    pub language: String,
    /// What stands below its title in lists.
    pub summary: String,
    /// The document.
    pub html: String,
    /// What feed readers show of it.
    pub content: String,
}

/// A page that readers may see, less what is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The edition's id.
    pub edition: String,
    /// Its digest.
    pub digest: String,
    /// Its subject.
    pub subject: String,
    /// When it was released.
    pub released: DateTime<Utc>,
    /// As in [`Page`].
    pub entry: String,
    /// As in [`Page`].
    pub date: DateTime<FixedOffset>,
    /// As in [`Page`].
    pub language: String,
    /// As in [`Page`].
    pub summary: String,
    /// The length of the document, in bytes.
    pub length: u64,
    /// Whether it was cancelled before anybody can have got it.
    pub withdrawn: bool,
}

impl Store {
    /// The pages of what was released, newest first.
    pub fn pages(&self) -> Result<Vec<Listed>, Error> {
        let sql = "SELECT e.id, e.digest, e.subject, e.released, p.entry, p.date, p.language, p.summary, p.length, \
             CASE WHEN e.state = 'cancelled' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.edition = e.id \
               AND d.state IN ('accepted', 'held', 'uncertain', 'sending')) THEN 1 ELSE 0 END \
             FROM pages p JOIN editions e ON e.id = p.edition WHERE e.released IS NOT NULL ORDER BY e.released DESC, e.number DESC";
        let mut pages = Vec::new();
        self.connection().each(sql, &[], |row| {
            let date = row.text(5)?;
            pages.push(Listed {
                edition: row.text(0)?,
                digest: row.text(1)?,
                subject: row.text(2)?,
                released: time(row.int(3)?)?,
                entry: row.text(4)?,
                date: date.parse().map_err(|_| Error::Corrupt(format!("{date:?} is no moment")))?,
                language: row.text(6)?,
                summary: row.text(7)?,
                length: u64::try_from(row.int(8)?).unwrap_or_default(),
                withdrawn: row.int(9)? != 0,
            });
            Ok(())
        })?;
        Ok(pages)
    }

    /// The document of an edition's page.
    pub fn page_html(&self, edition: &str) -> Result<String, Error> {
        self.of_page("html", edition)
    }

    /// What feed readers show of an edition.
    pub fn page_content(&self, edition: &str) -> Result<String, Error> {
        self.of_page("content", edition)
    }

    fn of_page(&self, column: &str, edition: &str) -> Result<String, Error> {
        let sql = format!("SELECT {column} FROM pages WHERE edition = $1");
        let row = self.connection().query_one(&sql, &[edition.into()])?;
        row.ok_or_else(|| Error::Corrupt(format!("the page of {edition} has gone")))?.text(0)
    }
}
