//! A file that is packed as one stream, unpacked while it is read: gzip, xz, zstd, or not packed at all.
//!
//! It tells by its first bytes which it is. What is kept is the window that the format looks back into, at most
//! [`MAX_WINDOW`].

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::FrameDecoder;

use super::xz_stream::Xz;

/// The largest window: that of `zstd -19` and `xz -6`. Gzip's is 32 KiB.
pub const MAX_WINDOW: u64 = 8 << 20;

/// Finds out how the file is packed, and unpacks it while it is read.
pub fn unpacked<'a>(mut from: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = [0; 6];
    from.read_exact(&mut head)?;
    let whole = io::Cursor::new(head).chain(from);
    match head {
        [0x1f, 0x8b, ..] => Ok(Box::new(MultiGzDecoder::new(whole))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Box::new(Zstd::begin(whole)?)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Ok(Box::new(Xz::begin(whole)?)),
        [b'B', b'Z', b'h', ..] => {
            Err(unknown("it is packed by bzip2, which is not read here; pack it by gzip, xz or zstd"))
        }
        [b'L', b'Z', b'I', b'P', ..] => {
            Err(unknown("it is packed by lzip, which is not read here; pack it by gzip, xz or zstd"))
        }
        [4, 0x22, 0x4d, 0x18, ..] => {
            Err(unknown("it is packed by lz4, which is not read here; pack it by gzip, xz or zstd"))
        }
        _ => Ok(Box::new(whole)),
    }
}

fn unknown(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why)
}

/// One frame of zstd. It is fed a block at a time: the decoder unpacks all that it is given, and a block is 128 KiB.
struct Zstd<R> {
    from: R,
    decoder: FrameDecoder,
    block: Vec<u8>,
    has_checksum: bool,
    is_last: bool,
}

impl<R: Read> Zstd<R> {
    fn begin(mut from: R) -> io::Result<Self> {
        // Magic number, descriptor; then window, dictionary and size, of which the descriptor tells the lengths.
        let mut head = vec![0; 5];
        from.read_exact(&mut head)?;
        let descriptor = head[4];
        let is_single = descriptor & 0x20 != 0;
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let size = [usize::from(is_single), 2, 4, 8][usize::from(descriptor >> 6)];
        head.resize(5 + usize::from(!is_single) + dictionary + size, 0);
        from.read_exact(&mut head[5..])?;
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        decoder.init(&head[..]).map_err(|_| bad("its frame cannot be read, or looks back too far"))?;
        let has_checksum = descriptor & 4 != 0;
        Ok(Self { from, decoder, block: Vec::new(), has_checksum, is_last: false })
    }

    /// Reads the next block, with what comes behind the last.
    fn load(&mut self) -> io::Result<()> {
        let mut header = [0; 3];
        self.from.read_exact(&mut header)?;
        let word = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        self.is_last = word & 1 != 0;
        // A block of one byte, many times, is one byte here.
        let mut size = if word >> 1 & 3 == 1 { 1 } else { word >> 3 };
        if size > 128 << 10 {
            return Err(bad("a block is too large"));
        }
        if self.is_last && self.has_checksum {
            size += 4;
        }
        self.block.clear();
        self.block.extend_from_slice(&header);
        self.block.resize(3 + usize::try_from(size).unwrap_or(0), 0);
        self.from.read_exact(&mut self.block[3..])
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut written = unpack(&mut self.decoder, &[], into)?;
        while written == 0 && !self.is_last && !into.is_empty() {
            self.load()?;
            written = unpack(&mut self.decoder, &self.block, into)?;
        }
        Ok(written)
    }
}

fn unpack(decoder: &mut FrameDecoder, block: &[u8], into: &mut [u8]) -> io::Result<usize> {
    let unpacked = decoder.decode_from_to(block, into);
    unpacked.map(|(_, written)| written).map_err(|_| bad("a block cannot be unpacked"))
}

fn bad(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    fn packed(program: &str, words: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
        let child = Command::new(program).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: {program} is not there (apt-get install {program})");
            return None;
        };
        let mut stdin = child.stdin.take().unwrap();
        let bytes = bytes.to_vec();
        let feeding = std::thread::spawn(move || stdin.write_all(&bytes));
        let packed = child.wait_with_output().unwrap().stdout;
        feeding.join().unwrap().unwrap();
        Some(packed)
    }

    #[test]
    fn stream_of_each_packer_is_unpacked() {
        let mut bytes = vec![0; 3 << 20];
        for (index, byte) in bytes.iter_mut().enumerate().skip(1 << 20) {
            *byte = (index.wrapping_mul(index) >> 11) as u8;
        }
        for (program, words) in [
            ("gzip", &["-c"][..]),
            ("zstd", &["-c"]),
            ("zstd", &["-c", "-19", "--no-check"]),
            ("xz", &["-c"]),
            ("xz", &["-c", "-0", "--check=crc32"]),
            ("xz", &["-c", "-0", "--check=sha256", "--block-size=300000"]),
            ("xz", &["-c", "--check=none", "--lzma2=dict=4KiB,lc=0,lp=4,pb=4"]),
        ] {
            let Some(packed) = packed(program, words, &bytes) else { continue };
            let mut found = Vec::new();
            unpacked(&packed[..]).unwrap().read_to_end(&mut found).unwrap();
            assert!(found == bytes, "{program} {words:?}");
            let cut = &packed[..packed.len() / 2];
            assert!(unpacked(cut).unwrap().read_to_end(&mut Vec::new()).is_err(), "{program} {words:?}");
        }
        if let Some(packed) = packed("xz", &["-c", "-1"], &bytes) {
            let mut found = Vec::new();
            let behind = [&packed[..], &[0; 8], &packed].concat();
            unpacked(&behind[..]).unwrap().read_to_end(&mut found).unwrap();
            assert!(found == [&bytes[..], &bytes].concat());
        }
        let mut plain = Vec::new();
        unpacked(&bytes[..]).unwrap().read_to_end(&mut plain).unwrap();
        assert!(plain == bytes);
    }

    #[test]
    fn xz_looks_back_as_far_as_its_window() {
        // What cannot be packed, again and again: each copy is from just within the window, which is moved a few times.
        let mut period = vec![0; 200_000];
        let mut state: u64 = 1;
        for byte in &mut period {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        let bytes: Vec<u8> = period.into_iter().cycle().take(14 << 20).collect();
        for words in [&["-c", "-0"][..], &["-c", "--lzma2=preset=0,dict=200000", "--check=crc32"]] {
            let Some(packed) = packed("xz", words, &bytes) else { return };
            let mut stream = unpacked(&packed[..]).unwrap();
            let mut room = vec![0; 70_001];
            let mut at = 0;
            loop {
                let length = stream.read(&mut room).unwrap();
                if length == 0 {
                    break;
                }
                assert!(room[..length] == bytes[at..at + length], "{words:?} at {at}");
                at += length;
            }
            assert_eq!(at, bytes.len(), "{words:?}");
        }
    }

    #[test]
    fn xz_that_needs_too_much_or_lies_is_refused() {
        let bytes = vec![7; 200_000];
        for (words, why) in [(&["-c", "-9"][..], "xz -6"), (&["-c", "--x86", "--lzma2"], "filter")] {
            let Some(packed) = packed("xz", words, &bytes) else { return };
            let told = unpacked(&packed[..]).err().unwrap().to_string();
            assert!(told.contains(why), "{words:?}: {told}");
        }
        let Some(packed) = packed("xz", &["-c", "--check=crc32"], &bytes) else { return };
        // Whatever byte is wrong: an error, or what was packed, and never more of it.
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x41;
            let mut found = Vec::new();
            let Ok(stream) = unpacked(&damaged[..]) else { continue };
            match stream.take(1 << 20).read_to_end(&mut found) {
                Ok(_) => assert!(found == bytes || !damaged.starts_with(b"\xfd7zXZ\0"), "{at}"),
                Err(_) => assert!(found.len() <= bytes.len(), "{at}"),
            }
        }
    }

    #[test]
    fn stream_that_is_not_read_here_is_told_by_name() {
        for (head, name) in [(&b"BZh9rest"[..], "bzip2"), (b"LZIP\x01rest", "lzip"), (b"\x04\x22\x4d\x18rest", "lz4")] {
            assert!(unpacked(head).err().unwrap().to_string().contains(name));
        }
        assert!(unpacked(&b"abc"[..]).is_err());
        // A window of 128 MiB.
        assert!(unpacked(&b"\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00"[..]).is_err());
    }
}
