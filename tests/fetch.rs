//! `greengrass ota` with a bundle on a server: nginx over HTTP and TLS, and one of our own that breaks connections.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(feature = "download")]

#[path = "support/range_server.rs"]
mod range_server;
#[allow(dead_code, reason = "others take the rest")]
#[path = "ota/install_stage.rs"]
mod stage;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use greengrass::boot::slot::Slot;
use range_server::{Server, Turn};
use stage::{Done, MIB, Stage, noise};

fn outcome(done: &Done) -> &str {
    done.lines.last().and_then(|line| line["outcome"].as_str()).unwrap_or("nothing")
}

fn number(done: &Done, name: &str) -> u64 {
    done.lines.last().and_then(|line| line[name].as_u64()).unwrap()
}

/// A stage with a bundle of one image for slot b.
fn stage(image: &[u8]) -> (Stage, Vec<u8>) {
    let stage = Stage::new();
    let bundle = stage.bundle("one", "version=1", "", &[("rootfs", image)]);
    let bytes = fs::read(bundle).unwrap();
    (stage, bytes)
}

/// nginx with the stage as its root: plain, with a good certificate, with one that has expired, and one that asks for ours.
struct Nginx {
    child: Child,
    ports: [u16; 4],
}

impl Nginx {
    fn start(stage: &Stage) -> Option<Self> {
        let has = |program: &&str| Command::new(program).arg("-v").stderr(Stdio::null()).status().is_ok();
        let Some(program) = ["nginx", "/usr/sbin/nginx"].into_iter().find(has) else {
            eprintln!("skipped: there is no nginx(8)");
            return None;
        };
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let root = ["req", "-x509", "-days", "20000", "-subj", "/CN=root", "-keyout", "root.key", "-out", "root.pem"];
        stage.tool("openssl", &root, &key);
        fs::write(stage.path("leaf.ext"), "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n")
            .unwrap();
        for (name, days) in [("good", "20000"), ("old", "-1"), ("own", "20000")] {
            let (key_file, request, leaf) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
            let subject = format!("/CN={name}");
            stage.tool("openssl", &["req", "-subj", &subject, "-keyout", &key_file, "-out", &request], &key);
            let sign = ["x509", "-req", "-in", &request, "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"];
            stage.tool("openssl", &sign, &["-days", days, "-extfile", "leaf.ext", "-out", &leaf]);
        }
        let ports = [0; 4].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = ports.map(|listener| listener.local_addr().unwrap().port());
        let folder = stage.path("");
        let folder = folder.display();
        let tls = |name: &str| {
            format!("ssl_certificate {folder}/{name}.pem; ssl_certificate_key {folder}/{name}.key; root {folder};")
        };
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String = temporary.map(|what| format!("{what}_temp_path {folder}/nginx;")).concat();
        let conf = format!(
            "daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr crit; events {{}}\n\
            http {{ access_log off; {temporary}\n\
            server {{ listen 127.0.0.1:{}; root {folder}; }}\n\
            server {{ listen 127.0.0.1:{} ssl; {} }}\n\
            server {{ listen 127.0.0.1:{} ssl; {} }}\n\
            server {{ listen 127.0.0.1:{} ssl; ssl_client_certificate {folder}/root.pem; ssl_verify_client on; {} }} }}\n",
            ports[0],
            ports[1],
            tls("good"),
            ports[2],
            tls("old"),
            ports[3],
            tls("good"),
        );
        fs::write(stage.path("nginx.conf"), conf).unwrap();
        let child = Command::new(program).arg("-c").arg(stage.path("nginx.conf")).stdin(Stdio::null()).spawn().unwrap();
        let nginx = Self { child, ports };
        let until = Instant::now() + Duration::from_secs(30);
        while !ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
            assert!(Instant::now() < until, "nginx does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(nginx)
    }

    fn url(&self, server: usize) -> String {
        let scheme = if server == 0 { "http" } else { "https" };
        format!("{scheme}://127.0.0.1:{}/one.raucb", self.ports[server])
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(stage: &Stage, streaming: &str) {
    let text = fs::read_to_string(stage.path("ota.conf")).unwrap();
    let text = text.split("[streaming]").next().unwrap().to_owned();
    fs::write(stage.path("ota.conf"), format!("{text}[streaming]\n{streaming}")).unwrap();
}

#[test]
fn nginx_serves_over_http_and_tls() {
    let image = noise(6 * MIB + 5_000, 1);
    let (stage, bytes) = stage(&image);
    let Some(nginx) = Nginx::start(&stage) else { return };
    let identity = "tls-ca=root.pem\ntls-cert=own.pem\ntls-key=own.key\n";
    for (server, streaming, expected) in [
        (0, "", true),
        (1, "tls-ca=root.pem\n", true),
        (1, "", false),
        (1, "tls-ca=cert.pem\n", false),
        (2, "tls-ca=root.pem\n", false),
        (3, "tls-ca=root.pem\n", false),
        (3, identity, true),
        (3, "tls-ca=root.pem\ntls-cert=own.pem\ntls-key=good.key\n", false),
    ] {
        say(&stage, streaming);
        let done = stage.install(&["--no-arm", "--force", &nginx.url(server)]);
        assert_eq!(done.code == 0, expected, "{server} {streaming}: {}", done.stderr);
        if !expected {
            // What will not get better is told at once.
            assert!(done.stderr.contains("fetched") && !done.stderr.contains("gave up"), "{}", done.stderr);
            continue;
        }
        assert!(stage.slot("rootfs", Slot::B).starts_with(&image));
        fs::write(stage.path("rootfs-b"), vec![0xee; 9 * MIB]).unwrap();
        let _ = fs::remove_dir_all(stage.path("data"));
        let (requests, fetched) = (number(&done, "requests"), number(&done, "fetched"));
        assert!(requests <= 6 && fetched <= bytes.len() as u64 * 101 / 100 + 40_000, "{requests} {fetched}");
    }
    say(&stage, "");
    for words in [vec!["info"], vec!["verify"]] {
        let conf = stage.path("ota.conf");
        let url = nginx.url(0);
        let words = [&["bundle"], &words[..], &["--conf", conf.to_str().unwrap(), &url]].concat();
        let mut command = Command::new(env!("CARGO_BIN_EXE_greengrass"));
        let done = command.arg("ota").args(&words).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn bundle_that_is_verified_on_its_server_is_fetched_once() {
    let (stage, bytes) = stage(&noise(9 * MIB, 1));
    let server = Server::begin(Arc::new(bytes.clone()), |_, _| Turn::Good);
    let conf = stage.path("ota.conf");
    let words = ["ota", "bundle", "verify", "--conf", conf.to_str().unwrap(), &server.url];
    let done = Command::new(env!("CARGO_BIN_EXE_greengrass")).args(words).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // The end of the bundle lies in two ranges.
    assert!((bytes.len() as u64..bytes.len() as u64 + 200_000).contains(&server.sent()), "{}", server.sent());
    assert!(server.asked().len() <= 8, "{}", server.asked().len());
}

/// Row X9: 3 % of the pieces of 64 KiB are the last of their connection.
#[test]
fn connections_that_break_at_random_cost_time_only() {
    let image = noise(8 * MIB, 1);
    let (stage, bytes) = stage(&image);
    let state = Mutex::new(0x1234_5678_9abc_def1_u64);
    let server = Server::begin(Arc::new(bytes.clone()), move |_, asked| {
        let mut state = state.lock().unwrap();
        let pieces = (asked.range.1 - asked.range.0) / (64 << 10);
        for piece in 0..pieces {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            if *state % 100 < 3 {
                return Turn::Cut(piece * (64 << 10) + *state % 65_536);
            }
        }
        Turn::Good
    });
    let done = stage.install(&[&server.url]);
    assert_eq!((done.code, outcome(&done)), (0, "armed"), "{}", done.stderr);
    assert!(stage.slot("rootfs", Slot::B).starts_with(&image));
    assert_eq!(number(&done, "requests"), server.asked().len() as u64);
    assert!(number(&done, "fetched") <= bytes.len() as u64 + 40_000);
}

/// A kill is what a power cut is to the process.
#[test]
fn install_that_was_killed_fetches_the_rest() {
    let image = noise(8 * MIB, 1);
    let (stage, bytes) = stage(&image);
    let size = bytes.len() as u64;
    let server = Server::begin(Arc::new(bytes), move |_, asked| match asked.range {
        (start, end) if start < size / 2 && end > size / 2 => Turn::Cut(size / 2 - start),
        (start, _) if start == size / 2 => Turn::Silence,
        _ => Turn::Good,
    });
    let run = stage.start(&[&server.url]);
    let until = Instant::now() + Duration::from_secs(60);
    while !server.asked().iter().any(|asked| asked.range.0 == size / 2) {
        assert!(Instant::now() < until, "{:?}", server.asked());
        std::thread::sleep(Duration::from_millis(10));
    }
    run.kill();
    drop(server);
    let server = Server::begin(Arc::new(fs::read(stage.path("one.raucb")).unwrap()), |_, _| Turn::Good);
    let done = stage.install(&[&server.url]);
    assert_eq!((done.code, outcome(&done)), (0, "armed"), "{}", done.stderr);
    assert!(stage.slot("rootfs", Slot::B).starts_with(&image));
    // A piece that was under way, the first one, and the ends of the bundle.
    assert!(number(&done, "fetched") < size / 2 + 2 * MIB as u64 + 300_000, "{}", number(&done, "fetched"));
}
