//! `cachefront hash-key`

use super::Failure;
use crate::settings::{hash_api_key, new_api_key};
use std::io::{self, IsTerminal, Read};

/// Keys from outside may be short, and a plain hash does not protect those.
const KEY_CHARS_MIN: usize = 16;

pub fn run() -> Result<(), Failure> {
    let given =
        given().map_err(|error| Failure::usage(format!("the key on standard input cannot be read: {error}")))?;
    match given.trim_end_matches(['\r', '\n']) {
        "" => {
            let key = new_api_key();
            println!("api_key={key}\napi_key_hash={}", hash_api_key(&key));
        }
        short if short.chars().count() < KEY_CHARS_MIN => {
            return Err(Failure::usage(format!(
                "the key has fewer than {KEY_CHARS_MIN} characters and could be guessed from its hash; without input a good one is made"
            )));
        }
        key => println!("api_key_hash={}", hash_api_key(key)),
    }
    Ok(())
}

/// What was piped in; nothing from a terminal.
fn given() -> io::Result<String> {
    let mut text = String::new();
    if !io::stdin().is_terminal() {
        io::stdin().read_to_string(&mut text)?;
    }
    Ok(text)
}
