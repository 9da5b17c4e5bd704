//! Random numbers that follow from a seed (`SplitMix64`).
//!
//! Each part of a simulation has a stream of its own, which follows from the seed and the name of the part: a part that
//! draws more numbers than before does not change the numbers of the others.

/// A source of random numbers.
#[derive(Clone, Debug)]
pub struct Rng(u64);

/// Returns a number whose bits depend on all bits of `number`.
fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

impl Rng {
    /// Creates the stream of a part. `number` tells parts of one name apart.
    pub fn new(seed: u64, part: &str, number: usize) -> Self {
        let of_part = part.bytes().fold(mix(seed ^ 0x5DEE_CE66_D1CE_CAFE), |state, byte| mix(state ^ u64::from(byte)));
        Self(mix(of_part ^ number as u64))
    }

    /// Returns the next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("below a usize")
    }

    /// Returns a number of the range, both ends included.
    pub fn range(&mut self, (least, most): (u64, u64)) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// Returns true in `percent` of one hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}
