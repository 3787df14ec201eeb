//! The `[web]` table, and networks: from where somebody asks.

use super::resolved;
use crate::delivery::Rate;
use serde::Deserialize;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use url::Url;

/// `[web]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// Where `serve` listens.
    pub listen: SocketAddr,
    /// Under which address the world reaches it: links in mails begin with it.
    pub public_url: Option<Url>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// How often somebody in one network (a /24 or a /48) may ask for a mail.
    pub requests_per_network: Rate,
    /// How often all together may.
    pub requests: Rate,
    /// Who may read `/metrics`.
    pub metrics_from: Vec<Network>,
    /// `[web.hooks]`: which mail providers are heard.
    pub hooks: Hooks,
}

impl Default for Web {
    fn default() -> Self {
        let rate = |messages, window| Rate { messages, window };
        Web {
            listen: SocketAddr::from(([127, 0, 0, 1], 8025)),
            public_url: None,
            trusted_proxies: Vec::new(),
            requests_per_network: rate(20, 3_600_000),
            requests: rate(300, 3_600_000),
            metrics_from: vec![
                Network { address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), bits: 8 },
                Network { address: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 },
            ],
            hooks: Hooks::default(),
        }
    }
}

impl Web {
    /// What links in mails begin with, with a slash at its end.
    pub fn address(&self) -> String {
        match &self.public_url {
            Some(url) => format!("{}/", url.as_str().trim_end_matches('/')),
            None => format!("http://{}/", self.listen),
        }
    }

    /// Who asks: the other end of the connection, or, where that is a proxy that we trust, the last in `X-Forwarded-For` that is
    /// none; `0.0.0.0` where that cannot be read. `forwarded` is that field, empty where there is none.
    pub fn client(&self, peer: IpAddr, forwarded: &str) -> IpAddr {
        let trusted = |address: &IpAddr| self.trusted_proxies.iter().any(|network| network.contains(*address));
        let mut client = plain(peer);
        for said in forwarded.rsplit(',').filter(|_| !forwarded.is_empty()) {
            if !trusted(&client) {
                break;
            }
            // What a proxy says and nobody understands is nobody that is trusted.
            client = address_in(said.trim()).map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), plain);
        }
        client
    }
}

/// `[web.hooks]`: mail providers that tell of bounces and complaints by HTTP, and what proves that it is they.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hooks {
    /// The ARNs of the SNS topics to which Amazon SES publishes.
    pub ses_topics: Vec<String>,
    /// Mailgun's HTTP webhook signing key.
    pub mailgun_signing_key: Option<String>,
    /// The password in the address that Postmark was given.
    pub postmark_password: Option<String>,
}

impl Hooks {
    /// Whether no provider is to be heard.
    pub fn is_empty(&self) -> bool {
        self.ses_topics.is_empty() && self.mailgun_signing_key.is_none() && self.postmark_password.is_none()
    }

    /// The keys where they are used: an error that names the variable where one is missing.
    pub fn resolved(&self) -> Result<(), String> {
        let keys = [("mailgun_signing_key", &self.mailgun_signing_key), ("postmark_password", &self.postmark_password)];
        for (name, key) in keys {
            let Some(key) = key else { continue };
            if resolved(key, &format!("web.hooks.{name}"))?.len() < 12 {
                return Err(format!("web.hooks.{name} is shorter than 12 characters and can be guessed"));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("ses_topics", &self.ses_topics).finish_non_exhaustive()
    }
}

/// Addresses that begin alike: `10.0.0.0/8`, or a single one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// `203.0.113.9`, `203.0.113.9:4711`, `2001:db8::1`, `[2001:db8::1]:4711`
fn address_in(said: &str) -> Option<IpAddr> {
    let bare = said.strip_prefix('[').and_then(|said| said.strip_suffix(']')).unwrap_or(said);
    bare.parse().ok().or_else(|| said.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// An IPv4 address that came over an IPv6 socket is one.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
        v4 => v4,
    }
}

impl Network {
    /// The network to which a provider's customer belongs: a /24 or a /48. It is all that is ever kept of an address.
    pub fn around(address: IpAddr) -> Self {
        let address = plain(address);
        let bits = if address.is_ipv4() { 24 } else { 48 };
        Network { address: cut(address, bits), bits }
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = plain(address);
        address.is_ipv4() == self.address.is_ipv4() && cut(address, self.bits) == self.address
    }
}

/// The address with nothing behind its first bits.
fn cut(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

impl FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not a network; write an address, or the first of many: 127.0.0.1 or 10.0.0.0/8");
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.trim().parse().map_err(|_| wrong()))?;
        if bits > most {
            return Err(wrong());
        }
        Ok(Network { address: cut(address, bits), bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_its_first_bits_say() {
        for (text, shown, inside, outside) in [
            ("10.1.2.3/8", "10.0.0.0/8", "10.9.9.9", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7/32", "::ffff:192.0.2.7", "192.0.2.8"),
            ("2001:db8::/32", "2001:db8::/32", "2001:db8:1::", "2001:db9::"),
            ("0.0.0.0/0", "0.0.0.0/0", "203.0.113.9", "::1"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), shown);
            assert!(network.contains(inside.parse().unwrap()) && !network.contains(outside.parse().unwrap()), "{text}");
        }
        assert_eq!(Network::around("203.0.113.77".parse().unwrap()).to_string(), "203.0.113.0/24");
        assert_eq!(Network::around("2001:db8:1:2::3".parse().unwrap()).to_string(), "2001:db8:1::/48");
        for bad in ["", "x", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0/8"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_proxy_that_we_trust_says_who_asks() {
        let web = Web {
            trusted_proxies: vec!["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()],
            ..Web::default()
        };
        let client = |peer: &str, forwarded: &str| web.client(peer.parse().unwrap(), forwarded).to_string();
        assert_eq!(client("203.0.113.9", "198.51.100.1"), "203.0.113.9");
        assert_eq!(client("127.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2"), "198.51.100.1");
        assert_eq!(client("::ffff:127.0.0.1", "198.51.100.1"), "198.51.100.1");
        for (said, asks) in [
            ("", "127.0.0.1"),
            ("unknown", "0.0.0.0"),
            ("198.51.100.1, x", "0.0.0.0"),
            ("?, 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
        ] {
            assert_eq!(client("127.0.0.1", said), asks, "{said}");
        }
        assert_eq!(Web::default().client("127.0.0.1".parse().unwrap(), "198.51.100.1").to_string(), "127.0.0.1");
    }
}
