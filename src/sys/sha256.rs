//! SHA-256 of two messages at once, by the instructions that processors have for it (FIPS 180-4).
//!
//! Each of these instructions waits for the one before, and a processor can have several under way: two messages that
//! take turns are hashed in little more than the time of one. Where there are no such instructions, there is nothing here.

#[cfg_attr(target_arch = "x86_64", path = "sha256/x86_64.rs")]
#[cfg_attr(all(target_arch = "aarch64", target_endian = "little"), path = "sha256/aarch64.rs")]
#[cfg_attr(
    not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little"))),
    path = "sha256/none.rs"
)]
mod lanes;

/// A hash.
pub type Hash = [u8; 32];

/// Bytes that are compressed at a time.
const BLOCK: usize = 64;

/// The hashes of the prefix with each message behind it. None where this processor cannot, where the messages are not of
/// the same length or have less than a block, and where the prefix has more than one.
pub fn pair(prefix: &[u8], messages: [&[u8]; 2]) -> Option<[Hash; 2]> {
    let [first, second] = messages;
    if first.len() != second.len() || !lanes::are_there() {
        return None;
    }
    let (first, second) = (Padded::new(prefix, first)?, Padded::new(prefix, second)?);
    let mut states = [INITIAL; 2];
    for (first, second) in first.parts().into_iter().zip(second.parts()) {
        lanes::compress(&mut states, [first, second]);
    }
    Some(states.map(hash))
}

/// The hash of a message that comes piece by piece, and that others may be hashed beside.
#[derive(Clone, Debug)]
pub struct Running {
    state: [u32; 8],
    blocks: u64,
}

impl Running {
    /// None where there is nothing to be gained, see [`pair`].
    pub fn new() -> Option<Self> {
        lanes::are_there().then_some(Self { state: INITIAL, blocks: 0 })
    }

    /// Goes on by these blocks.
    pub fn update(&mut self, blocks: &[[u8; BLOCK]]) {
        sha2::block_api::compress256(&mut self.state, blocks);
        self.blocks += blocks.len() as u64;
    }

    /// The hash of the prefix with the message behind it, while this goes on by the first of `blocks`, as many as that takes,
    /// which are taken off. None, and nothing done, where there are fewer, and as with [`pair`].
    pub fn beside(&mut self, prefix: &[u8], message: &[u8], blocks: &mut &[[u8; BLOCK]]) -> Option<Hash> {
        let other = Padded::new(prefix, message)?;
        let parts = other.parts();
        let count = parts.iter().map(|part| part.len()).sum();
        let (mut now, later) = blocks.split_at_checked(count)?;
        let mut states = [INITIAL, self.state];
        for part in parts {
            let (own, rest) = now.split_at(part.len());
            lanes::compress(&mut states, [part, own]);
            now = rest;
        }
        *blocks = later;
        self.blocks += count as u64;
        self.state = states[1];
        Some(hash(states[0]))
    }

    /// The hash, with what is left and is less than a block.
    pub fn finish(mut self, rest: &[u8]) -> Hash {
        let (whole, rest) = rest.as_chunks();
        self.update(whole);
        let (last, blocks) = last(rest, self.blocks * BLOCK as u64 + rest.len() as u64);
        self.update(&last[..blocks]);
        hash(self.state)
    }
}

/// A message with a prefix, as it is compressed.
struct Padded<'m> {
    /// The prefix, and what of the message fills its block.
    head: Option<[u8; BLOCK]>,
    middle: &'m [[u8; BLOCK]],
    last: [[u8; BLOCK]; 2],
    lasts: usize,
}

impl<'m> Padded<'m> {
    fn new(prefix: &[u8], message: &'m [u8]) -> Option<Self> {
        if message.len() < BLOCK || prefix.len() > BLOCK {
            return None;
        }
        let bytes = prefix.len() as u64 + message.len() as u64;
        let (mut head, mut rest) = (None, message);
        if !prefix.is_empty() {
            let (now, later) = message.split_at(BLOCK - prefix.len());
            let mut block = [0; BLOCK];
            block[..prefix.len()].copy_from_slice(prefix);
            block[prefix.len()..].copy_from_slice(now);
            (head, rest) = (Some(block), later);
        }
        let (middle, rest) = rest.as_chunks();
        let (last, lasts) = last(rest, bytes);
        Some(Self { head, middle, last, lasts })
    }

    fn parts(&self) -> [&[[u8; BLOCK]]; 3] {
        [self.head.as_slice(), self.middle, &self.last[..self.lasts]]
    }
}

/// What is left of so many bytes, a bit, zeros, and the number of bits: one block or two.
fn last(rest: &[u8], bytes: u64) -> ([[u8; BLOCK]; 2], usize) {
    let mut last = [[0; BLOCK]; 2];
    let count = if rest.len() < BLOCK - 8 { 1 } else { 2 };
    let flat = last[..count].as_flattened_mut();
    flat[..rest.len()].copy_from_slice(rest);
    flat[rest.len()] = 0x80;
    let end = flat.len();
    flat[end - 8..].copy_from_slice(&(bytes * 8).to_be_bytes());
    (last, count)
}

fn hash(state: [u32; 8]) -> Hash {
    let mut hash = Hash::default();
    hash.as_chunks_mut().0.iter_mut().zip(state).for_each(|(bytes, word)| *bytes = word.to_be_bytes());
    hash
}

const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Four to a row, for four rounds.
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")))]
const ROUNDS: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn pair_is_what_each_hash_is_alone() {
        let bytes: Vec<u8> = (0..9000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut count = 0;
        for prefix in [0, 1, 31, 32, 33, 55, 56, 63, 64] {
            for length in (64..200).chain([4095, 4096, 4097]) {
                let (prefix, messages) = (&bytes[..prefix], [&bytes[100..100 + length], &bytes[4500..4500 + length]]);
                let Some(found) = pair(prefix, messages) else { continue };
                let alone = |message| Hash::from(Sha256::new_with_prefix(prefix).chain_update(message).finalize());
                assert_eq!(found, messages.map(alone), "{} {length}", prefix.len());
                count += 1;
            }
        }
        if count == 0 {
            eprintln!("skipped: this processor has no instructions for SHA-256");
        }
        assert!(count == 0 || count == 9 * 139, "{count}");
    }

    #[test]
    fn what_goes_on_beside_others_is_what_it_is_alone() {
        let bytes: Vec<u8> = (0..70_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let Some(new) = Running::new() else {
            return eprintln!("skipped: this processor has no instructions for SHA-256");
        };
        for (prefix, length, own) in
            [(32, 4096, 65_536), (0, 4096, 20_000), (64, 64, 63), (1, 200, 0), (32, 4088, 69_999)]
        {
            let (mut running, (mut blocks, rest)) = (new.clone(), bytes[..own].as_chunks());
            let alone = |bytes: &[&[u8]]| -> Hash {
                let mut hash = Sha256::new();
                bytes.iter().for_each(|bytes| hash.update(bytes));
                hash.finalize().into()
            };
            let mut count = 0;
            for start in 0..100 {
                let message = &bytes[start..start + length];
                let Some(found) = running.beside(&bytes[..prefix], message, &mut blocks) else { break };
                assert_eq!(found, alone(&[&bytes[..prefix], message]));
                count += 1;
            }
            assert_eq!(count, (own / 64 / (prefix + length + 9).div_ceil(64)).min(100));
            running.update(blocks);
            assert_eq!(running.finish(rest), alone(&[&bytes[..own]]), "{prefix} {length} {own}");
        }
    }

    #[test]
    fn pair_that_is_none_is_refused() {
        let bytes = [7; 200];
        assert_eq!(pair(&[], [&bytes[..63], &bytes[..63]]), None);
        assert_eq!(pair(&[], [&bytes[..64], &bytes[..65]]), None);
        assert_eq!(pair(&bytes[..65], [&bytes, &bytes]), None);
    }
}
