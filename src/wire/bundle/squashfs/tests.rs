//! What is written is read again, and what lies is refused.

use std::process::Command;

use super::compression::Unpacker;
use super::*;

fn one_file() -> Plan {
    let file = File { name: "image".into(), mode: 0o644, size: 5_000, start: 96, blocks: vec![stored(5_000)] };
    plan(vec![file], 131_072, 0, 96 + 5_000)
}

#[test]
fn tables_are_read_as_they_were_written() {
    let plan = one_file();
    let size = 96 + 5_000 + plan.tables.len() as u64;
    let superblock = Superblock::decode(&plan.superblock, size).unwrap();
    assert_eq!((superblock.bytes_used, superblock.block_size), (size, 131_072));
    let table = |offset: u64| {
        let at = usize::try_from(offset - 96 - 5_000).unwrap();
        let header = MetadataHeader::decode(plan.tables[at..at + 2].try_into().unwrap()).unwrap();
        assert!(!header.is_packed);
        &plan.tables[at + 2..][..usize::from(header.stored)]
    };
    let inodes = table(superblock.inode_table);
    let (root, _) = Inode::decode(&inodes[usize::from(superblock.root.offset)..]).unwrap();
    let Inode::Directory { listing, size } = root else { panic!("{root:?}") };
    let listing = &table(superblock.directory_table)[usize::from(listing.offset)..][..size as usize];
    let entries = directory(listing).unwrap();
    assert_eq!(entries[0].name, b"image");
    let (inode, used) = Inode::decode(&inodes[usize::from(entries[0].inode.offset)..]).unwrap();
    let Inode::File(file) = inode else { panic!("{inode:?}") };
    assert_eq!((file.start, file.size, file.fragment, file.blocks(131_072)), (96, 5_000, None, 1));
    let block = u32::from_le_bytes(inodes[used..used + 4].try_into().unwrap());
    assert_eq!(BlockSize::decode(block, 131_072), Ok(BlockSize { stored: 5_000, is_packed: false }));
}

#[test]
fn superblock_that_lies_is_refused() {
    let good = one_file().superblock;
    let size = 10_000;
    Superblock::decode(&good, size).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good;
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        Superblock::decode(&changed, size)
    };
    // Offset of the field, and what to put there.
    let cases: [(usize, &[u8]); 13] = [
        (0, b"hsqz"),
        (12, &0_u32.to_le_bytes()),
        (12, &65_536_u32.to_le_bytes()),
        (12, &(2_u32 << 20).to_le_bytes()),
        (20, &2_u16.to_le_bytes()),
        (20, &7_u16.to_le_bytes()),
        (22, &31_u16.to_le_bytes()),
        (22, &65_535_u16.to_le_bytes()),
        (28, &3_u16.to_le_bytes()),
        (32, &8_192_u64.to_le_bytes()),
        (40, &u64::MAX.to_le_bytes()),
        (64, &u64::MAX.to_le_bytes()),
        (72, &0_u64.to_le_bytes()),
    ];
    for (at, bytes) in cases {
        assert!(with(at, bytes).is_err(), "{at}: {bytes:x?}");
    }
    assert!(Superblock::decode(&good, 5_000).is_err(), "cut off");
}

#[test]
fn small_parts_that_lie_are_refused() {
    assert!(MetadataHeader::decode([0, 0x80]).is_err());
    assert!(MetadataHeader::decode([1, 0x20]).is_err(), "more than 8192 bytes");
    assert!(BlockSize::decode(131_073, 131_072).is_err());
    assert!(BlockSize::decode(u32::MAX, 131_072).is_err());
    assert!(Inode::decode(&[0; 56]).is_err());
    assert!(Inode::decode(&[9, 0, 0]).is_err());
    assert!(directory(&[0xff; 40]).is_err());
    assert!(directory(&[0; 12]).is_err());
    assert!(Fragment::decode(&[0xff; 16], 131_072).is_err());
}

/// Bytes that pack well and badly in turns.
fn sample(size: usize) -> Vec<u8> {
    let mut seed = 1_u32;
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [a, b, c, d] = seed.to_be_bytes();
        match a % 4 {
            0 => bytes.extend_from_slice(&[b; 40]),
            1 => bytes.extend_from_slice(b"what is said often "),
            2 => bytes.extend_from_slice(&[b, c, d]),
            _ => {
                let from = bytes.len().saturating_sub(usize::from(b) * 40 + 1);
                bytes.extend_from_within(from..(from + 30).min(bytes.len()));
            }
        }
    }
    bytes.truncate(size);
    bytes
}

/// Packs with a program that is not ours.
fn pack(with: &str, options: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let folder = std::env::temp_dir().join(format!(
        "gg-wire-{with}-{}-{}-{}",
        std::process::id(),
        bytes.len(),
        options.join("")
    ));
    std::fs::write(&folder, bytes).unwrap();
    let made = Command::new(with).args(options).arg("-c").arg(&folder).output();
    std::fs::remove_file(&folder).unwrap();
    match made {
        Ok(made) if made.status.success() => Some(made.stdout),
        other => {
            eprintln!("skipped: {with} does not run here: {other:?}");
            None
        }
    }
}

#[test]
fn packed_blocks_are_unpacked() {
    for size in [0, 1, 100, 4_096, 131_072, 1 << 20] {
        let bytes = sample(size);
        let cases = [
            ("xz", vec!["--check=crc32", "-6"], Compression::Xz),
            ("xz", vec!["--check=none", "-0"], Compression::Xz),
            ("xz", vec!["--check=crc64", "--lzma2=lc=0,lp=4,pb=4,dict=64KiB"], Compression::Xz),
            ("xz", vec!["--check=crc32", "--lzma2=lc=4,lp=0,pb=0"], Compression::Xz),
            ("zstd", vec!["-q", "-19"], Compression::Zstd),
            ("zstd", vec!["-q", "-1", "--no-check"], Compression::Zstd),
        ];
        for (with, options, compression) in cases {
            // An empty block is none.
            let Some(packed) = pack(with, &options, &bytes).filter(|_| size > 0) else { continue };
            let mut unpacker = Unpacker::new(compression);
            let mut room = vec![0; size];
            for _ in 0..2 {
                assert_eq!(unpacker.unpack(&packed, &mut room), Ok(size), "{with} {options:?} {size}");
                assert!(room == bytes, "{with} {options:?} {size}");
            }
            assert!(unpacker.unpack(&packed, &mut room[..size - 1]).is_err(), "{with} {size}: no room");
            assert!(unpacker.unpack(&packed[..packed.len() / 2], &mut room).is_err(), "{with} {size}: cut");
        }
    }
}

#[test]
fn bomb_has_no_more_room_than_a_block() {
    let zeros = vec![0; 8 << 20];
    for (with, options, compression) in
        [("xz", ["-6", "--check=crc32"], Compression::Xz), ("zstd", ["-q", "-19"], Compression::Zstd)]
    {
        let Some(packed) = pack(with, &options, &zeros) else { continue };
        let mut room = vec![0; 131_072];
        assert!(Unpacker::new(compression).unpack(&packed, &mut room).is_err(), "{with}");
    }
}

#[test]
fn damaged_blocks_do_no_harm() {
    let bytes = sample(20_000);
    for (with, options, compression) in
        [("xz", ["-6", "--check=none"], Compression::Xz), ("zstd", ["-q", "-19"], Compression::Zstd)]
    {
        let Some(packed) = pack(with, &options, &bytes) else { continue };
        let mut unpacker = Unpacker::new(compression);
        let mut room = vec![0; 20_000];
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 1 << (at % 8);
            let _ = unpacker.unpack(&changed, &mut room);
        }
        assert_eq!(unpacker.unpack(&packed, &mut room), Ok(20_000), "{with}: the next block is not harmed");
    }
}
