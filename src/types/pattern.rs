//! Key → pattern: the parts that differ from key to key are folded into placeholders.

/// Letters and digits of that many places are taken for hexadecimal if they could be and have a digit.
const HEX_CHARS_MIN: usize = 8;
/// Groups of a UUID, in characters.
const UUID: [usize; 5] = [8, 4, 4, 4, 12];

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternPart<'k> {
    /// As it is in the key: letters without digits.
    Word(&'k str),
    /// In place of what differs from key to key: `<n>`, `<hex>` or `<uuid>`.
    Placeholder(&'static str),
    /// As it is in the key: what is neither letter nor digit.
    Between(&'k str),
}

/// `user:42:avatar` → `user:<n>:avatar`, a UUID → `<uuid>`, hexadecimal of eight places or more → `<hex>`.
pub fn pattern(key: &str) -> String {
    let mut folded = String::new();
    pattern_parts(key, |part| {
        let (PatternPart::Word(text) | PatternPart::Placeholder(text) | PatternPart::Between(text)) = part;
        folded.push_str(text);
    });
    folded
}

/// As [`pattern`], part by part.
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

/// What comes after the UUID that the text begins with.
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
    fn what_differs_from_key_to_key_is_folded() {
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
