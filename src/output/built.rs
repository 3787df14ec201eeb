//! A file that was built, to be served: found below its folder and nowhere else.

use chrono::{DateTime, Utc};
use std::fs;
use std::path::Path;

/// Larger files are served by whoever serves the site: each client that reads slowly holds one in memory.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What is known of a file before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When it was last written, in whole seconds.
    pub modified: DateTime<Utc>,
    /// In octets.
    pub length: u64,
}

/// The stamp of the file at `path` (with `/` between its parts) below `root`; none where there is no such file, or where it lies
/// elsewhere by a symbolic link.
pub fn stamp(root: &Path, path: &str) -> Option<Stamp> {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0', ':']);
    if !path.split('/').all(plain) {
        return None;
    }
    let file = root.join(path).canonicalize().ok()?;
    let there = file.starts_with(root.canonicalize().ok()?);
    let known = fs::metadata(&file).ok().filter(|known| there && known.is_file() && known.len() <= LARGEST)?;
    let modified = DateTime::<Utc>::from(known.modified().ok()?);
    Some(Stamp { modified: DateTime::from_timestamp(modified.timestamp(), 0)?, length: known.len() })
}

/// The file's octets, once it has a stamp.
pub fn bytes(root: &Path, path: &str) -> Option<Vec<u8>> {
    stamp(root, path).and_then(|_| fs::read(root.join(path)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("public");
        fs::create_dir_all(root.join("tag/a")).unwrap();
        fs::write(folder.path().join("secret"), "s").unwrap();
        for name in ["rss.xml", "tag/a/rss.xml", ".hidden"] {
            fs::write(root.join(name), name).unwrap();
        }
        std::os::unix::fs::symlink(folder.path().join("secret"), root.join("link")).unwrap();
        assert_eq!(bytes(&root, "tag/a/rss.xml").as_deref(), Some(&b"tag/a/rss.xml"[..]));
        assert_eq!(stamp(&root, "rss.xml").unwrap().length, 7);
        for bad in [
            "",
            "/",
            "tag",
            "tag/../rss.xml",
            "../secret",
            "link",
            ".hidden",
            "tag//a/rss.xml",
            "/etc/passwd",
            "rss.xml\0",
            "..\\secret",
        ] {
            assert_eq!(stamp(&root, bad), None, "{bad}");
        }
    }
}
