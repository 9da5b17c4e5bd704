//! The token of the last login, kept in a file so that the next command needs no login.

use crate::{
    cli::remote::{
        login::{LoginRequest, LoginResponse},
        variable::variable,
    },
    settings::hash_api_key,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::{
    env,
    fs::{self, DirBuilder, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use tempfile::NamedTempFile;

/// Mode of the folder.
const PRIVATE_FOLDER: u32 = 0o700;
/// Seconds before its end from which a token is not used any more.
const MARGIN_SECS: u64 = 30;

/// The file for the tokens of one URL, client and API key.
pub struct TokenFile {
    /// The path; `None` if there is no folder for caches.
    path: Option<PathBuf>,
}

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct SavedToken {
    access_token: String,
    /// Seconds since 1970 from which the token is not used any more.
    unusable_from: u64,
}

impl TokenFile {
    /// Returns the file for this URL and login. Its name is a hash of them.
    pub fn new(url: &str, login: &LoginRequest) -> Self {
        let client = login.client_id.as_deref().unwrap_or_default();
        let identity = hash_api_key(&format!("{url}\n{client}\n{}", login.api_key.expose_secret()));
        let name = identity.rsplit(':').next().unwrap_or_default();
        Self { path: folder().map(|folder| folder.join(format!("token-{name}"))) }
    }

    /// Returns the saved token; `None` if there is none, or if it expires soon.
    pub fn load(&self) -> Option<String> {
        let saved: SavedToken = serde_json::from_slice(&fs::read(self.path.as_ref()?).ok()?).ok()?;
        let is_usable =
            saved.unusable_from > now_secs() && saved.access_token.bytes().all(|byte| byte.is_ascii_graphic());
        is_usable.then_some(saved.access_token)
    }

    /// Saves a new token. Without a writable folder, each command logs in.
    pub fn save(&self, granted: &LoginResponse) {
        let margin = MARGIN_SECS.min(granted.expires_in / 2);
        let saved = SavedToken {
            access_token: granted.access_token.clone(),
            unusable_from: now_secs().saturating_add(granted.expires_in - margin),
        };
        if let Some(path) = &self.path {
            let _saved = write(path, &saved);
        }
    }
}

/// Writes the file as a whole; nobody but its owner can read it or its folder.
fn write(path: &Path, saved: &SavedToken) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(PRIVATE_FOLDER))?;
    // A temporary file has the mode 0600.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(saved)?)?;
    file.persist(path)?;
    Ok(())
}

/// Returns the folder `cachefront` among the caches of the user.
fn folder() -> Option<PathBuf> {
    // The specification of XDG says that a relative path is ignored.
    let given = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = given.or_else(|| env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".cache")));
    caches.map(|caches| caches.join("cachefront"))
}

fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
