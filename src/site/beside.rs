//! What lies beside the configuration: edited templates and the subscribers' list.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

/// The templates of that folder that go by one of the known names: name → source. No folder, no overrides.
pub fn overrides<'a>(folder: &Path, names: impl Iterator<Item = &'a str>) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for name in names {
        let path = folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(source) => drop(found.insert(name.to_owned(), source)),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
        }
    }
    Ok(found)
}

/// The list, to be read row by row; in a word why it cannot be.
pub fn open_list(path: &Path) -> Result<BufReader<File>, String> {
    let file = File::open(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => "the file is not there".to_owned(),
        _ => e.to_string(),
    })?;
    match file.metadata() {
        Ok(facts) if facts.is_dir() => Err("it is a folder".to_owned()),
        Ok(facts) if facts.len() == 0 => Err("the file is empty".to_owned()),
        Ok(_) => Ok(BufReader::new(file)),
        Err(e) => Err(e.to_string()),
    }
}
