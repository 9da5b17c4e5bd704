//! The protocol of Redis (RESP3), as far as a node needs it.

/// Takes one command from the front of `input`; `None` until it is complete.
pub fn take_command(input: &mut Vec<u8>) -> Option<Vec<String>> {
    let (mut at, count) = number(input, 0, b'*')?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let (start, length) = number(input, at, b'$')?;
        let word = input.get(start..start + length)?;
        input.get(start + length + 1)?;
        words.push(String::from_utf8_lossy(word).into_owned());
        at = start + length + 2;
    }
    input.drain(..at);
    Some(words)
}

/// Reads a line such as `*3` at a position. Returns the position behind it, and the number.
fn number(input: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let end = at + input.get(at..)?.windows(2).position(|pair| pair == b"\r\n")?;
    assert_eq!(input[at], kind, "the store sends arrays of strings");
    let digits = std::str::from_utf8(&input[at + 1..end]).expect("digits");
    Some((end + 2, digits.parse().expect("a number")))
}

pub fn simple(text: &str) -> Vec<u8> {
    format!("+{text}\r\n").into_bytes()
}

pub fn error(text: &str) -> Vec<u8> {
    format!("-{text}\r\n").into_bytes()
}

pub fn integer(number: i64) -> Vec<u8> {
    format!(":{number}\r\n").into_bytes()
}

pub fn count(number: usize) -> Vec<u8> {
    integer(i64::try_from(number).expect("a small number"))
}

pub fn nil() -> Vec<u8> {
    b"_\r\n".to_vec()
}

pub fn bulk(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

pub fn array(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    collection('*', items)
}

/// Returns the report that a key has changed, or all keys.
pub fn invalidation(key: Option<&str>) -> Vec<u8> {
    push([bulk("invalidate"), key.map_or_else(nil, |key| array([bulk(key)]))])
}

/// Returns a message that answers no command.
pub fn push(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    collection('>', items)
}

fn collection(kind: char, items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let items: Vec<Vec<u8>> = items.into_iter().collect();
    let mut bytes = format!("{kind}{}\r\n", items.len()).into_bytes();
    for item in items {
        bytes.extend(item);
    }
    bytes
}
