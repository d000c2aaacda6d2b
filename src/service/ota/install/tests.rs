//! An image arrives whole, or not at all.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::service::ota::bundle::create::{Packing, create};
use crate::service::ota::trust::Trust;
use crate::service::ota::trust::mint::{Draft, Identity, KeyKind, NOW};
use crate::store::slot_device::Target;

/// A slot in memory that fails when it is told to.
struct Scripted {
    bytes: Mutex<Vec<u8>>,
    capacity: u64,
    calls: AtomicUsize,
    fail_at: usize,
    /// Bit of the slot that is never what was written.
    bad_bit: Option<u64>,
    /// Writes, in order.
    writes: Mutex<Vec<(u64, usize)>>,
}

impl Scripted {
    fn new(capacity: usize, fail_at: usize) -> Self {
        let bytes = Mutex::new(vec![0xee; capacity]);
        Self {
            bytes,
            capacity: capacity as u64,
            calls: AtomicUsize::new(0),
            fail_at,
            bad_bit: None,
            writes: Mutex::default(),
        }
    }

    fn call(&self) -> io::Result<()> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        if number == self.fail_at { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl SlotDevice for Scripted {
    fn capacity(&self) -> Option<u64> {
        Some(self.capacity)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.call()?;
        assert!(at.is_multiple_of(512) && bytes.len().is_multiple_of(512) && bytes.as_ptr().align_offset(4096) == 0);
        self.writes.lock().unwrap().push((at, bytes.len()));
        let at = at as usize;
        self.bytes.lock().unwrap()[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.call()?;
        let at = at as usize;
        into.copy_from_slice(&self.bytes.lock().unwrap()[at..at + into.len()]);
        if let Some(bad) = self.bad_bit.and_then(|bit| into.get_mut(((bit / 8) as usize).checked_sub(at)?)) {
            *bad ^= 1 << (self.bad_bit.unwrap_or(0) % 8);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.call()
    }
}

struct Made {
    bytes: Vec<u8>,
    bundle: Bundle,
    image: Vec<u8>,
}

fn made(size: usize) -> Made {
    let image: Vec<u8> = (0..size as u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let folder = tempfile::tempdir().unwrap();
    let manifest = "[update]\ncompatible=board\n[image.rootfs]\nfilename=image.img\n";
    std::fs::write(folder.path().join("manifest.raucm"), manifest).unwrap();
    std::fs::write(folder.path().join("image.img"), &image).unwrap();
    let root = Identity::root("root");
    let signer = root.issue(&Draft::signer("signer"), KeyKind::P256);
    let target = folder.path().join("bundle");
    create(folder.path(), &target, Packing::None, &[signer.signatory(&[])], NOW).unwrap();
    let bytes = std::fs::read(target).unwrap();
    let trust = Trust { roots: vec![root.certificate], ..Trust::default() };
    let bundle = Bundle::open(&bytes, &trust, &[], NOW).unwrap();
    Made { bytes, bundle, image }
}

fn run(made: &Made, slot: &dyn SlotDevice) -> Result<u64, InstallError> {
    install(
        &made.bundle,
        &made.bytes,
        &made.bundle.manifest.images[0],
        slot,
        Existing::Overwrite,
        &Seeds::default(),
        &|_| {},
    )
}

#[test]
fn slot_holds_the_image_and_the_first_piece_came_last() {
    for size in [1, 4_096, MAX_CHUNK - 1, MAX_CHUNK, MAX_CHUNK + 1, 3 * MAX_CHUNK + 5_000] {
        let made = made(size);
        let slot = Scripted::new(size.next_multiple_of(512), usize::MAX);
        assert_eq!(run(&made, &slot).unwrap(), size as u64);
        assert!(slot.bytes.lock().unwrap()[..size] == made.image, "{size}");
        let writes = slot.writes.lock().unwrap();
        assert_eq!((writes[0].0, writes[writes.len() - 1].0), (0, 0), "{size}");
        assert_eq!(writes.iter().filter(|(at, _)| *at == 0).count(), 2, "{size}");
    }
}

#[test]
fn slot_with_a_pace_pays_for_what_is_written_and_read_back() {
    let size = 3 * MAX_CHUNK + 5_000;
    let made = made(size);
    let slot = Scripted::new(size.next_multiple_of(512), usize::MAX);
    let paid = AtomicU64::new(0);
    let pay = |bytes| {
        paid.fetch_add(bytes, Ordering::SeqCst);
    };
    run(&made, &Paced::new(&slot, &pay)).unwrap();
    let whole = size.next_multiple_of(512) as u64;
    // All of it twice, and the first piece once more, which is wiped before.
    assert_eq!(paid.into_inner(), 2 * whole + MAX_CHUNK as u64);
}

#[test]
fn failure_at_any_call_leaves_no_superblock() {
    let made = made(3 * MAX_CHUNK);
    let slot = Scripted::new(3 * MAX_CHUNK, usize::MAX);
    run(&made, &slot).unwrap();
    let calls = slot.calls.load(Ordering::SeqCst);
    for fail_at in 0..calls {
        let slot = Scripted::new(3 * MAX_CHUNK, fail_at);
        run(&made, &slot).unwrap_err();
        let bytes = slot.bytes.lock().unwrap();
        // Before anything is wiped the slot is as it was.
        let is_untouched = fail_at == 0 && bytes.iter().all(|byte| matches!(byte, 0xee | 0));
        assert!(is_untouched || bytes[..MAX_CHUNK].iter().all(|byte| *byte == 0), "call {fail_at}");
    }
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let made = made(2 * MAX_CHUNK);
    let slot = Scripted::new(2 * MAX_CHUNK - 512, usize::MAX);
    assert!(matches!(run(&made, &slot), Err(InstallError::TooSmall { .. })));
    assert_eq!(slot.calls.load(Ordering::SeqCst), 0);
    let slot = Scripted::new(4 * MAX_CHUNK, usize::MAX);
    for change in [
        |image: &mut Image| image.size += 1,
        |image: &mut Image| image.sha256 = None,
        |image: &mut Image| image.filename = None,
        |image: &mut Image| image.kind = Kind::Other,
    ] {
        let mut image = made.bundle.manifest.images[0].clone();
        change(&mut image);
        install(&made.bundle, &made.bytes, &image, &slot, Existing::Overwrite, &Seeds::default(), &|_| {}).unwrap_err();
    }
    assert_eq!(slot.calls.load(Ordering::SeqCst), 0);
}

#[test]
fn image_with_another_digest_is_wiped_again() {
    let made = made(MAX_CHUNK + 1);
    let slot = Scripted::new(2 * MAX_CHUNK, usize::MAX);
    let image = Image { sha256: Some([0; 32]), ..made.bundle.manifest.images[0].clone() };
    let found = install(&made.bundle, &made.bytes, &image, &slot, Existing::Overwrite, &Seeds::default(), &|_| {});
    assert!(matches!(found, Err(InstallError::Digest)));
    assert!(slot.bytes.lock().unwrap()[..MAX_CHUNK].iter().all(|byte| *byte == 0));
}

#[test]
fn slot_that_returns_something_else_is_wiped_again() {
    let made = made(3 * MAX_CHUNK + 5_000);
    let size = made.image.len() as u64;
    for existing in [Existing::Overwrite, Existing::Compare] {
        for bit in [0, 8 * MAX_CHUNK as u64 - 1, 8 * MAX_CHUNK as u64, 8 * 2_500_000 + 3, 8 * size - 1] {
            let slot = Scripted { bad_bit: Some(bit), ..Scripted::new(4 * MAX_CHUNK, usize::MAX) };
            let (image, seeds) = (&made.bundle.manifest.images[0], Seeds::default());
            let found = install(&made.bundle, &made.bytes, image, &slot, existing, &seeds, &|_| {});
            assert!(matches!(found, Err(InstallError::Digest)), "{existing:?} {bit}");
            assert!(slot.bytes.lock().unwrap()[..MAX_CHUNK].iter().all(|byte| *byte == 0));
        }
        // Behind the image.
        let slot =
            Scripted { bad_bit: Some(8 * size.next_multiple_of(4096)), ..Scripted::new(4 * MAX_CHUNK, usize::MAX) };
        let (image, seeds) = (&made.bundle.manifest.images[0], Seeds::default());
        install(&made.bundle, &made.bytes, image, &slot, existing, &seeds, &|_| {}).unwrap();
    }
}

#[test]
fn tampered_block_stops_the_installation() {
    let mut made = made(4 * MAX_CHUNK);
    made.bytes[2 * MAX_CHUNK] ^= 1;
    let slot = Scripted::new(4 * MAX_CHUNK, usize::MAX);
    assert!(matches!(run(&made, &slot), Err(InstallError::Bundle(BundleError::Tampered { .. }))));
    assert!(slot.bytes.lock().unwrap()[..MAX_CHUNK].iter().all(|byte| *byte == 0));
}

#[test]
fn file_can_be_a_slot() {
    let made = made(MAX_CHUNK + 5_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slot");
    assert!(Target::open(&path).is_err(), "nothing new is made");
    std::fs::write(&path, b"").unwrap();
    run(&made, &Target::open(&path).unwrap()).unwrap();
    assert!(std::fs::read(&path).unwrap()[..made.image.len()] == made.image);
    assert!(Target::open(folder.path()).is_err());
}
