//! Source files as the house rules see them, with the module path that each one defines.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One Rust file.
pub struct Source {
    /// Path from the root of the repository.
    pub path: String,
    /// Path of the module that the file defines, for example `["store", "node", "state"]`; empty for `lib.rs`.
    pub module: Vec<String>,
    pub text: String,
}

impl Source {
    /// Parses the file.
    pub fn syntax(&self) -> syn::File {
        syn::parse_file(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }

    /// Returns true for a file that other files of its folder belong to: `mod.rs`, or a file beside a folder of its name.
    pub fn is_face_of(&self, other: &Self) -> bool {
        other.module.len() > self.module.len() && other.module.starts_with(&self.module)
    }
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a file below the root.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Reads all Rust files below a folder of the repository.
pub fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(source(&path));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn source(path: &Path) -> Source {
    let text = fs::read_to_string(path).expect("a text");
    let path = path.strip_prefix(root()).expect("a file below the root").to_str().expect("a path in UTF-8").to_owned();
    let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').skip(1).map(str::to_owned).collect();
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    Source { path, module, text }
}
