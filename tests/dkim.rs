//! DKIM signatures, by a verifier of our own: they hold, also for what relays do to white space, and for nothing else.

use crate::support::dkim::{Records, Signature, fields, verify};
use crate::support::site::{NOON, Plan, Site, readers};
use chrono::{DateTime, Utc};
use postrider::message::dkim::{Error, Key, Signer};
use postrider::message::settings::Dkim;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What must be covered where it is there; the first eleven also where somebody adds one.
const COVERED: [&str; 17] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Reply-To",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Message-ID",
    "List-Id",
    "List-Archive",
    "Auto-Submitted",
    "Precedence",
    "Feedback-ID",
];
const NEVER_ADDED: usize = 11;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

fn key(file: &str, selector: &str) -> Key {
    let table = format!("domain = 'example.org'\nselector = '{selector}'\nkey = '{file}'");
    let table: Dkim = toml::from_str(&table).unwrap();
    Key::parse(&table, &fs::read(corpus("keys").join(file)).unwrap()).unwrap()
}

/// Both kinds, the lesser one first, and the records of both.
static KEYS: LazyLock<(Signer, Records)> = LazyLock::new(|| {
    let keys = vec![key("ed25519.pem", "e1"), key("rsa-2048.pem", "r1")];
    let records = keys.iter().map(|key| (key.name(), key.record())).collect();
    (Signer::new(keys), records)
});

fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_446_000, 0).unwrap()
}

fn sign(message: &str) -> String {
    String::from_utf8(KEYS.0.sign(message.as_bytes().to_vec(), moment()).unwrap()).unwrap()
}

/// How many of the two signatures hold.
fn holding(message: &str) -> usize {
    let judged = verify(message.as_bytes(), &KEYS.1);
    assert_eq!(judged.len(), 2, "{message}");
    judged.iter().filter(|signature| signature.is_ok()).count()
}

#[test]
fn the_verifier_takes_the_example_of_the_rfc_and_no_other() {
    let message = fs::read_to_string(corpus("dkim/rfc8463.eml")).unwrap();
    let records: Records = serde_json::from_str(&fs::read_to_string(corpus("dkim/rfc8463.json")).unwrap()).unwrap();
    let held: Vec<Signature> = verify(message.as_bytes(), &records).into_iter().map(Result::unwrap).collect();
    assert_eq!(held.iter().map(|s| s.algorithm.as_str()).collect::<Vec<_>>(), ["ed25519-sha256", "rsa-sha256"]);
    for (what, with) in [("Joe.", "Jo."), ("dinner", "Dinner"), ("t=1528637909", "t=1528637908"), ("Subject:", "subj:")]
    {
        assert!(verify(message.replace(what, with).as_bytes(), &records).iter().all(Result::is_err), "{what}");
    }
    // What the RFC's message is signed over, we sign over too.
    let unsigned = &message[message.find("From:").unwrap()..];
    let body_hash = "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;";
    assert_eq!(sign(unsigned).matches(body_hash).count(), 2);
}

#[test]
fn rsa_stands_on_top_and_the_same_message_has_the_same_bytes() {
    let message = "From: a@example.org\r\nSubject: Eels\r\n\r\nEleven.\r\n";
    let signed = sign(message);
    assert_eq!(signed, sign(message));
    assert!(signed.ends_with(message));
    let held: Vec<Signature> = verify(signed.as_bytes(), &KEYS.1).into_iter().map(Result::unwrap).collect();
    let tags = |at: usize| ["a", "d", "s", "t", "c"].map(|tag| held[at].tags[tag].as_str());
    assert_eq!(tags(0), ["rsa-sha256", "example.org", "r1", "1795446000", "relaxed/relaxed"]);
    assert_eq!(tags(1), ["ed25519-sha256", "example.org", "e1", "1795446000", "relaxed/relaxed"]);
}

#[test]
fn what_is_no_message_is_not_signed() {
    for (message, error) in [
        ("", Error::Header),
        ("From: a@example.org\r\n", Error::Header),
        ("From: a@example.org\r\nno field\r\n\r\n", Error::Header),
        ("Subject: x\r\n\r\nbody\r\n", Error::From),
        ("\r\n\r\nFrom: a@example.org\r\n", Error::Header),
        ("From: a@example.org\n\nbody\n", Error::Header),
        ("From: a@example.org\r\nSubject: a\nb\r\n\r\nbody\r\n", Error::LineEnd),
        ("From: a@example.org\r\n\r\nbo\rdy\r\n", Error::LineEnd),
        ("From: a@example.org\r\n\r\nbody\r\n\n", Error::LineEnd),
    ] {
        assert_eq!(KEYS.0.sign(message.as_bytes().to_vec(), moment()), Err(error), "{message:?}");
    }
}

#[test]
fn a_test_mail_is_signed_with_every_key() {
    let plan = Plan::to_outbox();
    let site = Site::new(plan, &readers(1));
    fs::create_dir(site.path("keys")).unwrap();
    let mut config = fs::read_to_string(site.path("config.toml")).unwrap();
    for (selector, file) in [("e1", "ed25519.pem"), ("r1", "rsa-2048.pem")] {
        config +=
            &format!("[[mail.dkim]]\ndomain = \"example.org\"\nselector = \"{selector}\"\nkey = \"keys/{file}\"\n");
        fs::copy(corpus("keys").join(file), site.path("keys").join(file)).unwrap();
        mode(&site.path("keys").join(file), 0o600);
    }
    site.write("config.toml", &config);
    site.json(NOON, &["send", "weekly", "--to", "ada@example.net"]);
    let mails: Vec<_> = fs::read_dir(site.path("outbox/test/weekly")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(mails.len(), 1);
    let mail = fs::read(&mails[0]).unwrap();
    let held: Vec<Signature> = verify(&mail, &KEYS.1).into_iter().map(Result::unwrap).collect();
    assert_eq!(held.len(), 2);
    assert_eq!(held[0].tags["t"], NOON.parse::<DateTime<Utc>>().unwrap().timestamp().to_string());
    let mail = String::from_utf8(mail).unwrap();
    let head = mail.split_once("\r\n\r\n").unwrap().0;
    assert!(head.split("\r\n").all(|line| line.len() <= 78), "{head}");
    for (name, _) in
        fields(head).iter().filter(|(name, _)| !["dkim-signature", "x-auto-response-suppress"].contains(&name.as_str()))
    {
        assert!(held.iter().all(|signature| signature.covered.contains(name)), "{name} is not signed");
    }

    // And a key that lies open stops it.
    mode(&site.path("keys/r1.pem").with_file_name("rsa-2048.pem"), 0o640);
    let ran = site.go(&["send", "weekly", "--to", "ada@example.net"]);
    let says = "error: mail.dkim: the key ./keys/rsa-2048.pem can be read by others (mode 640)\n  help: chmod 600 it\n";
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), says));
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A message in pieces: fields (name, words) and the words of each line of the body.
#[derive(Clone, Debug)]
struct Draft {
    fields: Vec<(String, Vec<String>)>,
    body: Vec<Vec<String>>,
}

impl Draft {
    /// White space as plain as it can be.
    fn plain(&self) -> String {
        let head = self.fields.iter().map(|(name, words)| format!("{name}: {}\r\n", words.join(" ")));
        let body = self.body.iter().map(|words| format!("{}\r\n", words.join(" ")));
        head.collect::<String>() + "\r\n" + &body.collect::<String>()
    }
}

fn words(least: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[!-~é漢]{1,12}", least..8)
}

fn drafts() -> impl Strategy<Value = Draft> {
    let names: Vec<&str> = COVERED[1..].iter().copied().chain(["Received", "X-Other"]).collect();
    let count = names.len();
    let others = (prop::sample::subsequence(names, 0..=count).prop_shuffle(), prop::collection::vec(words(1), count));
    let body = prop::collection::vec(prop_oneof![4 => words(1), 1 => Just(Vec::new())], 0..40);
    (words(1), others, body).prop_map(|(from, (names, values), body)| {
        let others = names.into_iter().map(str::to_owned).zip(values);
        Draft { fields: [("From".to_owned(), from)].into_iter().chain(others).collect(), body }
    })
}

/// What somebody on the way does to a signed message.
#[derive(Clone, Debug)]
enum Tampering {
    /// Another octet in place of one, one more, or one less: in a covered field, or in the body.
    Octet { place: prop::sample::Index, edit: Edit },
    /// Two words become one, or one becomes two.
    Space { place: prop::sample::Index },
    /// A field that must not be added, above or below.
    Add { name: usize, below: bool },
    /// One of the covered fields is gone.
    Remove { which: prop::sample::Index },
    /// A covered field is renamed, so that nobody sees it.
    Rename { which: prop::sample::Index },
    /// The text after the end goes on.
    Append,
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    Change,
    Insert,
    Delete,
}

fn tamperings() -> impl Strategy<Value = Tampering> {
    let place = any::<prop::sample::Index>;
    let edit = prop::sample::select(vec![Edit::Change, Edit::Insert, Edit::Delete]);
    prop_oneof![
        6 => (place(), edit).prop_map(|(place, edit)| Tampering::Octet { place, edit }),
        2 => place().prop_map(|place| Tampering::Space { place }),
        3 => (0..NEVER_ADDED, any::<bool>()).prop_map(|(name, below)| Tampering::Add { name, below }),
        2 => place().prop_map(|which| Tampering::Remove { which }),
        1 => place().prop_map(|which| Tampering::Rename { which }),
        1 => Just(Tampering::Append),
    ]
}

fn is_covered(name: &str) -> bool {
    COVERED.iter().any(|covered| covered.eq_ignore_ascii_case(name))
}

/// The draft after it, or nothing where it could do nothing.
fn tampered(draft: &Draft, how: &Tampering) -> Option<Draft> {
    let mut draft = draft.clone();
    let covered: Vec<usize> = (0..draft.fields.len()).filter(|at| is_covered(&draft.fields[*at].0)).collect();
    match how {
        Tampering::Octet { place, edit } => {
            let fields = draft.fields.iter_mut().filter(|(name, _)| is_covered(name)).flat_map(|(_, words)| words);
            let mut all: Vec<&mut String> = fields.chain(draft.body.iter_mut().flatten()).collect();
            let at = place.index(all.len());
            let word = &mut *all[at];
            let mut letters: Vec<char> = word.chars().collect();
            let at = place.index(letters.len());
            match edit {
                Edit::Change => letters[at] = if letters[at] == 'x' { 'y' } else { 'x' },
                Edit::Insert => letters.insert(at, '.'),
                Edit::Delete => drop(letters.remove(at)),
            }
            *word = letters.into_iter().collect();
        }
        Tampering::Space { place } => {
            let fields = draft.fields.iter_mut().filter(|(name, _)| is_covered(name)).map(|(_, words)| words);
            let mut lines: Vec<&mut Vec<String>> = fields.chain(&mut draft.body).filter(|l| !l.is_empty()).collect();
            let at = place.index(lines.len());
            let line = &mut *lines[at];
            match (line.len(), line[0].chars().count()) {
                (1, 1) => return None,
                (1, _) => {
                    let first = line[0].chars().next().map_or(0, char::len_utf8);
                    let rest = line[0].split_off(first);
                    line.push(rest);
                }
                _ => {
                    let second = line.remove(1);
                    line[0] += &second;
                }
            }
        }
        Tampering::Add { name, below } => {
            let field = (COVERED[*name].to_lowercase(), vec!["added".to_owned()]);
            draft.fields.insert(if *below { draft.fields.len() } else { 0 }, field);
        }
        Tampering::Remove { which } => drop(draft.fields.remove(covered[which.index(covered.len())])),
        Tampering::Rename { which } => draft.fields[covered[which.index(covered.len())]].0.insert_str(0, "X-"),
        Tampering::Append => draft.body.push(vec!["and send money".to_owned()]),
    }
    Some(draft)
}

/// White space as a relay may leave it: `seed` decides at each place.
fn refolded(draft: &Draft, seed: &[u8]) -> String {
    let mut seed = seed.iter().cycle();
    let mut pick = |choices: &[&'static str]| choices[usize::from(*seed.next().unwrap()) % choices.len()];
    let mut out = String::new();
    for (name, words) in &draft.fields {
        out += &if pick(&["", "lower"]).is_empty() { name.clone() } else { name.to_lowercase() };
        out += pick(&[":", " :", "\t:", ": \t"]);
        for word in words {
            out += pick(&[" ", "  ", "\t", "\r\n ", " \r\n\t "]);
            out += word;
        }
        out += pick(&["\r\n", " \r\n", "\t \r\n"]);
    }
    out += "\r\n";
    for line in &draft.body {
        for (at, word) in line.iter().enumerate() {
            out += if at == 0 { "" } else { pick(&[" ", "\t", " \t  "]) };
            out += word;
        }
        out += pick(&["\r\n", " \r\n", "\t\t\r\n"]);
    }
    out + pick(&["", "\r\n", " \r\n\r\n", "\r\n\r\n\t\r\n", "\t"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn both_signatures_hold_for_what_was_signed_and_nothing_else(
        draft in drafts(),
        seed in prop::collection::vec(any::<u8>(), 8..64),
        tampering in prop::collection::vec(tamperings(), 6),
    ) {
        let message = refolded(&draft, &seed);
        let signed = sign(&message);
        prop_assert_eq!(holding(&signed), 2);
        let signatures = signed.strip_suffix(&message).unwrap();
        prop_assert!(signatures.split("\r\n").all(|line| line.len() <= 78));
        // White space counts for nothing.
        prop_assert_eq!(holding(&format!("{signatures}{}", draft.plain())), 2);
        for how in &tampering {
            if let Some(changed) = tampered(&draft, how) {
                prop_assert_eq!(holding(&format!("{signatures}{}", changed.plain())), 0, "{:?}", how);
            }
        }
        // What is not covered may change; a signature's own tags may not.
        let relayed = format!("Received: by a relay\r\nReturn-Path: <b@example.org>\r\n{signed}");
        prop_assert_eq!(holding(&relayed), 2);
        prop_assert_eq!(holding(&signed.replace("t=1795446000", "t=1795446001")), 0);
    }
}
