//! A sum with a secret key: whether bytes that went somewhere came back, for a tenth of what SHA-256 costs.
//!
//! Each 256 bytes become two words by NH (RFC 4418, 5.2, here in words of 64 bits), and those are the coefficients of a
//! polynomial over the field of 2^61 - 1. Whoever does not know the key, be it a broken medium or a mean one, makes other
//! bytes with the same sum by a chance of less than 2^-47 for each MiB: NH has at most 2^-55 that a stripe goes unnoticed, and
//! a polynomial of degree 2^13 at most 2^13 zeros. Whoever knows the key makes them at once: it stays in the process.

use std::fmt;

/// The field: a prime, by which one divides with shifts.
const PRIME: u64 = (1 << 61) - 1;
/// Bytes that become two coefficients.
const STRIPE: usize = 256;
/// Random bytes that a key is made of.
pub const KEY: usize = STRIPE + 8;

/// A key.
pub struct KeyedSum {
    words: [u64; STRIPE / 8],
    point: u64,
}

impl fmt::Debug for KeyedSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedSum").finish_non_exhaustive()
    }
}

impl KeyedSum {
    pub fn new(random: &[u8; KEY]) -> Self {
        let mut words = [0; STRIPE / 8];
        let (numbers, _) = random.as_chunks();
        words.iter_mut().zip(numbers).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
        let point = numbers.last().map_or(0, |bytes| u64::from_le_bytes(*bytes) % PRIME);
        Self { words, point }
    }

    pub fn of(&self, bytes: &[u8]) -> u64 {
        let (stripes, rest) = bytes.as_chunks::<STRIPE>();
        // What is filled up with zeros differs by its length.
        let mut sum = bytes.len() as u64 % PRIME;
        for stripe in stripes {
            sum = self.add(sum, stripe);
        }
        if !rest.is_empty() {
            let mut last = [0; STRIPE];
            last[..rest.len()].copy_from_slice(rest);
            sum = self.add(sum, &last);
        }
        sum % PRIME
    }

    fn add(&self, sum: u64, stripe: &[u8; STRIPE]) -> u64 {
        let (pairs, _) = stripe.as_chunks::<16>();
        let (keys, _) = self.words.as_chunks::<2>();
        let mut nh = 0_u128;
        for (pair, [first, second]) in pairs.iter().zip(keys) {
            let pair = u128::from_le_bytes(*pair);
            let product = u128::from(low(pair).wrapping_add(*first)) * u128::from(high(pair).wrapping_add(*second));
            nh = nh.wrapping_add(product);
        }
        self.step(self.step(sum, low(nh)), high(nh))
    }

    /// Less than 2^62, and so is `sum`.
    fn step(&self, sum: u64, coefficient: u64) -> u64 {
        let value = u128::from(sum) * u128::from(self.point) + u128::from(coefficient);
        // Less than 2^124, and then than 2^64.
        let once = (low(value) & PRIME) + low(value >> 61);
        (once & PRIME) + (once >> 61)
    }
}

fn low(number: u128) -> u64 {
    (number & u128::from(u64::MAX)) as u64
}

fn high(number: u128) -> u64 {
    (number >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> KeyedSum {
        let mut random = [0; KEY];
        random.iter_mut().zip(1_u32..).for_each(|(byte, number)| {
            *byte = (number.wrapping_mul(2_654_435_761).rotate_left(u32::from(seed)) >> 13) as u8;
        });
        KeyedSum::new(&random)
    }

    /// The same by division, and with numbers that never come near their end.
    fn slow(key: &KeyedSum, bytes: &[u8]) -> u64 {
        let mut sum = bytes.len() as u128;
        for stripe in bytes.chunks(STRIPE) {
            let mut words = [0_u64; STRIPE / 8];
            for (index, byte) in stripe.iter().enumerate() {
                words[index / 8] |= u64::from(*byte) << (index % 8 * 8);
            }
            let mut nh = 0_u128;
            for index in (0..words.len()).step_by(2) {
                let first = u128::from(words[index].wrapping_add(key.words[index]));
                nh = nh.wrapping_add(first * u128::from(words[index + 1].wrapping_add(key.words[index + 1])));
            }
            for coefficient in [nh % (1 << 64), nh >> 64] {
                sum = (sum * u128::from(key.point) + coefficient) % u128::from(PRIME);
            }
        }
        sum as u64
    }

    #[test]
    fn sum_is_that_of_long_division() {
        let bytes: Vec<u8> = (0..9000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for length in (0..600).chain([4096, 8999]) {
            for bytes in [&bytes[..length], &vec![0; length], &vec![0xff; length]] {
                assert_eq!(key(3).of(bytes), slow(&key(3), bytes), "{length}");
            }
        }
        let most = KeyedSum { words: [u64::MAX; STRIPE / 8], point: PRIME - 1 };
        assert_eq!(most.of(&bytes), slow(&most, &bytes));
    }

    #[test]
    fn each_bit_the_order_the_length_and_the_key_matter() {
        let bytes: Vec<u8> = (0..1000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let sum = key(3).of(&bytes);
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(key(3).of(&other), sum, "{bit}");
        }
        for (first, second) in [(0, 8), (0, 16), (0, 256), (256, 512), (5, 133)] {
            let mut other = bytes.clone();
            (0..8).for_each(|index| other.swap(first + index, second + index));
            assert_ne!(key(3).of(&other), sum, "{first} {second}");
        }
        assert_ne!(key(4).of(&bytes), sum);
        assert_ne!(key(3).of(&[0; 5]), key(3).of(&[0; 6]));
        assert_ne!(key(3).of(&[]), key(3).of(&[0; 256]));
    }
}
