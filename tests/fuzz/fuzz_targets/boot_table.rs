//! Whatever a partition table says under checksums that are right, it is read or refused; what is changed is read so
//! again, and no checksum changes with it.
#![no_main]

mod disk;

use greengrass::boot::state::gpt::{Bits, Table};

use disk::{Disk, crc32};

const SECTOR: usize = 512;
/// Two arrays of 64 KiB, which is the most there is, and their headers.
const SECTORS: usize = 260;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&[size, count, first, second, wanted, array, other, raw], rest)) = input.split_first_chunk() else {
        return;
    };
    let mut disk = vec![0; SECTORS * SECTOR];
    let (size, count) = (64 << (size % 5), usize::from(count));
    let length = size * count;
    for (header_at, array_at, other_at) in [(1, usize::from(array), usize::from(other)), (SECTORS - 1, 130, 1)] {
        let array_at = array_at * SECTOR;
        let Some(entries) = disk.get_mut(array_at..array_at + length) else { continue };
        entries.iter_mut().zip(rest).for_each(|(into, byte)| *into = *byte);
        for (name, index) in [("gg-a", first), ("gg-b", second)] {
            let at = usize::from(index) % count.max(1) * size + 56;
            let letters = name.bytes().chain([0]).flat_map(|letter| [letter, 0]);
            entries.iter_mut().skip(at).zip(letters).for_each(|(into, byte)| *into = byte);
        }
        let checksum = crc32(entries);
        let mut header = [0; 92];
        header[..8].copy_from_slice(b"EFI PART");
        header[12] = 92;
        header[24..32].copy_from_slice(&(header_at as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(other_at as u64).to_le_bytes());
        header[72..80].copy_from_slice(&((array_at / SECTOR) as u64).to_le_bytes());
        header[80..84].copy_from_slice(&(count as u32).to_le_bytes());
        header[84..88].copy_from_slice(&(size as u32).to_le_bytes());
        header[88..92].copy_from_slice(&checksum.to_le_bytes());
        // At times one field is anything.
        if raw < 92 {
            header[usize::from(raw)] ^= wanted;
        }
        header[16..20].fill(0);
        let checksum = crc32(&header);
        header[16..20].copy_from_slice(&checksum.to_le_bytes());
        disk[header_at * SECTOR..][..92].copy_from_slice(&header);
    }
    let disk = Disk::of(disk);
    let table = Table::new(&disk);
    let bits = |byte: u8| Bits {
        bootable: byte & 1 != 0,
        priority: byte >> 1 & 15,
        tries: byte >> 4,
        successful: byte & 8 != 0,
    };
    let wanted = [bits(wanted), bits(!wanted)];
    if table.read().is_ok() && table.change(|bits| *bits = wanted).is_ok() {
        assert_eq!(table.read().ok(), Some(wanted));
    }
});
