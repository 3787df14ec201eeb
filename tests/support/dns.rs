//! A DNS server on loopback that answers from a table.
//!
//! A line is a name, a kind (`TXT`, `MX`, `A`, `AAAA`, `PTR`) and the record; a text is taken as it stands, in pieces of 255 octets. `SERVFAIL` in place of a
//! kind: the server cannot say; `SILENT`: it does not answer. A name that no line holds, nor one below it, does not exist.

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, MX, PTR, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record};
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

/// Serves until the test ends.
pub(crate) struct Zone {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Zone {
    pub(crate) fn serve(table: &str) -> Self {
        let rows: Vec<(String, String, String)> = table.lines().filter_map(row).collect();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let (address, asked) = (socket.local_addr().expect("bound"), Arc::new(Mutex::new(Vec::new())));
        let log = asked.clone();
        // Ends with the process: nobody waits for it, and it holds nothing.
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((count, from)) = socket.recv_from(&mut buffer) {
                let Ok(query) = Message::from_vec(&buffer[..count]) else { continue };
                let about = &query.queries[0];
                let name = about.name().to_ascii().trim_end_matches('.').to_lowercase();
                log.lock().expect("no thread panics with it").push(format!("{name} {}", about.query_type()));
                if let Some(answer) = answer(&rows, &query, &name) {
                    let _ = socket.send_to(&answer.to_vec().expect("it can be written"), from);
                }
            }
        });
        Zone { address, asked }
    }

    /// What was asked so far, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread panics with it").clone()
    }
}

fn row(line: &str) -> Option<(String, String, String)> {
    let (name, rest) = line.trim().split_once(' ')?;
    let (kind, data) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
    Some((name.to_owned(), kind.to_owned(), data.trim().to_owned()))
}

fn answer(rows: &[(String, String, String)], query: &Message, name: &str) -> Option<Message> {
    let about = query.queries[0].clone();
    let is_below = |row: &str| row == name || row.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
    let here = || rows.iter().filter(|(row, ..)| row == name);
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.add_query(about.clone());
    answer.metadata.recursion_available = true;
    answer.metadata.response_code = match () {
        () if here().any(|(_, kind, _)| kind == "SILENT") => return None,
        () if here().any(|(_, kind, _)| kind == "SERVFAIL") => ResponseCode::ServFail,
        () if rows.iter().any(|(row, ..)| is_below(row)) => ResponseCode::NoError,
        () => ResponseCode::NXDomain,
    };
    for (_, kind, data) in here().filter(|(_, kind, _)| *kind == about.query_type().to_string()) {
        answer.add_answer(Record::from_rdata(about.name().clone(), 60, record(kind, data)));
    }
    Some(answer)
}

fn record(kind: &str, data: &str) -> RData {
    match kind {
        "TXT" => {
            let pieces = data.as_bytes().chunks(255).map(|piece| String::from_utf8_lossy(piece).into_owned());
            RData::TXT(TXT::new(pieces.collect()))
        }
        "MX" => {
            let (preference, host) = data.split_once(' ').expect("a preference and a host");
            let host = Name::from_ascii(host).expect("a name");
            RData::MX(MX::new(preference.parse().expect("a number"), host))
        }
        "A" => RData::A(A(data.parse().expect("an address"))),
        "PTR" => RData::PTR(PTR(Name::from_ascii(data).expect("a name"))),
        "AAAA" => RData::AAAA(AAAA(data.parse().expect("an address"))),
        other => panic!("no record of the kind {other}"),
    }
}
