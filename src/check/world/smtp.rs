//! The server that takes the mails: whether it lets us in, and takes what is to come. It is left before any MAIL FROM.

use super::{Finding, LONGEST, Severity, Way, World, in_table};
use crate::transport::{NotReady, Probe, Transport};
use std::thread;

const ANCHOR: &str = "the-server";

/// What is wrong with the ways out, asked side by side.
pub(super) fn judge(world: &World<'_>) -> Vec<Finding> {
    thread::scope(|scope| {
        let asked: Vec<_> = world.ways.iter().map(|way| scope.spawn(move || judge_one(world, way))).collect();
        asked.into_iter().filter_map(|asked| asked.join().ok().flatten()).collect()
    })
}

fn judge_one(world: &World<'_>, way: &Way) -> Option<Finding> {
    let watch = world.clock.stopwatch();
    let transport = &way.relay.transport;
    let probed = match transport {
        Transport::Smtp(_) => transport.probe(&|| watch.elapsed() > LONGEST),
        Transport::Outbox(_) | Transport::Sendmail(_) | Transport::Memory(_) => return None,
    };
    let terms = &way.relay.terms;
    problem(probed, world.largest).map(|(severity, message, help)| {
        let name = terms.name.as_deref().unwrap_or_default();
        let mut help = terms.keyed(help);
        if world.ways.len() > 1 {
            help = help.replace("a run would stop there", "a run goes on with the others");
        }
        in_table(world.source, name, way.key, severity, terms.said(&message), &help, ANCHOR)
    })
}

fn problem(probed: Result<Probe, NotReady>, largest: usize) -> Option<(Severity, String, &'static str)> {
    match probed {
        Ok(Probe { size: Some(size) }) if size < largest => Some((
            Severity::Error,
            format!("The next mail has {largest} octets, and the server takes {size} at most"),
            "use content = \"summary\" or fewer max_posts in its [[digest]]",
        )),
        Ok(_) => None,
        Err(NotReady::Unreachable(why)) => {
            Some((Severity::Error, why, "check the name and the port; many networks let nobody out to port 25"))
        }
        Err(busy @ NotReady::Busy { .. }) => {
            Some((Severity::Warning, busy.to_string(), "check again later; a run tries again by itself"))
        }
        Err(NotReady::Configuration(why)) => {
            Some((Severity::Error, why.to_string(), "correct mail.transport or mail.password; a run would stop there"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_mail_must_fit() {
        for (size, largest, fits) in
            [(None, 100, true), (Some(100), 100, true), (Some(99), 100, false), (Some(1), 0, true)]
        {
            assert_eq!(problem(Ok(Probe { size }), largest).is_none(), fits, "{size:?} {largest}");
        }
    }
}
