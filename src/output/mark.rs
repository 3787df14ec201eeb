//! How a file that was written is known again, mostly without being read.

use aws_lc_rs::digest::{SHA256, digest};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What tells the file at `path`, which holds `bytes`, from others: its length, its time of change, and a hash. No blanks.
pub fn mark(path: &Path, bytes: &[u8]) -> String {
    format!("{}.{}", facts(fs::metadata(path).ok().as_ref()), hash(bytes))
}

/// Whether the file at `path` is the one that was marked, or holds the same.
fn is_marked(path: &Path, mark: &str) -> bool {
    let Some((known, sum)) = mark.rsplit_once('.') else { return false };
    let Ok(found) = fs::metadata(path) else { return false };
    let found_facts = facts(Some(&found));
    let length = |facts: &str| facts.split('.').next().map(str::to_owned);
    // Another time alone may be a copy's.
    found_facts == known
        || length(&found_facts) == length(known) && fs::read(path).is_ok_and(|bytes| hash(&bytes) == sum)
}

/// Whether these files are those of which the marks, between blanks, were made.
pub fn are_marked(files: &[PathBuf], marks: &str) -> bool {
    let marks: Vec<&str> = marks.split(' ').collect();
    files.len() == marks.len() && files.iter().zip(marks).all(|(file, mark)| is_marked(file, mark))
}

fn facts(file: Option<&Metadata>) -> String {
    file.map_or(String::new(), |file| format!("{:x}.{:x}.{:x}", file.len(), file.mtime(), file.mtime_nsec()))
}

fn hash(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&digest(&SHA256, bytes).as_ref()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_back_from_before_is_told_from_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rss.xml");
        let write = |text: &str, seconds: u64| {
            fs::write(&path, text).unwrap();
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        write("new", 1000);
        let mark = mark(&path, b"new");
        assert!(is_marked(&path, &mark) && !mark.contains(' '));
        write("new", 2000);
        assert!(is_marked(&path, &mark), "a copy");
        write("old", 2000);
        assert!(!is_marked(&path, &mark));
        write("", 1000);
        assert!(!is_marked(&path, &mark));
        fs::remove_file(&path).unwrap();
        assert!(!is_marked(&path, &mark) && !is_marked(&path, ""));
    }
}
