//! Asks the DNS. Promises: a name that has no such record is told from a server that does not answer; no question takes longer than
//! it is given; nothing is asked but what it is told to ask.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a server may take to answer; it is asked twice.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// Something to ask. Names have no dot at their end; case does not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// The texts at a name (RFC 1035 section 3.3.14).
    Txt(String),
    /// Which hosts take a domain's mail (RFC 5321 section 5.1).
    Mx(String),
    /// The addresses of a host, IPv4 and IPv6.
    Host(String),
    /// The names that stand at an address's [reverse] name (RFC 1035 section 3.5).
    Ptr(String),
}

/// A host that takes mail, of an MX record. `.` is no host: the domain takes none (RFC 7505).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchange {
    /// The lowest is tried first.
    pub preference: u16,
    /// Its name, in lower case, without the dot at its end.
    pub host: String,
}

/// The server did not answer, or said that it cannot: nothing is known of the name. The reason goes on after a colon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Silence(pub String);

/// Everything of one kind that stands at a name; empty where there is no such name or no such record.
pub type Answer<T> = Result<Vec<T>, Silence>;

/// What is known so far, by what was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The pieces of one text are joined without anything between them (RFC 7208 section 3.3).
    pub txt: BTreeMap<String, Answer<String>>,
    /// By preference.
    pub mx: BTreeMap<String, Answer<Exchange>>,
    /// In no order.
    pub host: BTreeMap<String, Answer<IpAddr>>,
    /// As the server gave them.
    pub ptr: BTreeMap<String, Answer<String>>,
    /// Names that do not exist at all (RFC 8020); what was asked of them is empty.
    pub nowhere: BTreeSet<String>,
}

/// What a server says.
enum Told {
    Records(Vec<RData>),
    NoSuchName,
}

impl Answers {
    /// Whether this was asked.
    pub fn has(&self, question: &Question) -> bool {
        match question {
            Question::Txt(name) => self.txt.contains_key(name),
            Question::Mx(name) => self.mx.contains_key(name),
            Question::Host(name) => self.host.contains_key(name),
            Question::Ptr(name) => self.ptr.contains_key(name),
        }
    }

    /// The names of which nothing is known, with the reason.
    pub fn silent(&self) -> BTreeMap<&str, &Silence> {
        fn of<T>(answers: &BTreeMap<String, Answer<T>>) -> impl Iterator<Item = (&str, &Silence)> {
            answers.iter().filter_map(|(name, answer)| Some((name.as_str(), answer.as_ref().err()?)))
        }
        of(&self.txt).chain(of(&self.mx)).chain(of(&self.host)).chain(of(&self.ptr)).collect()
    }

    fn put(&mut self, question: Question, told: Result<Told, Silence>) {
        fn only<T>(records: Answer<RData>, read: impl Fn(&RData) -> Option<T>) -> Answer<T> {
            records.map(|records| records.iter().filter_map(read).collect())
        }
        let (Question::Txt(name) | Question::Mx(name) | Question::Host(name) | Question::Ptr(name)) = &question;
        let records = told.map(|told| match told {
            Told::Records(records) => records,
            Told::NoSuchName => {
                self.nowhere.insert(name.clone());
                Vec::new()
            }
        });
        match question {
            Question::Txt(name) => {
                let texts = only(records, |data| match data {
                    RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
                    _ => None,
                });
                self.txt.insert(name, texts);
            }
            Question::Mx(name) => {
                let mut hosts = only(records, |data| match data {
                    RData::MX(mx) => Some(Exchange { preference: mx.preference, host: plain(&mx.exchange.to_ascii()) }),
                    _ => None,
                });
                if let Ok(hosts) = &mut hosts {
                    hosts.sort();
                }
                self.mx.insert(name, hosts);
            }
            Question::Host(name) => {
                self.host.insert(name, only(records, RData::ip_addr));
            }
            Question::Ptr(name) => {
                let names = only(records, |data| match data {
                    RData::PTR(ptr) => Some(plain(&ptr.to_ascii())),
                    _ => None,
                });
                self.ptr.insert(name, names);
            }
        }
    }
}

/// A way to a DNS server.
pub struct Dns {
    resolver: TokioResolver,
    runtime: Runtime,
    patience: Duration,
}

impl Dns {
    /// The machine's own servers, or the one that is named. Nothing is asked yet. Each try of a question has `patience`.
    pub fn open(server: Option<SocketAddr>, patience: Duration) -> Result<Dns, Silence> {
        let failed = |why: NetError| Silence(why.to_string());
        let mut builder = match server {
            None => TokioResolver::builder_tokio().map_err(failed)?,
            Some(server) => {
                let mut ways = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                ways.iter_mut().for_each(|way| way.port = server.port());
                let config = ResolverConfig::from_name_servers(vec![NameServerConfig::new(server.ip(), true, ways)]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        (options.timeout, options.attempts) = (patience, 1);
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|why| Silence(why.to_string()))?;
        let resolver = builder.build().map_err(failed)?;
        Ok(Dns { resolver, runtime, patience })
    }

    /// Asks all of these at once.
    pub fn ask(&self, questions: BTreeSet<Question>, known: &mut Answers) {
        self.runtime.block_on(async {
            let mut asked = JoinSet::new();
            for question in questions {
                let (resolver, limit) = (self.resolver.clone(), self.patience * 2);
                asked.spawn(async move {
                    let answer = timeout(limit, answer(&resolver, &question)).await;
                    (question, answer.unwrap_or_else(|_| Err(no_answer())))
                });
            }
            while let Some(done) = asked.join_next().await {
                // A task neither panics nor is it cancelled; what it lacks then counts as not asked.
                let Ok((question, answer)) = done else { continue };
                known.put(question, answer);
            }
        });
    }
}

async fn answer(resolver: &TokioResolver, question: &Question) -> Result<Told, Silence> {
    match question {
        Question::Txt(name) => ask(resolver, name, RecordType::TXT).await,
        Question::Mx(name) => ask(resolver, name, RecordType::MX).await,
        Question::Ptr(name) => ask(resolver, name, RecordType::PTR).await,
        Question::Host(name) => {
            let Told::Records(mut found) = ask(resolver, name, RecordType::A).await? else {
                return Ok(Told::NoSuchName);
            };
            if let Told::Records(more) = ask(resolver, name, RecordType::AAAA).await? {
                found.extend(more);
            }
            Ok(Told::Records(found))
        }
    }
}

async fn ask(resolver: &TokioResolver, name: &str, kind: RecordType) -> Result<Told, Silence> {
    // The dot keeps the machine's own search list out of it.
    match resolver.lookup(format!("{name}."), kind).await {
        Ok(found) => Ok(Told::Records(found.answers().iter().map(|record| record.data.clone()).collect())),
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
            ResponseCode::NoError => Ok(Told::Records(Vec::new())),
            ResponseCode::NXDomain => Ok(Told::NoSuchName),
            code => Err(Silence(format!("the server says {code}"))),
        },
        Err(NetError::Dns(DnsError::ResponseCode(code))) => Err(Silence(format!("the server says {code}"))),
        // No name can be like that.
        Err(NetError::Proto(_)) => Ok(Told::NoSuchName),
        Err(NetError::Timeout) => Err(no_answer()),
        Err(why) => Err(Silence(why.to_string())),
    }
}

/// The name at which an address's own names stand: `1.2.0.192.in-addr.arpa` (RFC 1035 section 3.5, RFC 3596 section 2.5).
pub fn reverse(address: IpAddr) -> String {
    plain(&Name::from(address).to_ascii())
}

fn no_answer() -> Silence {
    Silence("no answer in time".to_owned())
}

fn plain(name: &str) -> String {
    match name.strip_suffix('.').filter(|name| !name.is_empty()) {
        Some(name) => name.to_ascii_lowercase(),
        None => name.to_ascii_lowercase(),
    }
}
