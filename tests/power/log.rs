//! The log that QEMU's `blklogwrites` keeps of a disk, in the format of Linux's dm-log-writes: each write and flush, in
//! order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// One of the log.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Where on the disk, in bytes, and what.
    Write(u64, Vec<u8>),
    Flush,
}

/// `"sfwjgs"` as the kernel spells it.
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;
const MARK: u64 = 8;

/// Everything up to the last flush: what came later is in no state that anybody was told of.
pub fn read(path: &Path) -> io::Result<Vec<Operation>> {
    let file = File::open(path)?;
    let mut head = [0; 28];
    file.read_exact_at(&mut head, 0)?;
    if u64_at(&head, 0) != MAGIC || u64_at(&head, 8) != 1 {
        return Err(io::Error::other("this is no log of writes"));
    }
    let sector = u64::from(u32::from_le_bytes([head[24], head[25], head[26], head[27]]));
    let mut operations = Vec::new();
    let mut at = sector;
    for _ in 0..u64_at(&head, 16) {
        let mut entry = [0; 32];
        file.read_exact_at(&mut entry, at)?;
        at += sector;
        let [place, count, flags] = [0, 8, 16].map(|offset| u64_at(&entry, offset));
        if flags & (DISCARD | MARK) == 0 && count > 0 {
            let mut bytes = vec![0; usize::try_from(count * sector).map_err(io::Error::other)?];
            file.read_exact_at(&mut bytes, at)?;
            at += count * sector;
            operations.push(Operation::Write(place * sector, bytes));
        }
        if flags & (FLUSH | FUA) != 0 {
            operations.push(Operation::Flush);
        }
    }
    Ok(operations)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
