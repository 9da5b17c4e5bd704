//! `cachefront hash-key`: generates an API key, or hashes a given one.

use super::{failure::Failure, output::print};
use crate::settings::{hash_api_key, is_placeholder, new_api_key, without_mark};
use std::io::{self, IsTerminal, Read};

/// Shortest API key that is accepted: a short key can be found from its hash.
const KEY_CHARS_MIN: usize = 16;

/// Prints the hash of the key on standard input; without input, a new key with its hash.
pub fn run() -> Result<(), Failure> {
    let input =
        read_input().map_err(|error| Failure::usage(format!("the key on standard input cannot be read: {error}")))?;
    match without_mark(&input).trim_end_matches(['\r', '\n']) {
        "" => {
            let key = new_api_key();
            print(format!("api_key={key}\napi_key_hash={}\n", hash_api_key(&key)))
        }
        placeholder if is_placeholder(placeholder) => {
            Err(Failure::usage("the key is a placeholder; run the command without input to generate a key"))
        }
        short if short.chars().count() < KEY_CHARS_MIN => Err(Failure::usage(format!(
            "the key has fewer than {KEY_CHARS_MIN} characters and could be guessed from its hash; run the command without input to generate a key"
        ))),
        key => print(format!("api_key_hash={}\n", hash_api_key(key))),
    }
}

/// Reads standard input to its end, unless it is a terminal.
fn read_input() -> io::Result<String> {
    let mut text = String::new();
    if !io::stdin().is_terminal() {
        io::stdin().read_to_string(&mut text)?;
    }
    Ok(text)
}
