//! Which ranges of a bundle to ask for: as few as cost little more than what is missing.

use std::ops::Range;

/// What lies between two missing parts is read, too, when it is no longer than this: another request costs more.
const GAP: u64 = 256 << 10;
/// Requests for the missing parts of an image, where the share below allows it.
const REQUESTS: usize = 14;
/// Of the image, what may be read in vain to get along with so few: the 128th part.
const VAIN: u64 = 128;

/// Missing parts, joined.
#[derive(Default, Debug)]
pub(super) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Takes another part. They come in order, but a tail, which lies anywhere.
    pub(super) fn push(&mut self, part: Range<u64>) {
        match self.0.last_mut() {
            Some(last) if (last.start..=last.end.saturating_add(GAP)).contains(&part.start) => {
                last.end = last.end.max(part.end);
            }
            _ => self.0.push(part),
        }
    }

    /// The ranges, in whole blocks of 4096 bytes of a bundle with so many.
    pub(super) fn finish(self, image: u64, bundle: u64) -> Vec<Range<u64>> {
        let mut ranges = self.0;
        let mut vain = image / VAIN;
        while ranges.len() > REQUESTS {
            let gap = |pair: &[Range<u64>]| pair[1].start.checked_sub(pair[0].end);
            let gaps = ranges.windows(2).enumerate().filter_map(|(index, pair)| Some((gap(pair)?, index)));
            let Some((gap, index)) = gaps.min().filter(|(gap, _)| *gap <= vain) else { break };
            vain -= gap;
            let next = ranges.remove(index + 1);
            ranges[index].end = next.end.max(ranges[index].end);
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
        for part in [100..5_000, 5_000..9_000, 200_000..200_001, (1 << 20)..(1 << 20) + 1, 50..60] {
            ranges.push(part);
        }
        let expected = [0..200_704, (1 << 20)..(1 << 20) + 4096, 0..4096];
        assert_eq!(ranges.finish(0, 1 << 30), expected);
    }

    #[test]
    fn requests_are_few_unless_that_is_dear() {
        let scattered = |step: u64| {
            let mut ranges = Ranges::default();
            (0..40).for_each(|number| ranges.push(number * step..number * step + 4096));
            ranges
        };
        let size = 256 << 20;
        // 26 gaps of 300 KiB are more than 2 MiB.
        let near = scattered(304 << 10).finish(size, size);
        assert_eq!(near.len(), 34);
        let total: u64 = near.iter().map(|range| range.end - range.start).sum();
        assert!(total <= size / VAIN + 40 * 4096);
        assert_eq!(scattered(200 << 10).finish(size, size).len(), 1);
        assert_eq!(scattered(6 << 20).finish(size, size).len(), 40);
    }
}
