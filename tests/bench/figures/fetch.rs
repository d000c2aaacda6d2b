//! F17: how much of a bundle an update fetches over HTTP, and in how many requests. The server counts.

use std::fs;
use std::io::{self, Error, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gg_boot::state::grubenv;
use gg_boot::state::variables::Variables;
use serde_json::json;

use super::{Measured, rounded};
use crate::target;

#[path = "../../support/noise.rs"]
mod noise;
#[path = "../../support/range_server.rs"]
mod range_server;

use noise::noise;
use range_server::{Asked, Server, Turn};

const MIB: usize = 1 << 20;
const IMAGE: usize = 256 * MIB;
/// Places that an update changes, and blocks of 4096 bytes in each: 2.7 % of the image.
const PLACES: usize = 12;
const RUN: usize = 144;
/// Single blocks around each place, as a file system changes them with the file.
const SINGLE: usize = 3;
/// How long the server may stay unasked.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn requests_and_share(binary: &Path) -> io::Result<Measured> {
    let stage = Stage::new(binary)?;
    let image = noise(IMAGE, 1);
    let first = stage.bundle(&image)?;
    let (full_requests, full_share) = stage.install(&first, "b", &image)?;

    // Half of it comes, and then the power goes.
    stage.forget()?;
    stage.cut(&first, IMAGE as u64 / 2)?;
    let (_, refetch_share) = stage.install(&first, "b", &image)?;

    // Slot a, which runs, has it, and the next version is for slot b.
    stage.forget()?;
    fs::write(stage.path("a"), &image)?;
    let mut next = image;
    let changed = change(&mut next);
    let second = stage.bundle(&next)?;
    let (adaptive_requests, adaptive_share) = stage.install(&second, "b", &next)?;
    let met = full_requests <= 6
        && full_share <= 101.0
        && adaptive_requests <= 20
        && adaptive_share <= 6.0
        && refetch_share <= 52.0;
    Ok(Measured {
        value: json!({
            "adaptive_requests": adaptive_requests, "adaptive_share": rounded(adaptive_share),
            "full_requests": full_requests, "full_share": rounded(full_share),
            "refetch_share": rounded(refetch_share),
        }),
        met,
        note: format!(
            "image of 256 MiB; shares in percent of the bundle's bytes; {:.2} % of the blocks changed, in {PLACES} places \
            with single blocks around; the index of the running slot was made on the way; refetch_share: after a kill at 50 %",
            changed as f64 * 100.0 / (IMAGE / 4096) as f64
        ),
    })
}

/// Returns how many blocks it changed.
fn change(image: &mut [u8]) -> usize {
    let fresh = noise(PLACES * (RUN + SINGLE) * 4096, 2);
    let mut fresh = fresh.chunks_exact(4096);
    for number in 0..PLACES {
        // Not the same distance from one to the next.
        let begin = 500 + number * 5_300 + number * number % 7 * 97;
        let single = (1..=SINGLE).map(|step| begin + RUN + step * 17);
        for block in (begin..begin + RUN).chain(single) {
            let Some(fresh) = fresh.next() else { continue };
            image[block * 4096..][..4096].copy_from_slice(fresh);
        }
    }
    PLACES * (RUN + SINGLE)
}

/// A device of files.
struct Stage {
    folder: tempfile::TempDir,
    binary: PathBuf,
}

impl Stage {
    fn new(binary: &Path) -> io::Result<Self> {
        fs::create_dir_all(target().join("bench"))?;
        let stage = Self { folder: tempfile::tempdir_in(target().join("bench"))?, binary: binary.to_owned() };
        for slot in ["a", "b"] {
            fs::File::create(stage.path(slot))?.set_len(IMAGE as u64)?;
        }
        let conf = format!(
            "[system]\ncompatible=board\nbootloader=grub\ngrubenv={0}/grubenv\n[keyring]\npath=cert.pem\n[greengrass]\nbooted=a\n\
            state=files\ndata-directory={0}/data\nlock={0}/lock\n[slot.rootfs.0]\ndevice={0}/a\nbootname=a\n\
            [slot.rootfs.1]\ndevice={0}/b\nbootname=b\n",
            stage.folder.path().display()
        );
        fs::write(stage.path("ota.conf"), conf)?;
        stage.tool(
            Path::new("openssl"),
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "20000",
                "-subj",
            ],
            &["/CN=signer", "-keyout", "key.pem", "-out", "cert.pem"],
        )?;
        stage.forget()?;
        Ok(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tool(&self, program: &Path, words: &[&str], more: &[&str]) -> io::Result<()> {
        let done = Command::new(program).args(words).args(more).current_dir(self.folder.path()).output()?;
        if done.status.success() {
            Ok(())
        } else {
            Err(Error::other(String::from_utf8_lossy(&done.stderr).into_owned()))
        }
    }

    /// The device knows nothing, and slot b holds nothing.
    fn forget(&self) -> io::Result<()> {
        let mut variables = Variables::default();
        variables.set("gg_ok", "a");
        let block = grubenv::encode(&variables).map_err(Error::other)?;
        let mut file = fs::File::create(self.path("grubenv"))?;
        file.write_all(&block)?;
        file.sync_all()?;
        let _ = fs::remove_dir_all(self.path("data"));
        fs::File::create(self.path("b"))?.set_len(IMAGE as u64)
    }

    fn bundle(&self, image: &[u8]) -> io::Result<Arc<Vec<u8>>> {
        let _ = fs::remove_dir_all(self.path("in"));
        fs::create_dir(self.path("in"))?;
        let manifest =
            "[update]\ncompatible=board\n[image.rootfs]\nfilename=root.squashfs\nadaptive=block-hash-index\n";
        fs::write(self.path("in/manifest.raucm"), manifest)?;
        fs::write(self.path("in/root.squashfs"), image)?;
        let words = ["ota", "bundle", "create", "--key", "key.pem", "--cert", "cert.pem", "in", "made.raucb"];
        self.tool(&self.binary, &words, &[])?;
        let bytes = fs::read(self.path("made.raucb"))?;
        fs::remove_dir_all(self.path("in"))?;
        Ok(Arc::new(bytes))
    }

    fn start(&self, server: &Server) -> io::Result<Child> {
        let mut command = Command::new(&self.binary);
        command
            .args(["ota", "install", "--no-arm", "-o", "json", "--conf"])
            .arg(self.path("ota.conf"))
            .arg(&server.url);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()
    }

    /// Returns how many requests it took, and what percentage of the bundle came.
    fn install(&self, bundle: &Arc<Vec<u8>>, slot: &str, image: &[u8]) -> io::Result<(usize, f64)> {
        let server = Server::begin(Arc::clone(bundle), |_, _| Turn::Good);
        let status = self.start(&server)?.wait()?;
        if !status.success() || fs::read(self.path(slot))? != image {
            return Err(Error::other(format!("the bundle was not installed: {status}")));
        }
        Ok((server.asked().len(), server.sent() as f64 * 100.0 / bundle.len() as f64))
    }

    /// Installs until so much of the bundle has come, and kills it.
    fn cut(&self, bundle: &Arc<Vec<u8>>, at: u64) -> io::Result<()> {
        let is_dead = AtomicBool::new(false);
        let script = move |_: usize, asked: &Asked| match asked.range {
            _ if is_dead.load(Ordering::SeqCst) => Turn::Silence,
            (start, end) if start < at && end > at => {
                is_dead.store(true, Ordering::SeqCst);
                Turn::Cut(at - start)
            }
            _ => Turn::Good,
        };
        let server = Server::begin(Arc::clone(bundle), script);
        let mut child = self.start(&server)?;
        // The first question that stays without an answer comes when the last piece has been written.
        let until = Instant::now() + PATIENCE;
        let is_asked =
            |server: &Server| server.asked().windows(2).any(|pair| pair[0].range.0 < at && pair[1].range.0 == at);
        while !is_asked(&server) && child.try_wait()?.is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        child.kill()?;
        child.wait()?;
        if is_asked(&server) { Ok(()) } else { Err(Error::other("the server was not asked again")) }
    }
}
