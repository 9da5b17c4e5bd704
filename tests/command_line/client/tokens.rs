//! The saved token: one login serves many commands.

use super::{failed, printed};
use crate::{result, running::Running};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

const READER_KEY: &str = "the-key-of-the-reader-0123456789";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn a_saved_token_is_used_until_it_expires_or_is_refused() {
    let hash = cachefront::settings::hash_api_key(READER_KEY);
    let running = Running::start(&format!("[client:reader]\napi_key_hash={hash}\nnamespace=*\nscopes=read\n"));
    let folder = running.setup.file("caches/cachefront");
    let mut reader = running.client(&["read", "k"]);
    assert_eq!(result(&reader.env("CACHEFRONT_API_KEY", READER_KEY).output().expect("it runs")).0, 1);
    let readers = files(&folder).pop().expect("a file");
    let write = || running.ask(&["write", "k", "v"]);
    assert_eq!(write(), printed(""));
    let file = files(&folder).into_iter().find(|path| *path != readers).expect("a file for each API key");
    assert_eq!((mode(&folder), mode(&file), mode(&readers)), (0o700, 0o600, 0o600));
    let name = file.file_name().and_then(|name| name.to_str()).expect("a text");
    assert!(name.len() == "token-".len() + 64 && !name.contains("hunter2"), "{name}");
    // The token of the reader may not write, which shows that it is used.
    fs::copy(&readers, &file).expect("it is copied");
    let (status, _, err) = write();
    assert_eq!(status, 2);
    assert!(err.contains("403 scope_missing"), "{err}");
    let saved = || serde_json::from_slice::<Value>(&fs::read(&file).expect("a file")).expect("JSON");
    let save = |token: &str, value: Value| {
        let mut changed = saved();
        changed[token] = value;
        fs::write(&file, changed.to_string()).expect("it is written");
    };
    save("unusable_from", json!(1));
    assert_eq!(write(), printed(""));
    let renewed = saved();
    assert!(renewed["unusable_from"].as_u64() > Some(1), "the new token is saved");
    // As after a change of the key that signs tokens.
    save("access_token", json!("refused"));
    assert_eq!(write(), printed(""));
    assert_ne!(saved()["access_token"], json!("refused"));
    // A damaged file is no obstacle, and other users never get to read it.
    fs::write(&file, "{").expect("it is written");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("it is changed");
    assert_eq!(write(), printed(""));
    assert_eq!((mode(&folder), mode(&file), files(&folder).len()), (0o700, 0o600, 2));
}

#[test]
fn client_commands_work_without_a_folder_for_caches() {
    let running = Running::start("");
    fs::write(running.setup.file("file"), "").expect("it is written");
    let mut command = running.client(&["write", "k", "v"]);
    let output = command.env("XDG_CACHE_HOME", running.setup.file("file")).output().expect("it runs");
    assert_eq!(result(&output), printed(""));
    // A relative folder is none, as the specification says; then there is the home.
    let home = running.setup.file("home");
    let mut command = running.client(&["read", "none"]);
    command.env("XDG_CACHE_HOME", "caches").env("HOME", &home).current_dir(running.setup.file("."));
    assert_eq!(result(&command.output().expect("it runs")), failed(1, "none not found"));
    assert_eq!(files(&home.join(".cache/cachefront")).len(), 1);
    assert!(!running.setup.file("caches").exists());
}
