//! Key → pattern: the parts that differ from key to key are folded into placeholders.

/// Letters and digits of that many places are taken for hexadecimal if they could be and have a digit.
const HEX_CHARS_MIN: usize = 8;
/// Groups of a UUID, in characters.
const UUID: [usize; 5] = [8, 4, 4, 4, 12];

/// `user:42:avatar` → `user:<n>:avatar`, a UUID → `<uuid>`, hexadecimal of eight places or more → `<hex>`.
pub fn pattern(key: &str) -> String {
    let mut folded = String::new();
    let mut rest = key;
    while !rest.is_empty() {
        if let Some(after) = after_uuid(rest) {
            folded.push_str("<uuid>");
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        fold(word, &mut folded);
        let other = after.find(char::is_alphanumeric).unwrap_or(after.len());
        folded.push_str(&after[..other]);
        rest = &after[other..];
    }
    folded
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

fn fold(word: &str, folded: &mut String) {
    let is_hex = word.len() >= HEX_CHARS_MIN
        && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic());
    if is_hex {
        return folded.push_str("<hex>");
    }
    let mut in_number = false;
    for character in word.chars() {
        if !character.is_ascii_digit() {
            folded.push(character);
        } else if !in_number {
            folded.push_str("<n>");
        }
        in_number = character.is_ascii_digit();
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
