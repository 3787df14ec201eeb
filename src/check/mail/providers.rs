//! Those who give addresses to everybody: mails from their domains are expected from their own servers.

use crate::delivery::route::Route;

/// Who gives addresses to everybody.
#[derive(Debug)]
pub(super) struct Provider {
    /// As people call it.
    pub(super) name: &'static str,
    /// The domains of the addresses; one that ends in a dot with whatever comes behind it.
    domains: &'static [&'static str],
    /// The domains of the servers by which its users send.
    servers: &'static [&'static str],
}

const ALL: [Provider; 14] = [
    Provider { name: "Gmail", domains: &["gmail.com", "googlemail.com"], servers: &["gmail.com", "googlemail.com"] },
    Provider { name: "Yahoo", domains: &["yahoo.", "ymail.com", "rocketmail.com"], servers: &["yahoo.com"] },
    Provider { name: "AOL", domains: &["aol.com", "aol.de", "aol.fr", "aim.com"], servers: &["aol.com"] },
    Provider {
        name: "Microsoft",
        domains: &["outlook.", "hotmail.", "live.com", "live.de", "live.fr", "live.nl", "live.co.uk", "msn.com"],
        servers: &["outlook.com", "office365.com", "hotmail.com", "live.com"],
    },
    Provider { name: "Apple", domains: &["icloud.com", "me.com", "mac.com"], servers: &["me.com", "icloud.com"] },
    Provider {
        name: "Proton",
        domains: &["proton.me", "protonmail.com", "protonmail.ch", "pm.me"],
        servers: &["protonmail.ch", "proton.me"],
    },
    Provider { name: "GMX", domains: &["gmx."], servers: &["gmx.net", "gmx.com"] },
    Provider { name: "WEB.DE", domains: &["web.de"], servers: &["web.de"] },
    Provider { name: "Fastmail", domains: &["fastmail.com", "fastmail.fm"], servers: &["fastmail.com"] },
    Provider {
        name: "Tuta",
        domains: &["tuta.com", "tuta.io", "tutanota.com", "tutanota.de"],
        servers: &["tutanota.de"],
    },
    Provider { name: "Zoho", domains: &["zohomail.com", "zohomail.eu"], servers: &["zoho.com", "zoho.eu"] },
    Provider { name: "Yandex", domains: &["yandex.", "ya.ru"], servers: &["yandex.com", "yandex.ru"] },
    Provider { name: "Mail.ru", domains: &["mail.ru", "inbox.ru", "bk.ru", "list.ru"], servers: &["mail.ru"] },
    Provider { name: "Tencent", domains: &["qq.com", "foxmail.com"], servers: &["qq.com"] },
];

impl Provider {
    /// Whether a server is its own.
    pub(super) fn has(&self, host: &str) -> bool {
        let below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        self.servers.iter().any(|domain| below(domain))
    }
}

/// Who gives addresses of that domain to everybody.
pub(super) fn of(domain: &str) -> Option<&'static Provider> {
    let is = |known: &&'static str| domain == *known || (known.ends_with('.') && is_national(domain, known));
    ALL.iter().find(|provider| provider.domains.iter().any(&is))
}

/// `yahoo.co.uk`, not `yahoo.example.org`.
fn is_national(domain: &str, known: &str) -> bool {
    let Some(rest) = domain.strip_prefix(known) else { return false };
    let parts: Vec<&str> = rest.split('.').collect();
    match parts[..] {
        [last] => (2..=3).contains(&last.len()),
        [second, last] => matches!(second, "co" | "com") && last.len() == 2,
        _ => false,
    }
}

/// The server that a transport names, in lower case.
pub(super) fn host_of(transport: &str) -> Option<String> {
    match transport.parse() {
        Ok(Route::Smtp(server)) => Some(server.host.to_ascii_lowercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_told_from_those_who_have_a_domain() {
        for (domain, name) in [
            ("gmail.com", "Gmail"),
            ("yahoo.co.uk", "Yahoo"),
            ("yahoo.fr", "Yahoo"),
            ("gmx.net", "GMX"),
            ("hotmail.com", "Microsoft"),
        ] {
            assert_eq!(of(domain).map(|provider| provider.name), Some(name), "{domain}");
        }
        for own in ["example.org", "gmail.example.org", "yahoo.example.org", "mygmx.net", "outlook.community"] {
            assert!(of(own).is_none(), "{own}");
        }
        let gmail = of("gmail.com").expect("known");
        assert!(gmail.has("smtp.gmail.com") && !gmail.has("smtp.notgmail.com") && !gmail.has("gmail.com.example.org"));
        assert_eq!(host_of("smtp://me@SMTP.gmail.com:587").as_deref(), Some("smtp.gmail.com"));
        assert_eq!(host_of("outbox:outbox"), None);
    }
}
