//! `pubsub pub|sub`: takes part in the messages between components.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde_json::json;

use super::arguments::{Publish, Pubsub, Subscribe};
use super::failure::Failure;
use super::print::Printer;
use super::request::{ask_one, failed};
use crate::api::control::{Client, ClientError};
use crate::wire::control::{Answer, Payload, RawJson, Request, TopicMessage};
use crate::wire::ipc::Blob;
use crate::wire::strict_json;

pub(super) fn run(
    command: &Pubsub,
    connect: impl Fn() -> Result<Client, Failure>,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    match command {
        // The message first: who waits for standard input would be hung up on.
        Pubsub::Pub(publish) => {
            let payload = payload(publish)?;
            self::publish(publish, payload, &mut connect()?, printer)
        }
        Pubsub::Sub(subscribe) => self::subscribe(subscribe, &mut connect()?, printer),
    }
}

fn publish(
    publish: &Publish,
    payload: Payload,
    client: &mut Client,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let request = Request::Publish { topic: publish.topic.clone(), payload };
    let subscriptions = ask_one(client, &request, |answer| match answer {
        Answer::Published { subscriptions } => Some(subscriptions),
        _ => None,
    })?;
    printer.either(&json!({ "subscriptions": subscriptions }), || match subscriptions {
        0 => "Published; nobody is subscribed to this topic.\n".into(),
        1 => "Published to 1 subscription.\n".into(),
        more => format!("Published to {more} subscriptions.\n"),
    })
}

fn payload(publish: &Publish) -> Result<Payload, Failure> {
    let bytes = match (&publish.message, &publish.file) {
        (_, Some(path)) => read(path)?,
        (message, None) => message.as_ref().map(|message| message.as_bytes().to_vec()).unwrap_or_default(),
    };
    if publish.binary {
        return Ok(Payload::Binary(Blob(bytes)));
    }
    match strict_json::from_slice::<RawJson>(&bytes) {
        Ok(json) if json.is_object() => return Ok(Payload::Json(json)),
        Ok(_) if publish.json => return Err(Failure::NoObject { cause: None }),
        Err(cause) if publish.json => return Err(Failure::NoObject { cause: Some(cause) }),
        Err(cause) if bytes.trim_ascii_start().starts_with(b"{") => {
            eprintln!("greengrass-cli: note: the message is published as text, for it is not JSON: {cause}");
        }
        _ => {}
    }
    Ok(Payload::Binary(Blob(bytes)))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    const OPTION: &str = "--file";
    let mut bytes = Vec::new();
    let most = Payload::MAX_BYTES as u64;
    let read = if path == Path::new("-") {
        io::stdin().lock().take(most + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
    };
    read.map_err(|cause| Failure::ReadMessage { option: OPTION, path: path.into(), cause })?;
    if bytes.len() > Payload::MAX_BYTES {
        return Err(Failure::TooLarge { option: OPTION, path: path.into(), limit: most });
    }
    Ok(bytes)
}

fn subscribe(subscribe: &Subscribe, client: &mut Client, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    for filter in subscribe.filters.iter().filter(|filter| !filter.can_match()) {
        eprintln!(
            "greengrass-cli: note: no topic matches {:?}: + and # are wildcards as a whole level only, and * is none",
            filter.as_str()
        );
    }
    let request = Request::FollowTopics { filters: subscribe.filters.clone() };
    let wanted = subscribe.count.map(std::num::NonZeroU64::get);
    let mut came = 0;
    let mut printed = Ok(());
    let item = |answer| {
        match answer {
            Answer::Following => eprintln!("greengrass-cli: subscribed; Ctrl-C ends"),
            Answer::Message(message) => {
                came += 1;
                printed = printer.either(&Line::new(&message), || text(&message));
            }
            Answer::Missed { count } => {
                eprintln!("greengrass-cli: note: {count} messages came too fast and are left out");
            }
            _ => {}
        }
        if printed.is_err() || wanted == Some(came) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let until = subscribe.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let followed = match until {
        Some(until) => client.follow_until(until, &request, item),
        None => client.follow(&request, item),
    };
    printed?;
    match (followed, wanted) {
        (Err(ClientError::TimeIsOver), Some(wanted)) => Err(Failure::TimeIsOver { came, wanted }),
        (Err(ClientError::TimeIsOver), None) => Ok(()),
        (followed, _) => followed.map_err(failed),
    }
}

/// A message as a JSON line.
#[derive(Serialize)]
struct Line<'a> {
    topic: &'a str,
    from: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<&'a RawJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary: Option<&'a Blob>,
}

impl<'a> Line<'a> {
    fn new(message: &'a TopicMessage) -> Self {
        let (json, binary) = match &message.payload {
            Payload::Json(json) => (Some(json), None),
            Payload::Binary(bytes) => (None, Some(bytes)),
        };
        Self { topic: message.topic.as_str(), from: &message.from, json, binary }
    }
}

/// `<topic> <message>`, one line whatever stands in it.
fn text(message: &TopicMessage) -> String {
    let said = match &message.payload {
        Payload::Json(json) => json.get().into(),
        Payload::Binary(Blob(bytes)) => String::from_utf8_lossy(bytes),
    };
    let line = format!("{} {said}", message.topic);
    // Anyone may publish anything, and a terminal obeys control characters.
    let mut line: String = line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::topic::Topic;

    #[test]
    fn text_is_one_line_that_steers_no_terminal() {
        let message = |payload| TopicMessage { topic: Topic::parse("a\nb").unwrap(), from: "A".into(), payload };
        let binary = message(Payload::Binary(Blob(b"\x1b[2J\xff\ttwo\nlines".to_vec())));
        assert_eq!(text(&binary), "a\u{fffd}b \u{fffd}[2J\u{fffd}\ttwo\u{fffd}lines\n");
        let json: RawJson = serde_json::from_str("{\"a\":\n1.0}").unwrap();
        let json = message(Payload::Json(json));
        assert_eq!(text(&json), "a\u{fffd}b {\"a\": 1.0}\n");
        assert_eq!(
            serde_json::to_string(&Line::new(&json)).unwrap(),
            r#"{"topic":"a\nb","from":"A","json":{"a": 1.0}}"#
        );
        assert_eq!(
            serde_json::to_string(&Line::new(&message(Payload::Binary(Blob(vec![255]))))).unwrap(),
            r#"{"topic":"a\nb","from":"A","binary":"/w=="}"#
        );
    }
}
