//! mosquitto with mutual TLS, and those who sign for it and for devices.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::eventually;

/// How a private key is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Pkcs8,
    /// RSA, as old tools write it.
    Pkcs1,
    /// An elliptic curve, with its parameters in front, as old tools write it.
    Sec1,
}

/// An authority with what it signed, and an address of the loopback that nobody else has.
pub struct Keys {
    directory: tempfile::TempDir,
    pub address: String,
}

impl Keys {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let [_, high, middle, low] = std::process::id().to_be_bytes();
        let number = COUNT.fetch_add(1, Ordering::Relaxed) as u8;
        let address = format!("127.{}.{}.{}", 1 + (high ^ number) % 250, middle, 1 + low % 250);
        let keys = Self { directory: tempfile::tempdir().unwrap(), address };
        let own = ["req", "-x509", "-days", "20000", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"];
        keys.openssl(&[&own[..], &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]].concat());
        let extensions = format!("basicConstraints=CA:FALSE\nsubjectAltName=IP:{}\n", keys.address);
        fs::write(keys.path("extensions"), extensions).unwrap();
        keys.device("server", Kind::Pkcs8);
        keys
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes `NAME.key` and `NAME.pem`.
    pub fn device(&self, name: &str, kind: Kind) {
        let (key, request, certificate) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        match kind {
            Kind::Pkcs8 => {
                self.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &key]);
            }
            Kind::Pkcs1 => self.openssl(&["genrsa", "-traditional", "-out", &key, "2048"]),
            Kind::Sec1 => self.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-out", &key]),
        }
        let subject = format!("/CN={name}");
        self.openssl(&["req", "-new", "-subj", &subject, "-key", &key, "-out", &request]);
        let sign = ["x509", "-req", "-in", &request, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        self.openssl(&[&sign[..], &["-days", "20000", "-extfile", "extensions", "-out", &certificate]].concat());
    }

    /// The configuration of a device that was provisioned by hand; `mqtt` is one more line of its block.
    pub fn config(&self, thing: &str, port: u16, mqtt: &str) -> String {
        let path = |name: String| self.path(&name).display().to_string();
        format!(
            "system:\n  thingName: {thing}\n  certificateFilePath: {}\n  privateKeyPath: {}\n  rootCaPath: {}\n\
            services:\n  aws.greengrass.Nucleus:\n    configuration:\n      iotDataEndpoint: {}\n      mqtt:\n        \
            port: {port}\n        maximumReconnectDelaySeconds: 1\n        {mqtt}\n",
            path(format!("{thing}.pem")),
            path(format!("{thing}.key")),
            path("ca.pem".to_owned()),
            self.address
        )
    }

    fn openssl(&self, words: &[&str]) {
        let done = Command::new("openssl").args(words).current_dir(self.directory.path()).output();
        let done = done.expect("the tests of the link need openssl(1)");
        assert!(done.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// mosquitto. It ends when it is dropped.
pub struct Broker {
    program: &'static str,
    conf: PathBuf,
    log: PathBuf,
    address: String,
    pub port: u16,
    child: Option<Child>,
}

impl Broker {
    /// `None` where there is no mosquitto, and says so.
    pub fn start(keys: &Keys) -> Option<Self> {
        let has = |program: &&str| Command::new(program).arg("-h").stdout(Stdio::null()).status().is_ok();
        let Some(program) = ["mosquitto", "/usr/sbin/mosquitto"].into_iter().find(has) else {
            eprintln!("skipped: there is no mosquitto(8)");
            return None;
        };
        // Whoever asks for any port at 127.0.0.1 does not get this one.
        let free = TcpListener::bind((keys.address.as_str(), 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let path = |name: &str| keys.path(name).display().to_string();
        let conf = format!(
            "listener {port} {}\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n\
            use_identity_as_username true\nallow_anonymous true\npersistence false\nuser root\nlog_dest stderr\n\
            log_type all\n",
            keys.address,
            path("ca.pem"),
            path("server.pem"),
            path("server.key")
        );
        fs::write(keys.path("mosquitto.conf"), conf).unwrap();
        let mut broker = Self {
            program,
            conf: keys.path("mosquitto.conf"),
            log: keys.path("mosquitto.log"),
            address: keys.address.clone(),
            port,
            child: None,
        };
        broker.start_again();
        Some(broker)
    }

    pub fn start_again(&mut self) {
        let log = fs::File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(self.program);
        command.arg("-c").arg(&self.conf).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        eventually("mosquitto listens", || {
            let child = self.child.as_mut().unwrap();
            assert!(child.try_wait().unwrap().is_none(), "mosquitto: {}", fs::read_to_string(&self.log).unwrap());
            TcpStream::connect((self.address.as_str(), self.port)).is_ok()
        });
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Whether its log has these words.
    pub fn said(&self, words: &str) -> bool {
        fs::read_to_string(&self.log).unwrap_or_default().contains(words)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
