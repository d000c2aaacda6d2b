//! A server may do what it likes: what comes is right, or there is an error, and not much comes twice.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::net::http::Timeouts;

use super::super::range_server::{Asked, Server, Turn};

/// A busy machine is no silent server.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(500);

fn patience(socket: Duration) -> Patience {
    let timeouts = Timeouts { connect: LONG, socket };
    let pause = Duration::from_millis(1);
    Patience { attempts: 4, first_pause: pause, longest_pause: 4 * pause, timeouts }
}

fn file(size: usize) -> Arc<Vec<u8>> {
    Arc::new((0..size as u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect())
}

fn serve(file: &Arc<Vec<u8>>, script: impl Fn(usize, &Asked) -> Turn + Send + Sync + 'static) -> Server {
    Server::begin(Arc::clone(file), script)
}

fn open(server: &Server) -> Result<HttpSource, FetchError> {
    HttpSource::open(&server.url, &Streaming::default(), patience(LONG))
}

/// Reads all as the installer does, in pieces of a MiB.
fn read_all(source: &HttpSource) -> io::Result<Vec<u8>> {
    source.expect(std::slice::from_ref(&(0..source.size())));
    let mut bytes = vec![0; usize::try_from(source.size()).unwrap()];
    for (number, piece) in bytes.chunks_mut(1 << 20).enumerate() {
        source.read_at(piece, (number as u64) << 20)?;
    }
    Ok(bytes)
}

const SIZE: usize = (4 << 20) + 777;

#[test]
fn good_server_is_asked_twice_and_sends_each_byte_once() {
    let file = file(SIZE);
    let server = serve(&file, |_, _| Turn::Good);
    let source = open(&server).unwrap();
    assert!(read_all(&source).unwrap() == *file);
    let expected = Account { requests: 2, bytes: SIZE as u64 };
    assert_eq!(source.account(), expected);
    assert_eq!((server.asked().len() as u64, server.sent()), (expected.requests, expected.bytes));
}

#[test]
fn server_that_dies_at_each_part_is_gone_on_with() {
    let file = file(SIZE);
    for part in 0..64 {
        let cut = SIZE as u64 / 64 * part;
        let server = serve(&file, move |number, _| if number == 1 { Turn::Cut(cut) } else { Turn::Good });
        let source = open(&server).unwrap();
        assert!(read_all(&source).unwrap() == *file, "{part}");
        assert_eq!(source.account(), Account { requests: 3, bytes: SIZE as u64 }, "{part}");
    }
}

#[test]
fn connections_that_break_now_and_then_cost_no_byte_twice() {
    let file = file(SIZE);
    // Each 256 KiB, and twice more before it goes on.
    let server = serve(&file, |number, _| match number % 3 {
        0 => Turn::Cut(256 << 10),
        1 => Turn::HangUp,
        _ => Turn::Status(503, "Retry-After: 0\r\n"),
    });
    let source = open(&server).unwrap();
    assert!(read_all(&source).unwrap() == *file);
    assert_eq!(source.account().bytes, SIZE as u64);
}

#[test]
fn overloaded_server_is_waited_for_and_then_given_up() {
    let file = file(SIZE);
    for (turn, socket) in [
        (Turn::Status(429, "Retry-After: 1\r\n"), LONG),
        (Turn::Status(503, ""), LONG),
        (Turn::HangUp, LONG),
        (Turn::Silence, SHORT),
    ] {
        let open = |server: &Server| HttpSource::open(&server.url, &Streaming::default(), patience(socket));
        let (once, always) = (turn.clone(), turn.clone());
        let server = serve(&file, move |number, _| if number < 3 { once.clone() } else { Turn::Good });
        assert_eq!(open(&server).unwrap().account().requests, 4, "{turn:?}");
        let server = serve(&file, move |_, _| always.clone());
        assert!(matches!(open(&server), Err(FetchError::GaveUp { attempts: 4, .. })), "{turn:?}");
        assert_eq!(server.asked().len(), 4, "{turn:?}");
    }
}

#[test]
fn server_without_ranges_is_refused_without_reading_it_all() {
    let file = file(64 << 20);
    let server = serve(&file, |_, _| Turn::Whole);
    assert!(matches!(open(&server), Err(FetchError::Ignored { .. })));
    assert_eq!(server.asked().len(), 2);
    // What fits into the buffers of two connections.
    assert!(server.sent() < 32 << 20, "{}", server.sent());
    let server = serve(&file, |number, _| if number == 0 { Turn::Good } else { Turn::Whole });
    let error = read_all(&open(&server).unwrap()).unwrap_err();
    assert!(matches!(fetch_error(&error), Some(FetchError::Ignored { .. })), "{error}");
}

#[test]
fn server_without_ranges_from_the_end_is_asked_otherwise() {
    let file = file(SIZE);
    let server = serve(&file, |_, asked| if asked.head.contains("=-") { Turn::Whole } else { Turn::Good });
    assert!(read_all(&open(&server).unwrap()).unwrap() == *file);
}

fn fetch_error(error: &io::Error) -> Option<&FetchError> {
    error.get_ref()?.downcast_ref()
}

#[test]
fn answer_with_another_range_is_refused() {
    let file = file(SIZE);
    let server = serve(&file, |_, _| Turn::Shifted(1));
    assert!(matches!(open(&server), Err(FetchError::Range { .. })));
    let server = serve(&file, |number, _| if number == 0 { Turn::Good } else { Turn::Shifted(4096) });
    let error = read_all(&open(&server).unwrap()).unwrap_err();
    assert!(matches!(fetch_error(&error), Some(FetchError::Range { .. })), "{error}");
}

#[test]
fn file_that_is_replaced_midway_is_found_and_refused() {
    let (first, second, longer) = (file(SIZE), Arc::new(vec![7; SIZE]), Arc::new(vec![7; SIZE + 1]));
    for (other, tag) in [(&second, "\"second\""), (&longer, "\"first\""), (&longer, "W/\"first\"")] {
        let other = Arc::clone(other);
        let server = serve(&first, move |number, _| match number {
            0 => Turn::Good,
            1 => Turn::Cut(1 << 20),
            _ => Turn::Replaced(Arc::clone(&other), tag),
        });
        let error = read_all(&open(&server).unwrap()).unwrap_err();
        let expected = matches!(fetch_error(&error), Some(FetchError::Changed { .. } | FetchError::Ignored { .. }));
        assert!(expected, "{tag}: {error}");
        assert_eq!(server.asked().len(), 3, "{tag}");
    }
}

#[test]
fn status_that_will_not_get_better_is_not_tried_again() {
    let file = file(SIZE);
    for status in [400, 401, 403, 404, 410, 416, 501] {
        let server = serve(&file, move |_, _| Turn::Status(status, ""));
        let tried = if status == 501 { 4 } else { 1 };
        open(&server).unwrap_err();
        assert_eq!(server.asked().len(), tried, "{status}");
    }
}

#[test]
fn redirects_are_followed_once_and_not_for_ever() {
    let file = file(SIZE);
    let target = serve(&file, |_, _| Turn::Good);
    let location: &'static str = Box::leak(format!("Location: {}\r\n", target.url).into_boxed_str());
    let server = serve(&file, move |_, _| Turn::Status(302, location));
    assert!(read_all(&open(&server).unwrap()).unwrap() == *file);
    assert_eq!((server.asked().len(), target.asked().len()), (1, 2));
    let server = serve(&file, |_, _| Turn::Status(302, "Location: /again\r\n"));
    open(&server).unwrap_err();
    assert!(server.asked().len() <= 4 * 6, "{}", server.asked().len());
}

#[test]
fn pieces_out_of_order_are_read_once() {
    let file = file(SIZE);
    let server = serve(&file, |_, _| Turn::Good);
    let source = open(&server).unwrap();
    source.expect(&[1 << 20..SIZE as u64, 0..(1 << 20) + 100]);
    let mut piece = vec![0; 1 << 20];
    for number in [2, 1, 3, 0] {
        let at = number << 20;
        source.read_at(&mut piece, at as u64).unwrap();
        assert!(piece == file[at..at + (1 << 20)], "{number}");
    }
    assert_eq!(source.account().requests, 3);
    assert!(source.account().bytes < SIZE as u64 + 10_000);
    assert!(source.read_at(&mut piece, SIZE as u64).is_err());
}

/// A proxy that joins whoever comes to whom he asks for. Returns its address and what it was asked.
fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&asked);
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let lines = Arc::clone(&lines);
            std::thread::spawn(move || join(client, &lines));
        }
    });
    (url, asked)
}

fn join(mut client: TcpStream, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut head = String::new();
    // Nothing comes behind the head before it is answered.
    let mut reader = BufReader::new(client.try_clone().ok()?);
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let line = head.lines().next()?.to_owned();
    let server = TcpStream::connect(line.strip_prefix("CONNECT ")?.split(' ').next()?).ok();
    asked.lock().unwrap().push(line);
    let mut server = server?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut from, mut into) = (server.try_clone().ok()?, client.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut into);
        let _ = into.shutdown(Shutdown::Both);
    });
    let _ = io::copy(&mut client, &mut server);
    let _ = server.shutdown(Shutdown::Both);
    Some(())
}

#[test]
fn server_behind_a_proxy_is_reached_through_it() {
    let file = file(SIZE);
    let server = serve(&file, |_, _| Turn::Good);
    let (url, asked) = proxy();
    let streaming = Streaming { proxy: Some(url), ..Streaming::default() };
    let source = HttpSource::open(&server.url, &streaming, patience(LONG)).unwrap();
    assert!(read_all(&source).unwrap() == *file);
    let host = server.url.split('/').nth(2).unwrap();
    let asked = asked.lock().unwrap();
    assert!(!asked.is_empty() && asked.iter().all(|line| *line == format!("CONNECT {host} HTTP/1.1")), "{asked:?}");
    // Nobody listens there.
    let streaming = Streaming { proxy: Some("http://127.0.0.1:1".to_owned()), ..Streaming::default() };
    assert!(matches!(HttpSource::open(&server.url, &streaming, patience(LONG)), Err(FetchError::GaveUp { .. })));
}

#[test]
fn settings_name_files_and_must_be_whole() {
    use crate::wire::bundle::ini::Ini;
    let decode = |text: &str| {
        let mut ini = Ini::decode(format!("[streaming]\n{text}").as_bytes()).unwrap();
        Streaming::decode(&mut ini.take("streaming"), std::path::Path::new("/etc/greengrass"))
    };
    let read = decode("tls-ca=ca.pem\ntls-cert=/a\ntls-key=b\nproxy=http://p:1\nsandbox-user=nobody\n").unwrap();
    assert_eq!(read.authorities, Some("/etc/greengrass/ca.pem".into()));
    assert_eq!(read.identity, Some(("/a".into(), "/etc/greengrass/b".into())));
    for text in ["tls-cert=a\n", "tls-key=a\n", "tls-kay=a\n"] {
        assert!(decode(text).is_err(), "{text}");
    }
    for (streaming, what) in [
        (Streaming { authorities: Some("/nonexistent".into()), ..Streaming::default() }, "missing"),
        (Streaming { proxy: Some("::".into()), ..Streaming::default() }, "proxy"),
    ] {
        assert!(HttpSource::open("https://127.0.0.1:1/", &streaming, patience(SHORT)).is_err(), "{what}");
    }
}
