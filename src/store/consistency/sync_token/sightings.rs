//! The tokens of one other instance that this instance has seen.

use crate::store::consistency::clock::LogicalTime;
use std::collections::VecDeque;

/// Number of sightings that are kept.
const SIGHTINGS_MAX: usize = 32;
/// Sightings that are closer together in time count as one.
const SIGHTING_MS_MIN: u64 = 20;

/// Pairs of a time of the other instance, and the time of this instance at which a token with that time or a later
/// one was first seen. Both are ascending.
#[derive(Default)]
pub struct Sightings(VecDeque<(LogicalTime, LogicalTime)>);

impl Sightings {
    /// Returns the time at which a token with the time `theirs` or a later one was first seen; `now` if none was.
    pub fn first(&mut self, theirs: LogicalTime, now: LogicalTime) -> LogicalTime {
        if let Some((_, ours)) = self.0.iter().find(|(known, _)| *known >= theirs) {
            return *ours;
        }
        match self.0.back_mut() {
            Some(last) if last.1.plus_ms(SIGHTING_MS_MIN) > now => *last = (theirs, now),
            _ => self.0.push_back((theirs, now)),
        }
        if self.0.len() > SIGHTINGS_MAX {
            self.0.pop_front();
        }
        now
    }

    /// Returns the time of the last sighting.
    pub fn last(&self) -> Option<LogicalTime> {
        self.0.back().map(|(_, ours)| *ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sightings_are_few_and_err_on_the_safe_side() {
        let at = LogicalTime::from_ms;
        let mut sightings = Sightings::default();
        for step in 1..=100 {
            assert_eq!(sightings.first(at(step * 10), at(step * 1000)), at(step * 1000));
        }
        assert_eq!(sightings.0.len(), SIGHTINGS_MAX);
        // The sighting was dropped; the oldest one that is as late counts instead.
        assert_eq!(sightings.first(at(10), at(200_000)), at(69_000));
        assert_eq!(sightings.first(at(995), at(200_000)), at(100_000));
        // Two sightings close together are one, at the later time.
        assert_eq!(sightings.first(at(1010), at(100_005)), at(100_005));
        assert_eq!(sightings.first(at(1000), at(200_000)), at(100_005));
    }
}
