//! What `check` finds in the world around the configuration: a DNS, an SMTP server and a site on loopback.

use crate::support::dns::Zone;
use postrider::dns::{Answers, Dns, Exchange, Question, Silence};
use std::time::Duration;

fn ask(zone: &Zone, questions: &[Question]) -> Answers {
    let dns = Dns::open(Some(zone.address), Duration::from_millis(40)).expect("it opens");
    let mut answers = Answers::default();
    dns.ask(questions.iter().cloned().collect(), &mut answers);
    answers
}

#[test]
fn what_is_not_there_is_told_from_a_server_that_does_not_answer() {
    let long = "v=DKIM1; p=".to_owned() + &"A".repeat(400);
    let zone = Zone::serve(&format!(
        "a.test TXT {long}\na.test MX 20 MX2.a.test\na.test MX 10 mx1.a.test\nmx1.a.test A 192.0.2.1\n\
         mx1.a.test AAAA 2001:db8::1\nnull.test MX 0 .\nbroken.test SERVFAIL\nsilent.test SILENT"
    ));
    let txt = |name: &str| Question::Txt(name.to_owned());
    let mx = |name: &str| Question::Mx(name.to_owned());
    let names = ["a.test", "mx1.a.test", "test", "none.test", "broken.test", "silent.test", "no..name"];
    let mut questions: Vec<Question> = names.into_iter().map(txt).collect();
    questions.extend([mx("a.test"), mx("null.test"), mx("none.test"), Question::Host("mx1.a.test".to_owned())]);
    let answers = ask(&zone, &questions);
    let said = |name: &str| answers.txt[name].clone();
    assert_eq!(said("a.test"), Ok(vec![long]));
    for nothing in ["mx1.a.test", "test", "none.test", "no..name"] {
        assert_eq!(said(nothing), Ok(Vec::new()), "{nothing}");
    }
    assert_eq!(said("broken.test"), Err(Silence("the server says Server Failure".to_owned())));
    assert_eq!(said("silent.test"), Err(Silence("no answer in time".to_owned())));
    assert_eq!(answers.silent().into_keys().collect::<Vec<_>>(), ["broken.test", "silent.test"]);
    let exchange = |preference, host: &str| Exchange { preference, host: host.to_owned() };
    assert_eq!(answers.mx["a.test"], Ok(vec![exchange(10, "mx1.a.test"), exchange(20, "mx2.a.test")]));
    assert_eq!(answers.mx["null.test"], Ok(vec![exchange(0, ".")]));
    assert_eq!(answers.mx["none.test"], Ok(Vec::new()));
    let addresses = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().expect("an address"));
    assert_eq!(answers.host["mx1.a.test"], Ok(addresses.to_vec()));
    assert!(questions.iter().all(|question| answers.has(question)) && !answers.has(&mx("b.test")));
    assert!(zone.asked().iter().all(|asked| !asked.contains("local")), "a search list was used: {:?}", zone.asked());
}
