//! The formats of bundles.

use std::io::{self, Read};

use crate::bundle::certificate::{Certificate, RevocationList};
use crate::bundle::cms::SignedData;
use crate::bundle::manifest::{Format, Manifest};
use crate::bundle::pem::{self, Signify};
use crate::bundle::squashfs::compression::{Compression, Unpacker};
use crate::bundle::stream;
use crate::bundle::trailer::Trailer;
use crate::bundle::verity::{BLOCK, tree_size};

/// Eight bytes of a trailer, eight of a file's size, and a tree's size: what is accepted fits together.
pub fn bundle_trailer(data: &[u8]) {
    let Some((trailer, rest)) = data.split_first_chunk::<8>() else { return };
    let Some((size, rest)) = rest.split_first_chunk::<8>() else { return };
    let size = u64::from_le_bytes(*size);
    let Ok(found) = Trailer::decode(*trailer, size) else { return };
    assert_eq!(found.signed_end + found.signature_size + 8, size);
    assert_eq!(found.encode(), *trailer);
    let tree = rest.first_chunk::<8>().map_or(4096, |bytes| u64::from_le_bytes(*bytes));
    let verity = crate::bundle::manifest::Verity { root: [0; 32], salt: Vec::new(), tree_size: tree };
    if let Ok(data) = found.data_size(&verity) {
        assert!(data > 0 && data.is_multiple_of(BLOCK) && data + tree == found.signed_end);
        assert_eq!(tree_size(data), tree);
    }
}

/// A signature, a certificate, a revocation list and a PEM file: all the bytes of a bundle that are read before anything
/// is verified. No value is read from outside of them, and what is read has one form.
pub fn bundle_cms(data: &[u8]) {
    if let Ok(signed) = SignedData::decode(data) {
        assert!(!signed.signers.is_empty());
        let inside = |part: &[u8]| part.is_empty() || data.as_ptr_range().contains(&part.as_ptr());
        assert!(signed.content.is_none_or(inside));
        for der in &signed.certificates {
            assert!(inside(der));
            certificate(der);
        }
        // A byte behind the end is never ignored.
        assert!(SignedData::decode(&[data, &[0]].concat()).is_err());
    }
    certificate(data);
    let _ = RevocationList::decode(data);
    let _ = pem::decode(data);
    let _ = Signify::<64>::decode(data);
}

fn certificate(der: &[u8]) {
    if let Ok(found) = Certificate::decode(der) {
        assert_eq!(found.whole, der);
        assert!(found.name().len() <= 4 * 80);
    }
}

/// A manifest that was read is read again when it was written, and means the same.
pub fn bundle_manifest(data: &[u8]) {
    let _ = Manifest::draft(data);
    if let Ok(manifest) = Manifest::decode(data) {
        let text = manifest.encode();
        assert_eq!(Manifest::decode(text.as_bytes()).as_ref(), Ok(&manifest), "{text}");
        assert!(matches!(manifest.format, Format::Verity(_) | Format::Plain | Format::Crypt));
    }
}

/// A packed block, or a packed file: the first byte picks the method. A block never fills more than its room, and does the
/// same twice; a file ends, or is an error.
pub fn bundle_block(data: &[u8]) {
    let Some((method, packed)) = data.split_first() else { return };
    let method = match method % 4 {
        0 => Compression::Gzip,
        1 => Compression::Xz,
        2 => Compression::Zstd,
        _ => {
            if let Ok(stream) = stream::unpacked(packed) {
                let _ = io::copy(&mut stream.take(1 << 20), &mut io::sink());
            }
            return;
        }
    };
    let mut unpacker = Unpacker::new(method);
    let mut room = vec![0; 65_536];
    let first = unpacker.unpack(packed, &mut room).map(|length| room[..length].to_vec());
    let again = unpacker.unpack(packed, &mut room).map(|length| room[..length].to_vec());
    assert_eq!(first, again);
}
