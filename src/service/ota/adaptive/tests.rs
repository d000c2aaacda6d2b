//! Row X9 of the fault matrix from end to end: the slot holds the image, and what the device has is not fetched.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use super::*;
use crate::net::http::Timeouts;
use crate::service::ota::bundle::FileSource;
use crate::service::ota::bundle::create::{Packing, create};
use crate::service::ota::fetch::{Account, HttpSource, Patience, Streaming};
use crate::service::ota::install::{Existing, InstallError, install};
use crate::service::ota::trust::Trust;
use crate::service::ota::trust::mint::{Draft, Identity, KeyKind, NOW};
use crate::store::slot_device::Target;

use super::super::noise::noise;
use super::super::range_server::{Asked, Server, Turn};

const MIB: usize = 1 << 20;

/// Who signs, slots `a` and `b`, and what lasts.
struct Stage {
    folder: tempfile::TempDir,
    trust: Trust,
    signer: Identity,
    time: i64,
}

#[derive(Clone, Copy)]
enum Index {
    With(Packing),
    Without,
}

struct Done {
    result: Result<u64, InstallError>,
    account: Account,
    reused: u64,
    kept: u64,
}

impl Stage {
    /// Slot `a` runs and holds this; slot `b` holds nothing.
    fn new(running: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), running).unwrap();
        std::fs::write(folder.path().join("b"), vec![0xee; running.len()]).unwrap();
        let root = Identity::root("root");
        let signer = root.issue(&Draft::signer("signer"), KeyKind::P256);
        Self { folder, trust: Trust { roots: vec![root.certificate], ..Trust::default() }, signer, time: NOW }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn bundle(&self, image: &[u8], index: Index) -> Arc<Vec<u8>> {
        let adaptive = if matches!(index, Index::With(_)) { "adaptive=block-hash-index\n" } else { "" };
        let manifest = format!("[update]\ncompatible=board\n[image.rootfs]\nfilename=image.img\n{adaptive}");
        std::fs::create_dir_all(self.path("in")).unwrap();
        std::fs::write(self.path("in/manifest.raucm"), manifest).unwrap();
        std::fs::write(self.path("in/image.img"), image).unwrap();
        let packing = if let Index::With(packing) = index { packing } else { Packing::None };
        create(&self.path("in"), &self.path("bundle"), packing, &[self.signer.signatory(&[])], NOW).unwrap();
        Arc::new(std::fs::read(self.path("bundle")).unwrap())
    }

    fn seeds(&self) -> Seeds {
        let index = |slot| Seeds::path(&self.path("data"), slot, "rootfs");
        Seeds { index: Some(index(Slot::B)), running: Some((self.path("a"), index(Slot::A))) }
    }

    fn fetch(&self, server: &Server) -> Done {
        let timeouts = Timeouts { connect: Duration::from_secs(30), socket: Duration::from_secs(30) };
        let pause = Duration::from_millis(1);
        let patience = Patience { attempts: 3, first_pause: pause, longest_pause: pause, timeouts };
        self.install(&HttpSource::open(&server.url, &Streaming::default(), patience).unwrap())
    }

    fn install(&self, source: &dyn Source) -> Done {
        let (reused, kept) = (AtomicU64::new(0), AtomicU64::new(0));
        let report = |progress: crate::service::ota::install::Progress| {
            reused.store(progress.reused, Ordering::Relaxed);
            kept.store(progress.kept, Ordering::Relaxed);
        };
        let bundle = Bundle::open(source, &self.trust, &[], self.time).unwrap();
        let (image, slot) = (&bundle.manifest.images[0], Target::open(&self.path("b")).unwrap());
        let result = install(&bundle, source, image, &slot, Existing::Overwrite, &self.seeds(), &report);
        let account = source.account().unwrap_or_default();
        Done { result, account, reused: reused.into_inner(), kept: kept.into_inner() }
    }

    /// Installs what must go well, and looks at the slot.
    fn installs(&self, bytes: &Arc<Vec<u8>>, image: &[u8]) -> Done {
        let done = self.fetch(&Server::begin(Arc::clone(bytes), |_, _| Turn::Good));
        assert_eq!(*done.result.as_ref().unwrap(), image.len() as u64);
        assert!(std::fs::read(self.path("b")).unwrap()[..image.len()] == *image);
        done
    }
}

/// 12 places of 16 blocks each, in 24 MiB: 3 %.
fn changed(image: &[u8]) -> Vec<u8> {
    let mut other = image.to_vec();
    for number in 0..12 {
        let at = MIB + number * 1_900_000 / 4096 * 4096;
        other[at..at + 16 * 4096].copy_from_slice(&noise(16 * 4096, number as u64 + 99));
    }
    other
}

#[test]
fn full_install_takes_few_requests_and_each_byte_once() {
    let stage = Stage::new(&vec![0; 24 * MIB]);
    let image = noise(24 * MIB, 1);
    let bytes = stage.bundle(&image, Index::Without);
    let done = stage.installs(&bytes, &image);
    assert!(done.account.requests <= 6, "{:?}", done.account);
    assert!(done.account.bytes <= bytes.len() as u64 * 101 / 100, "{:?} of {}", done.account, bytes.len());
}

#[test]
fn update_fetches_what_the_device_has_not() {
    let image = noise(24 * MIB, 1);
    let stage = Stage::new(&image);
    let next = changed(&image);
    // By the index that is made of the slot that runs, and then by the one that was kept.
    for _ in 0..2 {
        let bytes = stage.bundle(&next, Index::With(Packing::None));
        let done = stage.installs(&bytes, &next);
        // What has changed, the index, the tree and the ends of the bundle.
        let most = 12 * 18 * 4096 + 2 * (24 * MIB / 128) as u64 + (300 << 10) + (24 * MIB / 128) as u64;
        assert!(done.account.requests <= 20 && done.account.bytes <= most, "{:?} {most}", done.account);
        assert_eq!(done.reused, 24 * MIB as u64 - 12 * 16 * 4096);
        let _ = std::fs::remove_file(stage.path("data/slot-b.index"));
        std::fs::write(stage.path("b"), vec![0xee; 24 * MIB]).unwrap();
    }
    // The other way round, what is in the slot already is not written again.
    let third = {
        let mut third = next.clone();
        third[5 * MIB..5 * MIB + 10].fill(7);
        third
    };
    stage.installs(&stage.bundle(&next, Index::With(Packing::None)), &next);
    let done = stage.installs(&stage.bundle(&third, Index::With(Packing::None)), &third);
    assert_eq!(done.kept, 23 * MIB as u64 - 4096);
    // The same from a file.
    let _ = stage.bundle(&next, Index::With(Packing::None));
    let done = stage.install(&FileSource::open(&stage.path("bundle")).unwrap());
    assert_eq!((done.result.unwrap(), done.kept), (24 * MIB as u64, 23 * MIB as u64 - 4096));
    assert!(std::fs::read(stage.path("b")).unwrap() == next);
}

#[test]
fn blocks_that_moved_and_zeros_are_found() {
    let image = noise(8 * MIB, 1);
    let stage = Stage::new(&image);
    let mut next = vec![0; 2 * MIB];
    next.extend_from_slice(&image[4096..5 * MIB]);
    next.extend_from_slice(&image[..MIB]);
    let bytes = stage.bundle(&next, Index::With(Packing::Gzip));
    let done = stage.installs(&bytes, &next);
    assert_eq!(done.reused, next.len() as u64);
    assert!(done.account.bytes < MIB as u64, "{:?}", done.account);
}

#[test]
fn index_that_lies_costs_bytes_and_nothing_else() {
    let image = noise(8 * MIB, 1);
    let stage = Stage::new(&image);
    let next = changed(&noise(24 * MIB, 2));
    // What is said to be in the slot is not there.
    let kept = SlotIndex::begin_part(&stage.path("data/slot-a.index"), &[1; 32], 2048).unwrap();
    for (number, block) in next.chunks(4096).take(2048).enumerate() {
        kept.write(number as u64, &[hash(block)]).unwrap();
    }
    kept.keep(&stage.path("data/slot-a.index")).unwrap();
    std::fs::write(stage.path("b"), vec![0; 24 * MIB]).unwrap();
    stage.installs(&stage.bundle(&next, Index::With(Packing::None)), &next);
    // Some of it is there, and the samples do not show it.
    let mut near = next[..8 * MIB].to_vec();
    near[3 * MIB + 8192..3 * MIB + 50_000].fill(1);
    std::fs::write(stage.path("a"), &near).unwrap();
    let kept = SlotIndex::begin_part(&stage.path("data/slot-a.index"), &[1; 32], 2048).unwrap();
    for (number, block) in next.chunks(4096).take(2048).enumerate() {
        kept.write(number as u64, &[hash(block)]).unwrap();
    }
    kept.keep(&stage.path("data/slot-a.index")).unwrap();
    std::fs::remove_file(stage.path("data/slot-b.index")).unwrap();
    let done = stage.installs(&stage.bundle(&next, Index::With(Packing::None)), &next);
    assert_eq!(done.reused, 8 * MIB as u64 - 11 * 4096);
}

#[test]
fn install_that_was_cut_goes_on_where_it_stopped() {
    let size = 16 * MIB;
    let image = noise(size, 1);
    for index in [Index::Without, Index::With(Packing::None)] {
        for part in [1, 4, 8, 15] {
            let stage = Stage::new(&vec![0; size]);
            let bytes = stage.bundle(&image, index);
            let cut = (bytes.len() * part / 16) as u64;
            // The range of the image ends there, and the server with it.
            let is_dead = AtomicBool::new(false);
            let script = move |_: usize, asked: &Asked| match asked.range {
                _ if is_dead.load(Ordering::SeqCst) => Turn::HangUp,
                (start, end) if end - start > 5 * MIB as u64 => {
                    is_dead.store(true, Ordering::SeqCst);
                    Turn::Cut(cut.saturating_sub(start))
                }
                _ => Turn::Good,
            };
            let dead = Server::begin(Arc::clone(&bytes), script);
            let first = stage.fetch(&dead);
            first.result.unwrap_err();
            let done = stage.installs(&bytes, &image);
            let twice = (first.account.bytes + done.account.bytes).saturating_sub(bytes.len() as u64);
            // A piece for each thread that had begun one, the first piece of the slot, and the ends of the bundle.
            let ends = 128 << 10 | (size / 128 * 2) as u64;
            assert!(twice < 4 * MIB as u64 + ends, "{part}: {twice} of {:?} and {:?}", first.account, done.account);
            assert!(done.account.bytes < bytes.len() as u64 - cut + 4 * MIB as u64, "{part}: {:?}", done.account);
        }
    }
}

#[test]
fn image_that_is_not_the_one_of_the_manifest_is_not_believed_again() {
    let image = noise(4 * MIB, 1);
    let stage = Stage::new(&image);
    let bytes = stage.bundle(&image, Index::With(Packing::None));
    let server = Server::begin(Arc::clone(&bytes), |_, _| Turn::Good);
    stage.installs(&bytes, &image);
    // A part that an attacker or a bad disk left: right hashes of wrong bytes.
    let bundle = Bundle::open(&*bytes, &stage.trust, &[], NOW).unwrap();
    let sha256 = bundle.manifest.images[0].sha256.unwrap();
    let path = stage.path("data/slot-b.index");
    let mut part = SlotIndex::begin_part(&path, &sha256, 1024).unwrap();
    let wrong = noise(4 * MIB, 2);
    for (number, block) in wrong.chunks(4096).enumerate() {
        part.write(number as u64, &[hash(block)]).unwrap();
    }
    part.complete().unwrap();
    std::fs::write(stage.path("b"), &wrong).unwrap();
    assert!(matches!(stage.fetch(&server).result, Err(InstallError::Digest)));
    assert!(SlotIndex::open(&path).is_none() && SlotIndex::open_part(&path, &sha256, 1024).is_none());
    stage.installs(&bytes, &image);
}

#[test]
fn bundle_of_rauc_is_adaptive_too() {
    let image = noise(24 * MIB, 1);
    let next = changed(&image);
    for (arguments, most) in [("-comp gzip", 4 * MIB), ("-comp zstd -b 64k", 4 * MIB), ("-noD -no-fragments", 3 * MIB)]
    {
        let stage = Stage::new(&image);
        let _ = stage.bundle(&next, Index::With(Packing::None));
        let key = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "20000", "-subj", "/CN=signer"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(stage.folder.path())
            .output();
        assert!(key.unwrap().status.success());
        std::fs::write(
            stage.path("in/manifest.raucm"),
            "[update]\ncompatible=board\n[bundle]\nformat=verity\n[image.rootfs]\nfilename=image.img\nadaptive=block-hash-index\n",
        )
        .unwrap();
        let made = Command::new("rauc")
            .args(["--cert=cert.pem", "--key=key.pem", &format!("--mksquashfs-args={arguments}"), "bundle", "in"])
            .arg("rauc.raucb")
            .current_dir(stage.folder.path())
            .output();
        let Ok(made) = made else {
            eprintln!("skipped: there is no rauc(1)");
            return;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let pem = std::fs::read(stage.path("cert.pem")).unwrap();
        let certificate = crate::wire::bundle::pem::decode(&pem).unwrap().remove(0).bytes;
        let time = i64::try_from(crate::base::clock::Timestamp::now().0 / 1000).unwrap();
        let stage = Stage { trust: Trust { roots: vec![certificate], ..Trust::default() }, time, ..stage };
        let bytes = Arc::new(std::fs::read(stage.path("rauc.raucb")).unwrap());
        let done = stage.installs(&bytes, &next);
        assert!(done.account.requests <= 20, "{arguments}: {:?}", done.account);
        assert!(done.account.bytes <= most as u64, "{arguments}: {:?}", done.account);
    }
}
