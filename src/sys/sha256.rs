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
    let [mut first, mut second] = messages;
    let length = first.len();
    if second.len() != length || length < BLOCK || prefix.len() > BLOCK || !lanes::are_there() {
        return None;
    }
    let mut states = [INITIAL; 2];
    if !prefix.is_empty() {
        let mut heads = [[0; BLOCK]; 2];
        for (head, rest) in heads.iter_mut().zip([&mut first, &mut second]) {
            let (now, later) = rest.split_at(BLOCK - prefix.len());
            head[..prefix.len()].copy_from_slice(prefix);
            head[prefix.len()..].copy_from_slice(now);
            *rest = later;
        }
        let [first, second] = &heads;
        lanes::compress(&mut states, [std::slice::from_ref(first), std::slice::from_ref(second)]);
    }
    let ((first, first_rest), (second, second_rest)) = (first.as_chunks(), second.as_chunks());
    lanes::compress(&mut states, [first, second]);
    // What is left, a bit, zeros, and the number of bits.
    let bits = (prefix.len() as u64 + length as u64) * 8;
    let end = if first_rest.len() < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
    let mut lasts = [[0; 2 * BLOCK]; 2];
    for (last, rest) in lasts.iter_mut().zip([first_rest, second_rest]) {
        last[..rest.len()].copy_from_slice(rest);
        last[rest.len()] = 0x80;
        last[end - 8..end].copy_from_slice(&bits.to_be_bytes());
    }
    let [first, second] = lasts.each_ref().map(|last| last[..end].as_chunks().0);
    lanes::compress(&mut states, [first, second]);
    Some(states.map(|state| {
        let mut hash = Hash::default();
        hash.as_chunks_mut().0.iter_mut().zip(state).for_each(|(bytes, word)| *bytes = word.to_be_bytes());
        hash
    }))
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
    fn pair_that_is_none_is_refused() {
        let bytes = [7; 200];
        assert_eq!(pair(&[], [&bytes[..63], &bytes[..63]]), None);
        assert_eq!(pair(&[], [&bytes[..64], &bytes[..65]]), None);
        assert_eq!(pair(&bytes[..65], [&bytes, &bytes]), None);
    }
}
