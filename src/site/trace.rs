//! Tells whether anything changed in folders and files. Promises: reads names and stamps alone, nothing that is in a file.

use super::walk::Facts;
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is looked at in one go, at most: enough for any blog, and the end of a link to everywhere.
const MOST: usize = 200_000;
/// What package managers and builders fill, and no author writes.
const SKIPPED: [&str; 4] = ["node_modules", "target", "vendor", "_site"];
/// What comes and goes beside a store and beside files that are being replaced.
const PASSING: [&str; 3] = ["-wal", "-shm", ".postrider-tmp"];

/// A sum over all that lies at these places, whatever is below them: another one, and something was written, added, moved or
/// taken away. What begins with a dot is left out.
pub fn trace(places: &[PathBuf]) -> [u8; 32] {
    let mut walk = Walk { sum: Context::new(&SHA256), folders: HashSet::new(), left: MOST };
    for place in places {
        walk.look(place);
    }
    let mut sum = [0; 32];
    sum.copy_from_slice(walk.sum.finish().as_ref());
    sum
}

struct Walk {
    sum: Context,
    /// Those that were entered, so that no link leads in circles.
    folders: HashSet<(u64, u64)>,
    left: usize,
}

impl Walk {
    fn look(&mut self, place: &Path) {
        let Some(left) = self.left.checked_sub(1) else { return };
        self.left = left;
        self.sum.update(place.as_os_str().as_encoded_bytes());
        match fs::metadata(place) {
            Ok(facts) if facts.is_dir() => {
                if self.folders.insert((facts.dev(), facts.ino())) {
                    self.enter(place);
                }
            }
            Ok(_) => self.sum.update(format!("{:?}", Facts::of(place)).as_bytes()),
            Err(_) => self.sum.update(b"?"),
        }
    }

    fn enter(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        // The order in which a disk tells them is nobody's change.
        names.sort();
        for name in names {
            let text = name.to_string_lossy();
            let skipped = text.starts_with('.') || SKIPPED.contains(&&*text);
            if !skipped && !PASSING.iter().any(|ending| text.ends_with(ending)) {
                self.look(&folder.join(&name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_shows_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let now = || trace(&[dir.path().to_path_buf()]);
        fs::create_dir(at("posts")).unwrap();
        fs::write(at("posts/a.md"), "a").unwrap();
        // A folder that holds itself.
        std::os::unix::fs::symlink(dir.path(), at("posts/up")).unwrap();
        let mut last = now();
        assert_eq!(last, now());
        let changes: [&dyn Fn(); 5] = [
            &|| fs::write(at("posts/a.md"), "b, and longer").unwrap(),
            &|| fs::write(at("posts/b.md"), "").unwrap(),
            &|| fs::rename(at("posts/b.md"), at("posts/c.md")).unwrap(),
            &|| fs::remove_file(at("posts/c.md")).unwrap(),
            &|| fs::create_dir(at("templates")).unwrap(),
        ];
        for (number, change) in changes.iter().enumerate() {
            change();
            assert_ne!(last, now(), "{number}");
            last = now();
        }
        fs::create_dir(at(".git")).unwrap();
        fs::create_dir_all(at("node_modules/a")).unwrap();
        fs::write(at("postrider.db-wal"), "").unwrap();
        assert_eq!(last, now());
        assert_ne!(last, trace(&[at("nowhere")]));
    }
}
