//! The weight of a shard.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Points on the ring for each unit of a shard's weight.
///
/// With 1,024 points, the fullest of 16 equal shards holds at most 1.10 times the mean; with 160 points, up to 1.18
/// times.
pub const POINTS_PER_WEIGHT: u32 = 1024;
/// The largest weight.
const WEIGHT_MAX: u32 = 100;

/// The share of the keys that a shard has, relative to the other shards.
///
/// Invariant: 0.01 to 100, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "f64", try_from = "f64")]
pub struct Weight {
    hundredths: u32,
}

/// The error about a text or a number that is no weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a number from 0.01 to {WEIGHT_MAX} with at most two decimal places")]
pub struct WeightError;

impl Weight {
    /// The weight of a shard that has none in the settings.
    pub const ONE: Self = Self::whole(1);

    /// Returns a weight without decimal places.
    ///
    /// # Panics
    /// Panics for 0 and for more than 100.
    pub const fn whole(weight: u32) -> Self {
        assert!(weight > 0 && weight <= WEIGHT_MAX, "a weight is 0.01 to 100");
        Self { hundredths: weight * 100 }
    }

    /// Returns the number of points on the ring.
    ///
    /// Invariant: the points of a smaller weight are the first ones of a larger weight. Raising a weight therefore
    /// moves keys only to the shard whose weight is raised.
    pub fn points(self) -> u32 {
        (self.hundredths * POINTS_PER_WEIGHT + 50) / 100
    }

    /// Returns the weight that has this number of points.
    pub fn of_points(points: u32) -> Self {
        Self { hundredths: (points * 100 + POINTS_PER_WEIGHT / 2) / POINTS_PER_WEIGHT }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(*self))
    }
}

impl FromStr for Weight {
    type Err = WeightError;

    /// Parses a number such as `1` or `0.25`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(WeightError);
        }
        text.parse::<f64>().map_err(|_| WeightError)?.try_into()
    }
}

impl TryFrom<f64> for Weight {
    type Error = WeightError;

    fn try_from(weight: f64) -> Result<Self, Self::Error> {
        let hundredths = (weight * 100.0).round();
        let is_valid =
            (1.0..=f64::from(WEIGHT_MAX * 100)).contains(&hundredths) && (hundredths - weight * 100.0).abs() < 1e-6;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 1 to 10,000")]
        let hundredths = hundredths as u32;
        if is_valid { Ok(Self { hundredths }) } else { Err(WeightError) }
    }
}

impl From<Weight> for f64 {
    fn from(weight: Weight) -> Self {
        Self::from(weight.hundredths) / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_two_decimal_places_and_round_trip() {
        for text in ["1", "100", "0.01", "0.5", "2.25"] {
            assert_eq!(text.parse::<Weight>().map(|weight| weight.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("1.00".parse(), Ok(Weight::ONE));
        for text in ["", "0", "0.001", "0.005", "100.01", "-1", "1e1", "inf", "nan", "one", "1,5", "0.015"] {
            assert_eq!(text.parse::<Weight>(), Err(WeightError), "{text:?}");
        }
    }

    #[test]
    fn each_weight_has_points_of_its_own() {
        assert_eq!((Weight::ONE.points(), Weight::whole(3).points()), (1024, 3072));
        for hundredths in 1..=WEIGHT_MAX * 100 {
            let weight = Weight { hundredths };
            assert!(weight.points() >= 10);
            assert_eq!(Weight::of_points(weight.points()), weight);
        }
    }
}
