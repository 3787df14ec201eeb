//! The server that takes the mails: whether it lets us in, and takes what is to come. It is left before any MAIL FROM.

use super::{Finding, LONGEST, Severity, World, at_key};
use crate::transport::{NotReady, Probe, Transport};

const ANCHOR: &str = "the-server";

/// What is wrong with the way out.
pub(super) fn judge(world: &World<'_>) -> Vec<Finding> {
    let watch = world.clock.stopwatch();
    let probed = match world.transport {
        Transport::Smtp(_) => world.transport.probe(&|| watch.elapsed() > LONGEST),
        Transport::Outbox(_) | Transport::Sendmail(_) | Transport::Memory(_) => return Vec::new(),
    };
    problem(probed, world.largest)
        .map(|(severity, message, help)| at_key(world.source, "mail.transport", severity, message, help, ANCHOR))
        .into_iter()
        .collect()
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
