//! lettre's asynchronous transport with its pool: another mail to every reader, one task for each connection.
//!
//! `lettre-pool PORT MESSAGES CONNECTIONS FOLDER_OF_DIGEST`

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::env::args;
use std::error::Error;
use std::fs::read_to_string;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Failure = Box<dyn Error + Send + Sync>;

/// The one header of the list that a reader's mail carries.
#[derive(Clone)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }
    fn parse(text: &str) -> Result<Self, Failure> {
        Ok(ListUnsubscribe(text.to_owned()))
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

fn mail(n: usize, from: &Mailbox, html: &str, text: &str) -> Result<Message, Failure> {
    let token = format!("{n:032x}");
    let mail = Message::builder()
        .from(from.clone())
        .to(format!("Reader {n} <reader-{n}@example.com>").parse()?)
        .subject("Field Notes: eleven notes")
        .message_id(None)
        .header(ListUnsubscribe(format!("<https://news.example.org/unsubscribe/{token}>")))
        .multipart(MultiPart::alternative_plain_html(
            text.replace("{{TOKEN}}", &token),
            html.replace("{{TOKEN}}", &token),
        ))?;
    Ok(mail)
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = args().collect();
    let [_, port, messages, connections, digest] = &words[..] else { return Err("see the head of main.rs".into()) };
    let (messages, connections): (usize, usize) = (messages.parse()?, connections.parse()?);
    let html: Arc<str> = read_to_string(format!("{digest}/digest.html"))?.into();
    let text: Arc<str> = read_to_string(format!("{digest}/digest.txt"))?.into();
    let from: Mailbox = "Field Notes <news@example.org>".parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
            .port(port.parse()?)
            .pool_config(PoolConfig::new().max_size(u32::try_from(connections)?))
            .build();
        let next = Arc::new(AtomicUsize::new(0));
        let work = |_| {
            let (transport, next, from) = (transport.clone(), next.clone(), from.clone());
            let (html, text) = (html.clone(), text.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= messages {
                        return Ok::<(), Failure>(());
                    }
                    transport.send(mail(n, &from, &html, &text)?).await?;
                }
            })
        };
        let tasks: Vec<_> = (0..connections).map(work).collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    })
}
