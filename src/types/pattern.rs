//! The patterns of keys: variable parts of a key are replaced by placeholders.

/// The minimum length of a hexadecimal number. It must contain both digits and letters.
const HEX_CHARS_MIN: usize = 8;
/// The lengths of a UUID's groups, in characters.
const UUID: [usize; 5] = [8, 4, 4, 4, 12];

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternPart<'k> {
    /// Letters of the key, unchanged.
    Word(&'k str),
    /// A placeholder for a variable part: `<n>`, `<hex>` or `<uuid>`.
    Placeholder(&'static str),
    /// Characters of the key that are neither letters nor digits, unchanged.
    Between(&'k str),
}

/// Returns the pattern of a key: `user:42:avatar` has the pattern `user:<n>:avatar`. A UUID becomes `<uuid>`, a
/// hexadecimal number of at least eight characters becomes `<hex>`.
pub fn pattern(key: &str) -> String {
    let mut folded = String::new();
    pattern_parts(key, |part| {
        let (PatternPart::Word(text) | PatternPart::Placeholder(text) | PatternPart::Between(text)) = part;
        folded.push_str(text);
    });
    folded
}

/// Calls `take` with each part of a key's pattern.
pub fn pattern_parts<'k>(key: &'k str, mut take: impl FnMut(PatternPart<'k>)) {
    let mut rest = key;
    while !rest.is_empty() {
        if let Some(after) = after_uuid(rest) {
            take(PatternPart::Placeholder("<uuid>"));
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        fold(word, &mut take);
        let other = after.find(char::is_alphanumeric).unwrap_or(after.len());
        if other > 0 {
            take(PatternPart::Between(&after[..other]));
        }
        rest = &after[other..];
    }
}

/// Returns the rest of a text after the UUID that it begins with.
fn after_uuid(text: &str) -> Option<&str> {
    let mut rest = text;
    for (number, length) in UUID.into_iter().enumerate() {
        if number > 0 {
            rest = rest.strip_prefix('-')?;
        }
        let group = rest.get(..length)?;
        if !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        rest = &rest[length..];
    }
    (!rest.starts_with(char::is_alphanumeric)).then_some(rest)
}

/// Splits a word of letters and digits into parts.
fn fold<'k>(word: &'k str, take: &mut impl FnMut(PatternPart<'k>)) {
    let is_hex = word.len() >= HEX_CHARS_MIN
        && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic());
    if is_hex {
        return take(PatternPart::Placeholder("<hex>"));
    }
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let in_number = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != in_number).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        take(if in_number { PatternPart::Placeholder("<n>") } else { PatternPart::Word(run) });
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_parts_become_placeholders() {
        for (key, folded) in [
            ("greeting", "greeting"),
            ("user:42:avatar", "user:<n>:avatar"),
            ("page2/item17b", "page<n>/item<n>b"),
            ("session:123e4567-e89b-12d3-a456-426614174000:x", "session:<uuid>:x"),
            ("sha:DEADBEEF01", "sha:<hex>"),
            ("20261122", "<n>"),
            ("feedback", "feedback"),
            ("deadbeef-cafe", "deadbeef-cafe"),
            ("{tag}:7", "{tag}:<n>"),
            ("größe:12é", "größe:<n>é"),
            ("123e4567-e89b-12d3-a456-4266141740001", "<hex>-e<n>b-<n>d<n>-a<n>-<n>"),
            ("", ""),
        ] {
            assert_eq!(pattern(key), folded, "{key}");
        }
    }
}
