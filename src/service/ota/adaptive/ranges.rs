//! Which ranges of a bundle to ask for: as few as cost little more than what is missing.

use std::ops::Range;

/// What lies between two missing parts is read, too, when it is no longer than this: another request costs more.
const GAP: u64 = 256 << 10;
/// As [`GAP`], whatever else is read in vain.
const SMALL: u64 = 16 << 10;
/// Requests for the missing parts of an image, where that costs no more than may be read in vain.
const REQUESTS: usize = 14;

/// Missing parts, joined.
#[derive(Default, Debug)]
pub(super) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Takes another part. They come in order, but a tail, which lies anywhere.
    pub(super) fn push(&mut self, part: Range<u64>) {
        match self.0.last_mut() {
            Some(last) if (last.start..=last.end.saturating_add(SMALL)).contains(&part.start) => {
                last.end = last.end.max(part.end);
            }
            _ => self.0.push(part),
        }
    }

    /// The ranges, in whole blocks of 4096 bytes of a bundle with so many. In vain may be read a quarter of what is missing
    /// and the 256th part of the image.
    pub(super) fn finish(self, image: u64, bundle: u64) -> Vec<Range<u64>> {
        let missing: u64 = self.0.iter().map(|range| range.end - range.start).sum();
        let mut vain = missing / 4 + image / 256;
        let mut count = self.0.len();
        let gap = |pair: &[Range<u64>]| pair[1].start.checked_sub(pair[0].end);
        let gaps = self.0.windows(2).enumerate().filter_map(|(index, pair)| Some((gap(pair)?, index + 1)));
        let mut gaps: Vec<_> = gaps.collect();
        gaps.sort_unstable();
        let mut joined = vec![false; count];
        for (gap, index) in gaps {
            if gap > vain || (gap > GAP && count <= REQUESTS) {
                break;
            }
            vain -= gap;
            count -= 1;
            joined[index] = true;
        }
        let mut ranges: Vec<Range<u64>> = Vec::with_capacity(count);
        for (range, joined) in self.0.into_iter().zip(joined) {
            match ranges.last_mut() {
                Some(last) if joined => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        for range in &mut ranges {
            *range = range.start / 4096 * 4096..range.end.next_multiple_of(4096).min(bundle);
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_where_that_costs_little() {
        let mut ranges = Ranges::default();
        for part in [100..5_000, 5_000..9_000, 20_000..20_001, 200_000..200_001, (1 << 20)..(1 << 20) + 1, 50..60] {
            ranges.push(part);
        }
        let expected = [0..20_480, 196_608..200_704, (1 << 20)..(1 << 20) + 4096, 0..4096];
        assert_eq!(ranges.finish(0, 1 << 30), expected);
    }

    #[test]
    fn requests_are_few_unless_that_is_dear() {
        let size = 256 << 20;
        let scattered = |count: u64, length: u64, step: u64| {
            let mut ranges = Ranges::default();
            (0..count).for_each(|number| ranges.push(number * step..number * step + length));
            let ranges = ranges.finish(size, size);
            let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
            assert!(total <= count * length * 5 / 4 + size / 256, "{count} {length} {step}");
            ranges.len()
        };
        // As many gaps as a MiB has.
        assert_eq!(scattered(40, 4096, 104 << 10), 40 - 10);
        assert_eq!(scattered(40, 4096, 6 << 20), 40);
        // Large enough that the gaps do not matter, and then few enough.
        assert_eq!(scattered(40, 1 << 20, (1 << 20) + (200 << 10)), 1);
        assert_eq!(scattered(16, 4 << 20, 5 << 20), 14);
        assert_eq!(scattered(1700, 4096, 148 << 10), 1700 - 18);
    }
}
