//! Faults of an installation by the real program: killed, stopped, no room, a damaged bundle. Whatever happens, the slot
//! is what it was, or nothing to anybody, or holds the whole image; and the next installation succeeds.
//!
//! `FAULTS=300` does so many of each kind. The table of what was done is written to `target/report/ota-faults.md`.

#![cfg(feature = "ota")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Of the image, which is no multiple of anything.
const SIZE: usize = (6 << 20) + 12_345;
/// What is written last.
const FIRST: usize = 1 << 20;

#[test]
fn slot_is_old_or_nothing_or_whole_after_every_fault() {
    let Some(ground) = Ground::new() else { return };
    let cases: u32 = std::env::var("FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let mut table = String::from("| id | fault | cases | violations | seconds |\n| --- | --- | --- | --- | --- |\n");
    let mut all = Vec::new();
    for (id, what, fault) in FAULTS {
        let (start, mut random) = (Instant::now(), Random(0x9e37_79b9_7f4a_7c15));
        let violation = |case| fault(&ground, &mut random).err().map(|why| format!("{id} {what}, case {case}: {why}"));
        let violations: Vec<String> = (0..cases).filter_map(violation).collect();
        let seconds = start.elapsed().as_secs();
        table += &format!("| {id} | {what} | {cases} | {} | {seconds} |\n", violations.len());
        all.extend(violations);
    }
    println!("{table}");
    let report = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report");
    fs::create_dir_all(&report).unwrap();
    fs::write(report.join("ota-faults.md"), &table).unwrap();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

type Fault = fn(&Ground, &mut Random) -> Result<(), String>;

const FAULTS: [(&str, &str, Fault); 5] = [
    ("X4", "kill -9 at any time", Ground::killed),
    ("X4", "SIGSTOP at any time, then SIGCONT", Ground::stopped),
    ("X5", "a bit of the bundle flipped", Ground::damaged),
    ("X5", "the bundle cut short", Ground::truncated),
    ("X8", "writes fail behind any byte", Ground::without_room),
];

/// A bundle, who is trusted with it, and a slot with something old in it.
struct Ground {
    folder: tempfile::TempDir,
    bundle: PathBuf,
    image: Vec<u8>,
    old: Vec<u8>,
    /// What an installation without a fault takes.
    uncut: Duration,
}

impl Ground {
    fn new() -> Option<Self> {
        if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: openssl is not there (apt-get install openssl)");
            return None;
        }
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (key, root, request, cert) = (path("key.pem"), path("root.pem"), path("request"), path("cert.pem"));
        let root_key = path("root-key.pem");
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let authority = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
        let own = ["req", "-x509", "-days", "3650", "-subj", "/CN=root", "-keyout", &root_key, "-out", &root];
        openssl(&[&own[..], &new_key, &authority].concat());
        openssl(&[&["req", "-subj", "/CN=signer", "-keyout", &key, "-out", &request][..], &new_key].concat());
        fs::write(
            path("extensions"),
            "keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning,emailProtection\n",
        )
        .unwrap();
        let sign =
            ["x509", "-req", "-in", &request, "-CA", &root, "-CAkey", &root_key, "-CAcreateserial", "-days", "3650"];
        openssl(&[&sign[..], &["-extfile", &path("extensions"), "-out", &cert]].concat());
        let mut random = Random(7);
        // A third of it packs well, so that there are packed and stored blocks.
        let image: Vec<u8> =
            (0..SIZE).map(|at| if at % 0x6_0000 < 0x2_0000 { b'x' } else { random.next() as u8 }).collect();
        fs::create_dir(path("content")).unwrap();
        fs::write(path("content/image.img"), &image).unwrap();
        fs::write(path("content/manifest.raucm"), "[update]\ncompatible=board\n[image.rootfs]\nfilename=image.img\n")
            .unwrap();
        fs::write(path("ota.conf"), "[system]\ncompatible=board\n[keyring]\npath=root.pem\n").unwrap();
        let bundle = path("bundle");
        let create = ["ota", "bundle", "create", "--key", &key, "--cert", &cert, &path("content"), &bundle];
        let made = Command::new(env!("CARGO_BIN_EXE_greengrass")).args(create).status().unwrap();
        assert!(made.success());
        let old = vec![0xee; SIZE.next_multiple_of(4096)];
        let mut ground = Self { bundle: bundle.into(), image, old, folder, uncut: Duration::ZERO };
        let start = Instant::now();
        assert!(ground.install(&ground.bundle, None), "the bundle is not installed");
        ground.uncut = start.elapsed();
        Some(ground)
    }

    fn slot(&self) -> PathBuf {
        self.folder.path().join("slot")
    }

    /// Into an old slot; `limit` is the longest file that it may write, in blocks of 512 bytes.
    fn command(&self, bundle: &Path, limit: Option<usize>) -> Command {
        fs::write(self.slot(), &self.old).unwrap();
        let slot = format!("rootfs={}", self.slot().display());
        // Ignored, the signal becomes an error of the write.
        let limit = limit.map_or("unlimited".to_owned(), |blocks| blocks.to_string());
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &limit]);
        command.args([env!("CARGO_BIN_EXE_greengrass"), "ota", "install", "--conf"]);
        command.arg(self.folder.path().join("ota.conf")).args(["--slot", &slot]).arg(bundle);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn install(&self, bundle: &Path, limit: Option<usize>) -> bool {
        self.command(bundle, limit).status().unwrap().success()
    }

    fn killed(&self, random: &mut Random) -> Result<(), String> {
        let mut child = self.command(&self.bundle, None).spawn().unwrap();
        sleep(self.uncut.mul_f64(random.share() * 1.1));
        child.kill().unwrap();
        child.wait().unwrap();
        self.judge(None)
    }

    fn stopped(&self, random: &mut Random) -> Result<(), String> {
        let mut child = self.command(&self.bundle, None).spawn().unwrap();
        sleep(self.uncut.mul_f64(random.share() * 1.1));
        let signal = |name: &str| {
            Command::new("kill").args([name, &child.id().to_string()]).stderr(Stdio::null()).status().unwrap()
        };
        // It may have ended before.
        signal("-STOP");
        sleep(Duration::from_millis(50));
        signal("-CONT");
        let ended = child.wait().unwrap();
        self.judge(Some(ended.success()))?;
        if ended.success() { Ok(()) } else { Err("it did not go on".to_owned()) }
    }

    fn damaged(&self, random: &mut Random) -> Result<(), String> {
        let path = self.copied();
        let file = fs::File::options().read(true).write(true).open(&path).unwrap();
        let at = random.next() % file.metadata().unwrap().len();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1 << (random.next() % 8)], at).unwrap();
        let succeeded = self.install(&path, None);
        self.judge(Some(succeeded)).map_err(|why| format!("byte {at}: {why}"))
    }

    fn truncated(&self, random: &mut Random) -> Result<(), String> {
        let path = self.copied();
        let file = fs::File::options().write(true).open(&path).unwrap();
        let length = random.next() % file.metadata().unwrap().len();
        file.set_len(length).unwrap();
        if self.install(&path, None) {
            return Err(format!("{length} bytes were installed"));
        }
        self.judge(Some(false))
    }

    fn without_room(&self, random: &mut Random) -> Result<(), String> {
        let blocks = random.next() as usize % (SIZE / 512);
        if self.install(&self.bundle, Some(blocks)) {
            return Err(format!("it wrote more than {blocks} blocks"));
        }
        self.judge(Some(false))
    }

    fn copied(&self) -> PathBuf {
        let path = self.folder.path().join("damaged");
        fs::copy(&self.bundle, &path).unwrap();
        path
    }

    /// O1 and O5. `succeeded` is what the program said, where it could.
    fn judge(&self, succeeded: Option<bool>) -> Result<(), String> {
        let slot = fs::read(self.slot()).unwrap();
        let is_whole = slot.get(..SIZE) == Some(&self.image[..]);
        // Cut off while the beginning was wiped, nothing else has changed yet.
        let wiped = slot.iter().take_while(|byte| **byte == 0).count();
        let is_nothing = wiped >= FIRST || slot[wiped..] == self.old[wiped..];
        if !is_whole && !is_nothing {
            return Err("a slot with a beginning is not whole".to_owned());
        }
        if succeeded == Some(true) && !is_whole {
            return Err("it said that it succeeded".to_owned());
        }
        let again = self.install(&self.bundle, None);
        let whole = fs::read(self.slot()).unwrap().get(..SIZE) == Some(&self.image[..]);
        if again && whole { Ok(()) } else { Err("the next installation failed".to_owned()) }
    }
}

fn openssl(arguments: &[&str]) {
    let ran = Command::new("openssl").args(arguments).output().unwrap();
    assert!(ran.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// Xorshift: the same faults each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn share(&mut self) -> f64 {
        (self.next() % 1_000_000) as f64 / 1e6
    }
}
