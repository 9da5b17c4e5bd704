//! The depth of a JSON value: the number of arrays and objects within each other.

/// Maximum number of arrays and objects within each other in a value that is stored. Most parsers read as many.
pub const DEPTH_MAX: usize = 128;

/// The error about a value with too many arrays and objects within each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`value` has more than {DEPTH_MAX} arrays and objects within each other")]
pub struct ValueTooDeep;

/// Returns true if valid JSON has more than [`DEPTH_MAX`] arrays and objects within each other.
pub fn is_too_deep(json: &[u8]) -> bool {
    // Nearly all values have too few brackets, which is quick to see. A bracket in a string counts, too, but does no harm.
    let brackets = json.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    brackets > DEPTH_MAX && depth(json) > DEPTH_MAX
}

/// Returns the number of arrays and objects within each other.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_objects_within_each_other_are_counted_outside_strings() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let is_refused = |json: &str| is_too_deep(json.as_bytes());
        assert!(!is_refused(&nested(DEPTH_MAX)));
        assert!(is_refused(&nested(DEPTH_MAX + 1)));
        assert!(is_refused(&nested(1_000_000)));
        let wide = format!("[{}]", vec![nested(DEPTH_MAX - 1); 100].join(","));
        assert!(!is_refused(&wide));
        assert!(!is_refused(&format!(r#"{{"a\"{0}":["{0}\\"]}}"#, "[{".repeat(1000))));
        assert!(is_refused(&format!("{}1{}", r#"{"a":"#.repeat(129), "}".repeat(129))));
    }
}
