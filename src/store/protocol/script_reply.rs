//! The replies of the scripts.

use super::operation::{Answer, BucketState, Sum};
use redis::Value;
use std::time::Duration;

/// Reads the reply of [`INCREMENT`](super::scripts::INCREMENT), or returns `None` for one that the script never has.
pub fn parse_sum(parts: &[Value]) -> Option<Answer> {
    match parts {
        [Value::Int(-1)] => Some(Answer::NotANumber),
        [Value::Int(-2)] => Some(Answer::Overflow),
        [Value::Int(made), Value::BulkString(number), Value::Int(left)] => {
            let value = std::str::from_utf8(number).ok()?.parse().ok()?;
            let secs_left = u64::try_from(*left).ok().map(|millis| millis.div_ceil(1000));
            Some(Answer::Number(Sum { value, secs_left, is_limited: *made == 0 }))
        }
        _ => None,
    }
}

/// Reads the reply of [`TAKE_TOKENS`](super::scripts::TAKE_TOKENS), or returns `None` for one that the script never has.
pub fn parse_bucket(parts: &[Value]) -> Option<Answer> {
    match parts {
        [Value::Int(-1)] => Some(Answer::NotANumber),
        [Value::Int(allowed), Value::Int(remaining), Value::Int(retry_us), Value::Int(reset_us)] => {
            let [retry_after, reset_after] = [*retry_us, *reset_us].map(|us| Duration::from_micros(us.unsigned_abs()));
            let remaining = u32::try_from(*remaining).ok()?;
            Some(Answer::Bucket(BucketState { is_allowed: *allowed == 1, remaining, retry_after, reset_after }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_replies_are_none_of_a_script() {
        let text = |text: &str| Value::BulkString(text.into());
        let sum = |parts: &[Value]| parse_sum(parts);
        assert!(matches!(
            sum(&[Value::Int(0), text("-7"), Value::Int(1001)]),
            Some(Answer::Number(Sum { value: -7, secs_left: Some(2), is_limited: true }))
        ));
        assert!(matches!(
            sum(&[Value::Int(1), text("7"), Value::Int(-1)]),
            Some(Answer::Number(Sum { value: 7, secs_left: None, is_limited: false }))
        ));
        for parts in [&[][..], &[Value::Int(-3)], &[Value::Int(1), text("x"), Value::Int(1)]] {
            assert_eq!(sum(parts), None);
            assert_eq!(parse_bucket(parts), None);
        }
        assert_eq!(parse_bucket(&[1, -1, 0, 0].map(Value::Int)), None, "no bucket holds less than nothing");
    }
}
