//! What the fuzzer runs: any squashfs under a tree that is right. `tests/fuzz` has the harness.

use super::{Bundle, Contents, MAX_CHUNK};
use crate::wire::bundle::manifest::{FileName, Format, Manifest};
use crate::wire::bundle::trailer::Trailer;
use crate::wire::bundle::verity::{BLOCK_SIZE, Builder};

/// Reads every file of `data` as a squashfs, as far as [`LIMIT`]: no panic, no end of memory, and an end.
pub fn bundle_squashfs(data: &[u8]) {
    let mut bytes = data.to_vec();
    bytes.resize(bytes.len().next_multiple_of(BLOCK_SIZE).max(BLOCK_SIZE), 0);
    let mut builder = Builder::new(Vec::new());
    builder.push(&bytes);
    let (tree, verity) = builder.finish();
    bytes.extend_from_slice(&tree);
    let Ok(mut manifest) = Manifest::decode(b"[update]\ncompatible=a\n") else { return };
    manifest.format = Format::Verity(verity);
    let trailer = Trailer { signed_end: bytes.len() as u64, signature_size: 1 };
    let signed = manifest.encode().into_bytes();
    let Ok(bundle) = Bundle::of(bytes.len() as u64 + 9, trailer, signed, Vec::new()) else { return };
    let mut reader = bundle.reader(&bytes);
    let Ok(contents) = Contents::open(&mut reader) else { return };
    let mut unpacker = contents.unpacker();
    let mut room = vec![0; MAX_CHUNK];
    let mut left = LIMIT;
    let names: Vec<_> = contents.names().filter_map(FileName::parse).collect();
    for name in names.into_iter().take(20) {
        let Ok(mut chunks) = contents.file(&mut reader, &name) else { continue };
        let mut at = 0;
        while let Ok(Some(chunk)) = chunks.next(&mut reader) {
            assert!(chunk.at == at && chunk.length > 0 && chunk.length <= MAX_CHUNK);
            at += chunk.length as u64;
            assert!(at <= chunks.size());
            left = left.saturating_sub(1);
            if left == 0 || chunk.unpack(&mut reader, &mut unpacker, &mut room).is_err() {
                break;
            }
        }
    }
}

/// Pieces that are read: a file can say that it has 2^64 bytes of zeros.
const LIMIT: usize = 30;
