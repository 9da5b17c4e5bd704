//! Names and passwords inside URLs, which no message repeats.

use std::borrow::Cow;

/// Returns a text without the name and the password before an `@`, as URLs have them. Everything up to the last `@` may be
/// a password, which can contain any character.
pub fn without_userinfo(text: &str) -> Cow<'_, str> {
    let Some(end) = text.rfind('@') else { return Cow::Borrowed(text) };
    let scheme = match text[..end].split_once("://") {
        Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => &text[..scheme.len() + 3],
        _ => "",
    };
    Cow::Owned(format!("{scheme}…{}", &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_userinfo_of_a_url_is_left_out() {
        for (text, expected) in [
            ("http://host:1/path", "http://host:1/path"),
            ("http://user:password@host:1", "http://…@host:1"),
            ("user:p@ss://word@host", "…@host"),
            ("user:p/w@host:1", "…@host:1"),
            ("@", "…@"),
        ] {
            assert_eq!(without_userinfo(text), expected);
        }
    }
}
