//! The random choice of one event in many, without shared state.

use std::cell::Cell;

thread_local! {
    /// The number of calls until the next chosen one; 0 before the first call.
    static LEFT: Cell<u32> = const { Cell::new(0) };
    /// The state of the random numbers.
    static RANDOM: Cell<u32> = const { Cell::new(0x9E37_79B9) };
}

/// Returns true once in `one_in` calls on average, and never for 0. The distance to the next choice is random, so that
/// regular traffic is sampled evenly.
pub fn is_chosen(one_in: u32) -> bool {
    if one_in == 0 {
        return false;
    }
    let longest = one_in.saturating_mul(2) - 1;
    // A smaller number takes effect at once.
    let left = match LEFT.get() {
        // The first call of the thread.
        0 => one_in,
        left => left.min(longest),
    };
    if left > 1 {
        LEFT.set(left - 1);
        return false;
    }
    LEFT.set(1 + next_random() % longest);
    true
}

/// Returns a random number by Marsaglia's xorshift.
fn next_random() -> u32 {
    let mut number = RANDOM.get();
    number ^= number << 13;
    number ^= number >> 17;
    number ^= number << 5;
    RANDOM.set(number);
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_in_many_is_chosen() {
        let chosen = (0..100_000).filter(|_| is_chosen(100)).count();
        assert!((900..1100).contains(&chosen), "{chosen}");
        assert_eq!((0..1000).filter(|_| is_chosen(1)).count(), 1000);
        assert_eq!((0..1000).filter(|_| is_chosen(0)).count(), 0);
    }
}
