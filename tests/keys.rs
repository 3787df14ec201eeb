//! Key files: `tests/corpus/keys` holds each beside what comes of it, its record in the DNS or the sentence that refuses it.

use crate::support::site::{NOON, Plan, Site, readers};
use postrider::keys::signer;
use postrider::message::dkim::Key;
use postrider::message::settings::Dkim;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

fn table(file: &str) -> Dkim {
    toml::from_str(&format!("domain = 'example.org'\nselector = 's1'\nkey = 'keys/{file}'")).unwrap()
}

/// An empty `keys/`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("keys")).unwrap();
    folder
}

fn put(root: &Path, file: &str, content: &[u8], mode: u32) {
    let path = root.join("keys").join(file);
    fs::write(&path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What is said of a file, with `.` for the folder.
fn said(root: &Path, file: &str) -> String {
    let error = signer(&[table(file)], root).expect_err(file).to_string();
    error.replace(&root.display().to_string(), ".")
}

#[test]
fn every_key_of_the_corpus_is_taken_or_refused_as_expected() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/keys");
    let mut names: Vec<String> = fs::read_dir(&corpus)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str().unwrap().strip_suffix(".pem").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 20, "{names:?}");
    let root = folder();
    let mut wrong = String::new();
    for name in names {
        let (file, pem) = (format!("{name}.pem"), fs::read(corpus.join(format!("{name}.pem"))).unwrap());
        put(root.path(), &file, &pem, 0o600);
        let found = match signer(&[table(&file)], root.path()) {
            Ok(signer) => {
                assert!(!signer.is_empty() && !format!("{signer:?}").contains("PRIVATE"));
                Key::parse(&table(&file), &pem).unwrap().record()
            }
            Err(_) => said(root.path(), &file),
        };
        let expected = fs::read_to_string(corpus.join(format!("{name}.expected"))).unwrap_or_default();
        if expected.trim_end() != found {
            wrong += &format!("{name}: {found}\n");
        }
        // No sentence gives anything of the secret away.
        let secret = String::from_utf8_lossy(&pem).into_owned();
        for line in secret.lines().filter(|line| line.len() > 20 && !line.starts_with("-----")) {
            assert!(found.starts_with("v=DKIM1") || !found.contains(line), "{name}");
        }
    }
    assert!(wrong.is_empty(), "otherwise than expected:\n{wrong}");
}

#[test]
fn what_is_no_file_of_ones_own_is_refused() {
    let root = folder();
    let key = include_bytes!("corpus/keys/ed25519.pem");
    let refused = |file: &str| said(root.path(), file);
    assert_eq!(
        refused("none.pem"),
        "mail.dkim: the key ./keys/none.pem does not exist\n  help: the path starts from the configuration's folder; `postrider keys` makes the keys that are missing"
    );
    let no_file = "mail.dkim: the key ./keys/ is not a file\n  help: name the file itself in `key`";
    assert_eq!(refused(""), no_file);
    for (mode, shown) in [(0o644, "644"), (0o640, "640"), (0o602, "602"), (0o610, "610")] {
        put(root.path(), "open.pem", key, mode);
        let says =
            format!("mail.dkim: the key ./keys/open.pem can be read by others (mode {shown})\n  help: chmod 600 it");
        assert_eq!(refused("open.pem"), says);
    }
    put(root.path(), "large.pem", &[key.as_slice(), &b"\n".repeat(64 << 10)].concat(), 0o600);
    assert_eq!(
        refused("large.pem"),
        "mail.dkim: the key ./keys/large.pem is larger than 64 KiB\n  help: name a file that holds one private key and nothing else"
    );
    for mode in [0o600, 0o400] {
        put(root.path(), &format!("{mode}.pem"), key, mode);
        assert!(signer(&[table(&format!("{mode}.pem"))], root.path()).is_ok());
    }
    assert!(signer(&[], root.path()).unwrap().is_empty());
}

#[test]
fn keys_are_made_once_and_their_records_are_those_that_receivers_look_for() {
    let site = Site::new(Plan::to_outbox(), &readers(1));
    let first = site.json(NOON, &["keys"]);
    assert_eq!(first["made"], serde_json::json!(["keys/s1.pem", "keys/s2.pem"]), "{first}");
    for (at, start) in [(0, "v=DKIM1; k=rsa; p=MII"), (1, "v=DKIM1; k=ed25519; p=")] {
        let record = &first["records"][at];
        assert_eq!(record["name"], format!("s{}._domainkey.example.org", at + 1));
        let value = record["value"].as_str().unwrap();
        let strings: Vec<&str> = record["strings"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        assert!(value.starts_with(start) && strings.concat() == value, "{record}");
        assert!(strings.iter().all(|string| string.len() <= 255) && strings.len() == 2 - at, "{record}");
    }
    for name in ["keys", "keys/s1.pem", "keys/s2.pem"] {
        let mode = fs::metadata(site.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    assert_eq!(fs::read_dir(site.path("keys")).unwrap().count(), 2);
    // What it says to write is what signs, and a second time nothing is made anew.
    let said = site.go(&["keys"]).out;
    let snippet = &said[said.find("[[mail.dkim]]").expect("the configuration")..];
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    site.write("config.toml", &config.replace("[delivery]", &format!("{snippet}\n[delivery]")));
    let again = site.json(NOON, &["keys"]);
    assert_eq!((&again["made"], &again["records"]), (&serde_json::json!([]), &first["records"]));
    fs::remove_file(site.path("keys/s2.pem")).unwrap();
    assert!(site.go(&["run"]).err.contains("`postrider keys` makes the keys that are missing"));
    assert_eq!(site.json(NOON, &["keys"])["made"], serde_json::json!(["keys/s2.pem"]));
    // Where the one that all receivers read is missing, it is that one.
    fs::remove_file(site.path("keys/s1.pem")).unwrap();
    let record = site.json(NOON, &["keys"])["records"][0]["value"].as_str().unwrap().to_owned();
    assert!(record.starts_with("v=DKIM1; k=rsa; "), "{record}");
    site.json(NOON, &["run"]);
    let mails = site.tree();
    let mail = mails.keys().find(|path| path.extension().is_some_and(|kind| kind == "eml")).expect("a mail");
    assert_eq!(fs::read_to_string(site.path(&mail.to_string_lossy())).unwrap().matches("DKIM-Signature:").count(), 2);
}
