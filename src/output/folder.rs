//! A folder that is made anew as a whole: what lies in it comes from one moment, with nothing of an earlier one between.

use super::Error;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// By this a folder is known as one that may be thrown away.
const MARK: &str = ".postrider-made";
/// How that file begins; behind it stands what else is ours.
const HEAD: &str = "Made by Postrider, and made anew as a whole. Its files:\n";

/// Makes `folder` hold these files, by their paths below it, and no others. It is put together beside its place and moved there
/// in the end: until then all stays as it was. A folder that holds what we did not make is refused.
pub fn replace_folder<'p>(
    folder: &Path,
    files: impl Iterator<Item = (&'p str, io::Result<Vec<u8>>)>,
) -> Result<(), Error> {
    let unwritable = |source| Error::Unwritable { path: folder.to_owned(), source };
    if !is_ours(folder).map_err(unwritable)? {
        return Err(Error::Foreign { path: folder.to_owned() });
    }
    let (draft, old) = (beside(folder, "postrider-tmp"), beside(folder, "postrider-old"));
    let written = (|| {
        // After a kill between the two renames below, the old one is all there is.
        if !folder.exists() && old.exists() {
            fs::rename(&old, folder)?;
        }
        for leftover in [&draft, &old] {
            remove(leftover)?;
        }
        fs::create_dir_all(&draft)?;
        let mut mark = HEAD.to_owned();
        for (path, bytes) in files {
            mark.push_str(&format!("{path}\n"));
            let place = draft.join(path);
            fs::create_dir_all(place.parent().unwrap_or(&draft))?;
            fs::write(place, bytes?)?;
        }
        fs::write(draft.join(MARK), mark)?;
        if folder.exists() {
            fs::rename(folder, &old)?;
        }
        fs::rename(&draft, folder)
    })();
    if let Err(error) = written {
        // Best effort: the failure to report is the first one.
        let _ = remove(&draft);
        if !folder.exists() {
            let _ = fs::rename(&old, folder);
        }
        return Err(unwritable(error));
    }
    let _ = remove(&old);
    Ok(())
}

/// Whether there is nothing, or nothing that we did not make.
fn is_ours(folder: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(folder) {
        Ok(facts) if facts.is_symlink() => return Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        _ => {}
    }
    let mark = fs::read_to_string(folder.join(MARK)).unwrap_or_default();
    let ours: HashSet<&str> = mark.strip_prefix(HEAD).unwrap_or_default().lines().chain([MARK]).collect();
    holds_only(folder, "", &ours)
}

fn holds_only(folder: &Path, below: &str, ours: &HashSet<&str>) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{below}{}", entry.file_name().to_string_lossy());
        let known = match entry.file_type()?.is_dir() {
            true => holds_only(&entry.path(), &format!("{path}/"), ours)?,
            false => ours.contains(&*path),
        };
        if !known {
            return Ok(false);
        }
    }
    Ok(true)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// In the same folder, since a rename must not cross disks.
fn beside(folder: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(folder.file_name().unwrap_or_else(|| "out".as_ref()));
    name.push(format!(".{ending}"));
    folder.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn make(folder: &Path, files: &[(&str, &str)]) -> Result<(), Error> {
        replace_folder(folder, files.iter().map(|(name, text)| (*name, Ok(text.as_bytes().to_vec()))))
    }

    #[test]
    fn the_old_goes_and_the_new_comes_whole() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/out");
        make(&folder, &[("index.html", "1"), ("mails/x.html", "2")]).unwrap();
        assert_eq!(tree(&folder), [MARK, "index.html", "mails"]);
        make(&folder, &[("index.html", "3")]).unwrap();
        assert_eq!(tree(&folder), [MARK, "index.html"]);
        assert_eq!(tree(folder.parent().unwrap()), ["out"]);
        let failing = [("index.html", Ok(b"4".to_vec())), ("x", Err(ErrorKind::StorageFull.into()))];
        assert!(matches!(replace_folder(&folder, failing.into_iter()), Err(Error::Unwritable { .. })));
        assert_eq!(fs::read_to_string(folder.join("index.html")).unwrap(), "3");
        assert_eq!(tree(folder.parent().unwrap()), ["out"]);
    }

    #[test]
    fn what_is_not_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine.txt"), "").unwrap();
        let error = make(dir.path(), &[("index.html", "")]).unwrap_err();
        assert!(error.to_string().contains("holds files that were not made by"), "{error}");
        assert_eq!(tree(dir.path()), ["mine.txt"]);
        let folder = dir.path().join("out");
        make(&folder, &[("a/b.html", "")]).unwrap();
        for mine in ["mine.txt", "a/mine.txt"] {
            fs::write(folder.join(mine), "").unwrap();
            assert!(matches!(make(&folder, &[]), Err(Error::Foreign { .. })) && folder.join(mine).is_file());
            fs::remove_file(folder.join(mine)).unwrap();
        }
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(matches!(make(&link, &[]), Err(Error::Foreign { .. })));
        make(&folder, &[]).unwrap();
        let file = dir.path().join("mine.txt");
        assert!(make(&file, &[]).is_err() && file.is_file());
    }
}
