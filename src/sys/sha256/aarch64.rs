//! `SHA256H`, `SHA256H2`, `SHA256SU0` and `SHA256SU1` of Arm: the Architecture Reference Manual for A-profile.

use std::arch::aarch64::{
    uint32x4_t, vaddq_u32, vcombine_u8, vcombine_u32, vcreate_u8, vcreate_u32, vgetq_lane_u32, vreinterpretq_u32_u8,
    vrev32q_u8, vsha256h2q_u32, vsha256hq_u32, vsha256su0q_u32, vsha256su1q_u32,
};
use std::arch::is_aarch64_feature_detected;

use super::ROUNDS;

pub(super) fn are_there() -> bool {
    is_aarch64_feature_detected!("sha2")
}

/// As many blocks of each.
pub(super) fn compress(states: &mut [[u32; 8]; 2], blocks: [&[[u8; 64]]; 2]) {
    if are_there() {
        // SAFETY: the processor has what the function is compiled for, and it takes nothing but numbers and slices.
        unsafe { compress_both(states, blocks) }
    }
}

#[target_feature(enable = "sha2")]
fn compress_both(states: &mut [[u32; 8]; 2], blocks: [&[[u8; 64]]; 2]) {
    let [a, b, c, d, e, f, g, h] = states[0];
    let (mut abcd_0, mut efgh_0) = (vector([a, b, c, d]), vector([e, f, g, h]));
    let [a, b, c, d, e, f, g, h] = states[1];
    let (mut abcd_1, mut efgh_1) = (vector([a, b, c, d]), vector([e, f, g, h]));
    for (block_0, block_1) in blocks[0].iter().zip(blocks[1]) {
        let before = [abcd_0, efgh_0, abcd_1, efgh_1];
        let (mut words_0, mut words_1) = (words(block_0), words(block_1));
        macro_rules! four_rounds {
            ($($row:literal)*) => {$(
                let constants = vector(ROUNDS[$row]);
                four_rounds!($row, constants, abcd_0, efgh_0, words_0);
                four_rounds!($row, constants, abcd_1, efgh_1, words_1);
            )*};
            ($row:literal, $constants:ident, $abcd:ident, $efgh:ident, $words:ident) => {
                let (sum, abcd) = (vaddq_u32($words[$row % 4], $constants), $abcd);
                $abcd = vsha256hq_u32(abcd, $efgh, sum);
                $efgh = vsha256h2q_u32($efgh, abcd, sum);
            };
        }
        // The words four rows on.
        macro_rules! more_words {
            ($row:literal, $words:ident) => {
                let begun = vsha256su0q_u32($words[$row % 4], $words[($row + 1) % 4]);
                $words[$row % 4] = vsha256su1q_u32(begun, $words[($row + 2) % 4], $words[($row + 3) % 4]);
            };
        }
        macro_rules! four_rounds_of_many {
            ($($row:literal)*) => {$(
                four_rounds!($row);
                more_words!($row, words_0);
                more_words!($row, words_1);
            )*};
        }
        four_rounds_of_many!(0 1 2 3 4 5 6 7 8 9 10 11);
        four_rounds!(12 13 14 15);
        abcd_0 = vaddq_u32(abcd_0, before[0]);
        efgh_0 = vaddq_u32(efgh_0, before[1]);
        abcd_1 = vaddq_u32(abcd_1, before[2]);
        efgh_1 = vaddq_u32(efgh_1, before[3]);
    }
    *states = [state(abcd_0, efgh_0), state(abcd_1, efgh_1)];
}

#[target_feature(enable = "neon")]
fn vector([first, second, third, fourth]: [u32; 4]) -> uint32x4_t {
    let half = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    vcombine_u32(vcreate_u32(half(first, second)), vcreate_u32(half(third, fourth)))
}

#[target_feature(enable = "neon")]
fn state(abcd: uint32x4_t, efgh: uint32x4_t) -> [u32; 8] {
    [
        vgetq_lane_u32::<0>(abcd),
        vgetq_lane_u32::<1>(abcd),
        vgetq_lane_u32::<2>(abcd),
        vgetq_lane_u32::<3>(abcd),
        vgetq_lane_u32::<0>(efgh),
        vgetq_lane_u32::<1>(efgh),
        vgetq_lane_u32::<2>(efgh),
        vgetq_lane_u32::<3>(efgh),
    ]
}

/// The words of a block, which are big-endian.
#[target_feature(enable = "neon")]
fn words(block: &[u8; 64]) -> [uint32x4_t; 4] {
    let (halves, _) = block.as_chunks();
    let half = |index: usize| vcreate_u8(u64::from_le_bytes(halves[index]));
    [
        vreinterpretq_u32_u8(vrev32q_u8(vcombine_u8(half(0), half(1)))),
        vreinterpretq_u32_u8(vrev32q_u8(vcombine_u8(half(2), half(3)))),
        vreinterpretq_u32_u8(vrev32q_u8(vcombine_u8(half(4), half(5)))),
        vreinterpretq_u32_u8(vrev32q_u8(vcombine_u8(half(6), half(7)))),
    ]
}
