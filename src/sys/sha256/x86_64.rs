//! `SHA256RNDS2`, `SHA256MSG1` and `SHA256MSG2` of x86: Intel's manual, volume 2. Eight words of a state lie in two registers
//! as A B E F and C D G H, from the highest down.

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use super::ROUNDS;

pub(super) fn are_there() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1")
}

/// As many blocks of each.
pub(super) fn compress(states: &mut [[u32; 8]; 2], blocks: [&[[u8; 64]]; 2]) {
    if are_there() {
        // SAFETY: the processor has what the function is compiled for, and it takes nothing but numbers and slices.
        unsafe { compress_both(states, blocks) }
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress_both(states: &mut [[u32; 8]; 2], blocks: [&[[u8; 64]]; 2]) {
    let ([mut abef_0, mut abef_1], [mut cdgh_0, mut cdgh_1]) =
        ([high(&states[0]), high(&states[1])], [low(&states[0]), low(&states[1])]);
    for (block_0, block_1) in blocks[0].iter().zip(blocks[1]) {
        let before = [abef_0, cdgh_0, abef_1, cdgh_1];
        let (mut words_0, mut words_1) = (words(block_0), words(block_1));
        macro_rules! four_rounds {
            ($($row:literal)*) => {$(
                let [k0, k1, k2, k3] = ROUNDS[$row].map(u32::cast_signed);
                let constants = _mm_set_epi32(k3, k2, k1, k0);
                four_rounds!($row, constants, abef_0, cdgh_0, words_0);
                four_rounds!($row, constants, abef_1, cdgh_1, words_1);
            )*};
            ($row:literal, $constants:ident, $abef:ident, $cdgh:ident, $words:ident) => {
                let sum = _mm_add_epi32($words[$row % 4], $constants);
                $cdgh = _mm_sha256rnds2_epu32($cdgh, $abef, sum);
                $abef = _mm_sha256rnds2_epu32($abef, $cdgh, _mm_shuffle_epi32::<0x0e>(sum));
            };
        }
        // The words four rows on.
        macro_rules! more_words {
            ($row:literal, $words:ident) => {
                let [now, next, third, last] =
                    [$words[$row % 4], $words[($row + 1) % 4], $words[($row + 2) % 4], $words[($row + 3) % 4]];
                let sum = _mm_add_epi32(_mm_sha256msg1_epu32(now, next), _mm_alignr_epi8::<4>(last, third));
                $words[$row % 4] = _mm_sha256msg2_epu32(sum, last);
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
        abef_0 = _mm_add_epi32(abef_0, before[0]);
        cdgh_0 = _mm_add_epi32(cdgh_0, before[1]);
        abef_1 = _mm_add_epi32(abef_1, before[2]);
        cdgh_1 = _mm_add_epi32(cdgh_1, before[3]);
    }
    *states = [state(abef_0, cdgh_0), state(abef_1, cdgh_1)];
}

#[target_feature(enable = "sse2")]
fn high(state: &[u32; 8]) -> __m128i {
    let [a, b, _, _, e, f, _, _] = state.map(u32::cast_signed);
    _mm_set_epi32(a, b, e, f)
}

#[target_feature(enable = "sse2")]
fn low(state: &[u32; 8]) -> __m128i {
    let [_, _, c, d, _, _, g, h] = state.map(u32::cast_signed);
    _mm_set_epi32(c, d, g, h)
}

#[target_feature(enable = "sse4.1")]
fn state(abef: __m128i, cdgh: __m128i) -> [u32; 8] {
    let (a, b) = (_mm_extract_epi32::<3>(abef), _mm_extract_epi32::<2>(abef));
    let (e, f) = (_mm_extract_epi32::<1>(abef), _mm_extract_epi32::<0>(abef));
    let (c, d) = (_mm_extract_epi32::<3>(cdgh), _mm_extract_epi32::<2>(cdgh));
    let (g, h) = (_mm_extract_epi32::<1>(cdgh), _mm_extract_epi32::<0>(cdgh));
    [a, b, c, d, e, f, g, h].map(i32::cast_unsigned)
}

/// The words of a block, which are big-endian.
#[target_feature(enable = "ssse3")]
fn words(block: &[u8; 64]) -> [__m128i; 4] {
    let turned = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let (halves, _) = block.as_chunks();
    let half = |index: usize| i64::from_le_bytes(halves[index]);
    [
        _mm_shuffle_epi8(_mm_set_epi64x(half(1), half(0)), turned),
        _mm_shuffle_epi8(_mm_set_epi64x(half(3), half(2)), turned),
        _mm_shuffle_epi8(_mm_set_epi64x(half(5), half(4)), turned),
        _mm_shuffle_epi8(_mm_set_epi64x(half(7), half(6)), turned),
    ]
}
