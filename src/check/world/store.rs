//! The store's file: that it can be read and written, and has room to grow.

use super::{Finding, Severity, Source, at_key};
use crate::store::{self, Mode, Place, Store};
use rustix::fs::{Access, access, statvfs};
use std::path::Path;

const ANCHOR: &str = "the-store";
const KEY: &str = "store.url";
/// With less than this a run may end in the middle.
const LEAST: u64 = 200 << 20;

/// What is wrong with the store. One that is not there yet is none.
pub fn store(source: &Source, place: &Place) -> Vec<Finding> {
    let find = |severity, message: String, help: &str| at_key(source, KEY, severity, message, help, ANCHOR);
    let path = match place {
        Place::File(path) => path,
        // Where it is not at hand, as in a pull request's CI, the posts can be judged all the same.
        Place::Server(_) => {
            return opened(place).map(|(what, help)| find(Severity::Warning, what, &help)).into_iter().collect();
        }
        Place::Memory => return Vec::new(),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let message = format!("The store's folder {} is not there", folder.display());
        return vec![find(Severity::Error, message, "make it, or correct store.url")];
    }
    let mut found = Vec::new();
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err()
        || path.exists() && access(path, Access::WRITE_OK).is_err()
    {
        let message = format!("This user may not write to the store {} and its folder", path.display());
        found.push(find(
            Severity::Error,
            message,
            "check as the user that runs Postrider, or give the folder to that user",
        ));
    }
    if path.exists() {
        found.extend(opened(place).map(|(what, help)| find(Severity::Error, what, &help)));
    }
    if let Ok(disk) = statvfs(folder) {
        let size = path.metadata().map_or(0, |file| file.len());
        let tight = tight(disk.f_bavail.saturating_mul(disk.f_frsize), size);
        found.extend(
            tight.map(|message| {
                find(Severity::Warning, message, "make room: the ledger must be written before each mail")
            }),
        );
    }
    found
}

/// That it is not there where the configuration says that it must be.
pub fn missing(source: &Source, place: &Place) -> Option<Finding> {
    let said = place.must_exist().err()?.to_string();
    let (what, help) = said.split_once("\n  help: ").unwrap_or((&said, "bring the store back"));
    Some(at_key(source, "store.must_exist", Severity::Note, what.to_owned(), help, ANCHOR))
}

/// Why it cannot be used, and what to do.
fn opened(place: &Place) -> Option<(String, String)> {
    let error: store::Error = Store::open(place, Mode::Rehearse).err()?;
    let said = error.to_string();
    let (what, help) = said.split_once("\n  help: ").unwrap_or((&said, "correct store.url, or bring the store back"));
    Some((what.to_owned(), help.to_owned()))
}

/// Octets free, and those of the store.
fn tight(free: u64, size: u64) -> Option<String> {
    let megabytes = |octets: u64| octets >> 20;
    match size.saturating_mul(2).max(LEAST) {
        needed if free < needed => Some(format!(
            "There are {} MB free where the store of {} MB is, and it may need {} MB",
            megabytes(free),
            megabytes(size),
            megabytes(needed)
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_needs_room_for_twice_itself() {
        let mb = |n: u64| n << 20;
        assert_eq!(tight(mb(200), 0), None);
        assert_eq!(tight(mb(600), mb(300)), None);
        assert_eq!(
            tight(mb(500), mb(300)).as_deref(),
            Some("There are 500 MB free where the store of 300 MB is, and it may need 600 MB")
        );
        assert!(tight(mb(199), mb(1)).is_some());
    }

    #[test]
    fn what_cannot_be_opened_is_told_and_nothing_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = Source { path: "config.toml".to_owned(), text: "[store]\nurl = 'sqlite:x.db'\n".to_owned() };
        let judge = |name: &str| store(&source, &Place::File(folder.path().join(name)));
        let room =
            |found: Vec<Finding>| found.into_iter().filter(|f| f.severity == Severity::Error).collect::<Vec<_>>();
        assert_eq!(room(judge("x.db")), []);
        assert!(room(judge("none/x.db"))[0].message.ends_with("is not there"));
        std::fs::write(folder.path().join("bad.db"), "no database at all, but long enough to look at")
            .expect("writable");
        let found = room(judge("bad.db"));
        assert_eq!((found.len(), found[0].line), (1, Some(2)), "{found:?}");
        let names: Vec<_> =
            std::fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
        assert_eq!(names, ["bad.db"]);
    }
}
