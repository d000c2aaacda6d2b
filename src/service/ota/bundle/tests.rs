//! Rows X5 and X15 of the fault matrix: bundles that lie, and bundles of others.

use std::path::Path;
use std::process::Command;

use ring::rand::{SecureRandom, SystemRandom};

use super::create::{Packing, create};
use super::*;
use crate::service::ota::trust::mint::{Draft, Identity, KeyKind, NOW};
use crate::wire::bundle::manifest::FileName;

/// A directory with an image, as `rauc bundle` takes it.
fn input(image: &[u8], more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[update]\ncompatible=board\nversion=1\n\n[bundle]\nformat=verity\n\n{more}[image.rootfs]\nfilename=image.ext4\n"
    );
    std::fs::write(folder.path().join("manifest.raucm"), manifest).unwrap();
    std::fs::write(folder.path().join("image.ext4"), image).unwrap();
    folder
}

/// Bytes that pack well and badly in turns, with holes.
fn sample(size: usize) -> Vec<u8> {
    let mut seed = 7_u64;
    let mut bytes = vec![0; size];
    for (number, block) in bytes.chunks_mut(4096).enumerate() {
        for word in block.chunks_mut(8) {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match number % 96 {
                0..48 => word.copy_from_slice(&(seed >> 8).to_le_bytes()[..word.len()]),
                48..60 => word.fill(b'a' + (number % 7) as u8),
                _ => {}
            }
        }
    }
    bytes
}

struct Signed {
    trust: Trust,
    signer: Identity,
}

fn signed() -> Signed {
    let root = Identity::root("root");
    let signer = root.issue(&Draft::signer("signer"), KeyKind::P256);
    Signed { trust: Trust { roots: vec![root.certificate], ..Trust::default() }, signer }
}

fn make(by: &Signed, folder: &Path) -> Vec<u8> {
    pack(by, folder, Packing::Auto)
}

fn pack(by: &Signed, folder: &Path, packing: Packing) -> Vec<u8> {
    let target = folder.join("made.raucb");
    create(folder, &target, packing, &[by.signer.signatory(&[])], NOW).unwrap();
    std::fs::read(target).unwrap()
}

/// All of an image, through every check.
fn read_all(source: &dyn Source, trust: &Trust, name: &str) -> Result<Vec<u8>, BundleError> {
    let bundle = Bundle::open(source, trust, &[], NOW)?;
    let mut reader = bundle.reader(source);
    let contents = Contents::open(&mut reader)?;
    let mut unpacker = contents.unpacker();
    let mut chunks = contents.file(&mut reader, &FileName::parse(name).unwrap())?;
    let mut all = Vec::new();
    let mut room = vec![0; MAX_CHUNK];
    while let Some(chunk) = chunks.next(&mut reader)? {
        assert_eq!(chunk.at, all.len() as u64);
        chunk.unpack(&mut reader, &mut unpacker, &mut room)?;
        all.extend_from_slice(&room[..chunk.length]);
    }
    assert_eq!(all.len() as u64, chunks.size());
    Ok(all)
}

#[test]
fn image_is_read_as_it_was_put_in() {
    let by = signed();
    for size in [1, 4_095, 4_096, 131_072, 131_073, 3_000_000] {
        let image = sample(size);
        let folder = input(&image, "");
        for packing in [Packing::Auto, Packing::Gzip, Packing::None] {
            let bundle = pack(&by, folder.path(), packing);
            assert!(read_all(&bundle, &by.trust, "image.ext4").unwrap() == image, "{size} {packing:?}");
        }
    }
}

#[test]
fn image_is_packed_unless_it_is_packed_itself() {
    let by = signed();
    // Without the signature, whose length differs from time to time.
    let made = |image: &[u8], packing| {
        let bundle = pack(&by, input(image, "").path(), packing);
        Bundle::open(&bundle, &by.trust, &[], NOW).unwrap().data_size()
    };
    let image = b"the same again and ".repeat(50_000);
    let stored = made(&image, Packing::None);
    assert!(made(&image, Packing::Auto) < stored / 20);
    let mut squashfs = image;
    squashfs[..4].copy_from_slice(b"hsqs");
    assert_eq!(made(&squashfs, Packing::Auto), stored);
    assert!(made(&squashfs, Packing::Gzip) < stored / 20);
    // What gets larger by packing stays as it is.
    let mut noise = vec![0; 200_000];
    SystemRandom::new().fill(&mut noise).unwrap();
    assert_eq!(made(&noise, Packing::Gzip), made(&noise, Packing::None));
}

#[test]
fn index_is_for_whole_blocks_alone() {
    let by = signed();
    let made = |size: usize| {
        let folder = input(&sample(8192), "[image.extra]\nfilename=extra.img\nadaptive=block-hash-index\n\n");
        std::fs::write(folder.path().join("extra.img"), sample(size)).unwrap();
        let target = folder.path().join("made.raucb");
        let made = create(folder.path(), &target, Packing::Auto, &[by.signer.signatory(&[])], NOW);
        assert_eq!(made.is_ok(), target.exists());
        made
    };
    assert!(made(8192).is_ok());
    let refused = made(8193).unwrap_err().to_string();
    assert!(refused.contains("extra.img has 8193 bytes"), "{refused}");
}

#[test]
fn our_bundle_is_read_by_unsquashfs_and_rauc() {
    if Command::new("unsquashfs").arg("-version").output().is_err() {
        eprintln!("skipped: there is no unsquashfs(1)");
        return;
    }
    let by = signed();
    let image = sample(2_000_000);
    let folder = input(&image, "[hooks]\nfilename=hook\nhooks=install-check;\n\n");
    std::fs::write(folder.path().join("hook"), "#!/bin/sh\n").unwrap();
    let bundle = folder.path().join("made.raucb");
    let out = folder.path().join("out");
    make(&by, folder.path());
    let made = Command::new("unsquashfs").arg("-d").arg(&out).arg(&bundle).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(std::fs::read(out.join("image.ext4")).unwrap() == image);
    assert_eq!(std::fs::read(out.join("hook")).unwrap(), b"#!/bin/sh\n");

    let keyring = folder.path().join("root.pem");
    std::fs::write(&keyring, crate::wire::bundle::pem::encode("CERTIFICATE", &by.trust.roots[0])).unwrap();
    let Ok(info) = Command::new("rauc").arg("--keyring").arg(&keyring).arg("info").arg(&bundle).output() else {
        eprintln!("skipped: there is no rauc(1)");
        return;
    };
    let text = String::from_utf8_lossy(&info.stdout);
    assert!(info.status.success(), "{text}{}", String::from_utf8_lossy(&info.stderr));
    assert!(text.contains("'board'") && text.contains("install-check"), "{text}");
}

#[test]
fn bundle_of_rauc_is_read() {
    let root = Identity::self_signed(&Draft::authority("root"), KeyKind::Rsa(2048));
    let signer = root.issue(&Draft::signer("signer"), KeyKind::Rsa(2048));
    let trust = Trust { roots: vec![root.certificate], ..Trust::default() };
    let rows = [
        ("", "-comp gzip"),
        ("", "-comp xz"),
        ("", "-comp zstd"),
        ("", "-comp gzip -b 64k"),
        ("", "-comp zstd -b 1M"),
        ("", "-comp xz -Xdict-size 100%"),
        ("", "-noI -noD -noF -noX"),
        ("", "-no-fragments"),
        ("", "-always-use-fragments -b 256k"),
        ("[hooks]\nfilename=hook\nhooks=install-check;\n\n", ""),
        ("[image.extra]\nfilename=extra.img\nadaptive=block-hash-index\n\n", ""),
    ];
    for (more, options) in rows {
        let image = sample(5_000_123);
        let folder = input(&image, more);
        let path = |name: &str| folder.path().join(name);
        let pem = crate::wire::bundle::pem::encode;
        let keys = tempfile::tempdir().unwrap();
        let (key, certificate) = (keys.path().join("key"), keys.path().join("certificate"));
        std::fs::write(&key, pem("PRIVATE KEY", &signer.key.pkcs8)).unwrap();
        std::fs::write(&certificate, pem("CERTIFICATE", &signer.certificate)).unwrap();
        if more.contains("hook") {
            std::fs::write(path("hook"), "#!/bin/sh\n").unwrap();
        }
        if more.contains("extra") {
            std::fs::write(path("extra.img"), sample(102_400)).unwrap();
        }
        let target = keys.path().join("made.raucb");
        let mut command = Command::new("rauc");
        command.arg("--cert").arg(&certificate).arg("--key").arg(&key);
        if !options.is_empty() {
            command.arg(format!("--mksquashfs-args={options}"));
        }
        let Ok(made) = command.arg("bundle").arg(folder.path()).arg(&target).output() else {
            eprintln!("skipped: there is no rauc(1)");
            return;
        };
        assert!(made.status.success(), "{options}: {}", String::from_utf8_lossy(&made.stderr));
        let source = FileSource::open(&target).unwrap();
        // What rauc signs, it signs now.
        let now = i64::try_from(crate::base::clock::Timestamp::now().0 / 1000).unwrap();
        let bundle = Bundle::open(&source, &trust, &[], NOW.max(now)).unwrap();
        assert_eq!(bundle.manifest.hook.is_some(), more.contains("hook"));
        assert!(read_all(&source, &trust, "image.ext4").unwrap() == image, "{options}");
        assert!(matches!(read_all(&source, &trust, "nothing"), Err(BundleError::NoFile { .. })));
    }
}

#[test]
fn flipped_bits_are_noticed_wherever_they_are() {
    let by = signed();
    let image = sample(700_000);
    let folder = input(&image, "");
    let good = make(&by, folder.path());
    let bundle = Bundle::open(&good, &by.trust, &[], NOW).unwrap();
    let data = usize::try_from(bundle.data_size()).unwrap();
    let tree_end =
        good.len() - 8 - usize::try_from(u64::from_be_bytes(good[good.len() - 8..].try_into().unwrap())).unwrap();
    let regions = [
        ("superblock", 0..96),
        ("blocks", 96..data - 4096),
        ("tables", data - 4096..data),
        ("tree", data..tree_end),
        ("signature", tree_end..good.len() - 8),
        ("trailer", good.len() - 8..good.len()),
    ];
    let mut seed = 1_u64;
    for (name, region) in regions {
        for _ in 0..200 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            let at = region.start + usize::try_from(seed >> 33).unwrap() % region.len();
            let bit = 1 << (seed >> 20 & 7);
            let mut changed = good.clone();
            changed[at] ^= bit;
            match read_all(&changed, &by.trust, "image.ext4") {
                Err(_) => {}
                // Zeros behind the last hash of a block of the tree are part of the block; no byte is without a hash.
                Ok(_) => panic!("{name}: byte {at}, bit {bit:#x} was not noticed"),
            }
        }
    }
}

#[test]
fn truncated_bundles_are_refused() {
    let by = signed();
    let folder = input(&sample(50_000), "");
    let good = make(&by, folder.path());
    let bundle = Bundle::open(&good, &by.trust, &[], NOW).unwrap();
    let data = usize::try_from(bundle.data_size()).unwrap();
    let edges = [0, 1, 7, 8, 9, 96, 4096, data - 1, data, data + 4096, good.len() - 9, good.len() - 8, good.len() - 1];
    for end in edges {
        assert!(read_all(&good[..end].to_vec(), &by.trust, "image.ext4").is_err(), "cut at {end}");
        assert!(read_all(&good[end.max(1)..].to_vec(), &by.trust, "image.ext4").is_err(), "begins at {end}");
    }
    let longer = [&good[..], &[0; 8]].concat();
    assert!(read_all(&longer, &by.trust, "image.ext4").is_err());
}

#[test]
fn squashfs_that_lies_under_a_good_signature_does_no_harm() {
    // The tables are what a signer puts there; a signer may be careless, or have been fooled.
    let by = signed();
    let folder = input(&sample(300_000), "");
    let good = make(&by, folder.path());
    let bundle = Bundle::open(&good, &by.trust, &[], NOW).unwrap();
    let data = usize::try_from(bundle.data_size()).unwrap();
    let tables = bundle.data_size() - 600;
    let mut seed = 5_u64;
    for round in 0..2_000 {
        let mut changed = good[..data].to_vec();
        for _ in 0..=round % 3 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            let (low, span) = if seed & 1 == 0 { (0, 96) } else { (usize::try_from(tables).unwrap(), 600) };
            let at = low + usize::try_from(seed >> 40).unwrap() % span;
            changed[at] = match seed >> 8 & 3 {
                0 => 0xff,
                1 => 0,
                _ => (seed >> 16 & 0xff) as u8,
            };
        }
        let resigned = resign(&by, &bundle.manifest, &changed);
        let _ = read_all(&resigned, &by.trust, "image.ext4");
    }
}

/// A bundle around any data at all, well signed.
fn resign(by: &Signed, manifest: &Manifest, data: &[u8]) -> Vec<u8> {
    let mut builder = crate::wire::bundle::verity::Builder::new(vec![1; 32]);
    builder.push(data);
    let (tree, verity) = builder.finish();
    let manifest = Manifest { format: Format::Verity(verity), ..manifest.clone() };
    let signatories = [by.signer.signatory(&[])];
    let signature = crate::service::ota::trust::sign::sign(manifest.encode().as_bytes(), &signatories, NOW).unwrap();
    let size = (signature.len() as u64).to_be_bytes();
    [data, &tree, &signature, &size].concat()
}

#[test]
fn any_data_under_a_good_signature_do_no_harm() {
    let by = signed();
    let folder = input(&sample(10), "");
    let made = make(&by, folder.path());
    let manifest = Bundle::open(&made, &by.trust, &[], NOW).unwrap().manifest;
    let data = sample(64 << 10);
    assert!(matches!(
        read_all(&resign(&by, &manifest, &data), &by.trust, "image.ext4"),
        Err(BundleError::Squashfs(SquashfsError::Magic))
    ));
    let resigned = resign(&by, &manifest, &data);
    let other = Signed { trust: by.trust.clone(), signer: Identity::root("stranger") };
    assert!(read_all(&resign(&other, &manifest, &data), &by.trust, "image.ext4").is_err());
    let bundle = Bundle::open(&resigned, &by.trust, &[], NOW).unwrap();
    let mut reader = bundle.reader(&resigned);
    for (at, length) in [(data.len() as u64, 1), (u64::MAX, 1), (u64::MAX - 1, 4), (0, data.len() + 1)] {
        assert!(matches!(reader.view(at, length), Err(BundleError::Outside { .. })), "{at} {length}");
    }
    assert_eq!(reader.view(4_000, 9_000).unwrap(), &data[4_000..13_000]);
}

#[test]
fn inode_and_superblock_that_lie_are_refused() {
    let by = signed();
    let folder = tempfile::tempdir().unwrap();
    // One with a block that unpacks to much more than it takes, two that share a fragment.
    for (name, bytes) in [("large.img", vec![b'a'; 131_072]), ("image.ext4", sample(1_000)), ("other.img", sample(900))]
    {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let packed = folder.path().with_extension("squashfs");
    let mut command = Command::new("mksquashfs");
    command.arg(folder.path()).arg(&packed).args([
        "-noI",
        "-no-progress",
        "-quiet",
        "-all-root",
        "-always-use-fragments",
    ]);
    if command.output().is_err() {
        eprintln!("skipped: there is no mksquashfs(1)");
        return;
    }
    let good = std::fs::read(&packed).unwrap();
    std::fs::remove_file(&packed).unwrap();
    let input = input(&sample(10), "");
    let manifest = Bundle::open(&make(&by, input.path()), &by.trust, &[], NOW).unwrap().manifest;
    let read = |changed: &[u8], name: &str| read_all(&resign(&by, &manifest, changed), &by.trust, name);
    let change = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    // The inode of a file: kind 2 at 0, place of its fragment at 20, offset in it at 24, its size at 28.
    let number = |at: usize| u32::from_le_bytes(good[at..at + 4].try_into().unwrap());
    let tables = usize::try_from(number(64)).unwrap();
    let inode = |size: u32| {
        (tables..good.len() - 32).find(|at| good[*at..at + 2] == [2, 0] && number(at + 28) == size).unwrap()
    };
    let (image, other) = (inode(1_000), inode(900));
    assert_eq!(read(&good, "image.ext4").unwrap(), sample(1_000));
    // Two files may have the same bytes of a fragment: each is what its own inode says, and the manifest has its hash.
    let overlapping = change(other + 24, &good[image + 24..image + 28]);
    assert_eq!(read(&overlapping, "other.img").unwrap(), sample(1_000)[..900]);
    assert_eq!(read(&overlapping, "image.ext4").unwrap(), sample(1_000));
    for (what, at, value) in [
        ("an offset behind the fragment", image + 24, 130_900_u32),
        ("an offset that overflows", image + 24, u32::MAX - 500),
        ("a fragment that is not there", image + 20, 7),
        ("a size that nothing is there for", image + 28, u32::MAX - 1),
        ("a start behind the image", inode(131_072) + 16, u32::MAX - 1),
    ] {
        let name = if at < inode(131_072) + 20 && at >= inode(131_072) { "large.img" } else { "image.ext4" };
        assert!(read(&change(at, &value.to_le_bytes()), name).is_err(), "{what}");
    }
    // A block that unpacks to more than blocks have.
    let mut bomb = change(12, &4_096_u32.to_le_bytes());
    bomb[22..24].copy_from_slice(&12_u16.to_le_bytes());
    assert!(read(&bomb, "large.img").is_err());
    // Beyond 4 GiB: the size of all, and the tables of inodes, of directories and of fragments.
    for at in [40, 64, 72, 80] {
        for value in [1_u64 << 32, (1 << 32) + 96, 1 << 63, u64::MAX, u64::MAX - 4_095] {
            let changed = change(at, &value.to_le_bytes());
            assert!(read(&changed, "image.ext4").is_err(), "the field at {at} is {value:#x}");
        }
    }
}
