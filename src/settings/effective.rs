//! What every option is set to, so that settings can be compared: as digests, which keep no secret.

use super::{
    environment,
    files::{Digest, WatchedFiles, digest},
    layers::RawConfig,
    options::{OPTIONS, Section},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// By section, then by option; of options that name files, with what the files hold.
#[derive(Clone, Default)]
pub struct EffectiveSettings(BTreeMap<String, BTreeMap<&'static str, Digest>>);

/// An option, or a section, that differs.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionChange {
    /// `[section] OPTION`, or a whole section that is new or gone.
    pub location: String,
    /// It can take effect while the service runs.
    pub live: bool,
}

impl EffectiveSettings {
    pub fn new(found: &RawConfig, files: &WatchedFiles) -> Self {
        let always = Section::ALL.into_iter().filter(|section| section.prefix().is_none());
        let always = always.map(|section| section.title().to_owned());
        let titles: BTreeSet<String> = found.sections.keys().cloned().chain(always).collect();
        Self(titles.into_iter().map(|title| (title.clone(), section(&title, found, files))).collect())
    }

    /// What is different in `newer`.
    pub fn changes(&self, newer: &Self) -> Vec<OptionChange> {
        let titles: BTreeSet<&String> = self.0.keys().chain(newer.0.keys()).collect();
        let mut changes = Vec::new();
        for title in titles {
            match (self.0.get(title), newer.0.get(title)) {
                (Some(old), Some(new)) => {
                    let names = new.keys().filter(|name| old.get(*name) != new.get(*name));
                    changes.extend(names.map(|name| OptionChange {
                        location: format!("[{title}] {name}"),
                        live: is_live(title, name),
                    }));
                }
                (old, _) => {
                    let what = if old.is_some() { "gone" } else { "new" };
                    let options = old.or(newer.0.get(title)).into_iter().flatten();
                    // What it does not set does not matter.
                    let live =
                        options.filter(|(name, set)| **set != unset(title, name)).all(|(name, _)| is_live(title, name));
                    changes.push(OptionChange { location: format!("[{title}] ({what})"), live });
                }
            }
        }
        changes
    }
}

impl fmt::Debug for EffectiveSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effective").finish_non_exhaustive()
    }
}

fn section(title: &str, found: &RawConfig, files: &WatchedFiles) -> BTreeMap<&'static str, Digest> {
    let given = found.sections.get(title);
    let options =
        OPTIONS.iter().filter(|option| Some(option.section) == environment::kind_of(title) && !option.ignored);
    options
        .map(|option| {
            let given = given.and_then(|options| options.get(&option.name.to_ascii_lowercase()));
            let text = given.map(String::as_str).filter(|text| !text.is_empty()).or(option.default).unwrap_or_default();
            let mut all = digest(text.as_bytes()).to_vec();
            all.extend(files.held_for(title, option.name).flatten());
            (option.name, digest(&all))
        })
        .collect()
}

/// What stands for an option that is not set.
fn unset(title: &str, name: &str) -> Digest {
    let kind = environment::kind_of(title);
    let option = OPTIONS.iter().find(|option| Some(option.section) == kind && option.name == name);
    let default = option.and_then(|option| option.default).unwrap_or_default();
    digest(&digest(default.as_bytes()))
}

fn is_live(title: &str, name: &str) -> bool {
    let kind = environment::kind_of(title);
    OPTIONS.iter().any(|option| Some(option.section) == kind && option.name == name && option.live)
}

#[cfg(test)]
mod tests {
    use crate::settings::{Settings, load_with};
    use std::{fs, path::Path};

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn load(folder: &Path, text: &str) -> Settings {
        let path = folder.join("setup.config");
        let always =
            "[service]\nJWT_SECRET_KEY=0123456789abcdef0123456789abcdef\nSRVC_SHARED_SECRET=0123456789abcdef\n";
        fs::write(&path, [always, text].concat()).expect("the file is written");
        load_with(&path, []).unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn changes_are_told_by_section_and_option_with_what_they_take() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = folder.path().join("sealing.key");
        fs::write(&key, KEY).expect("the key is written");
        let hash = format!("api_key_hash=sha256:{KEY}");
        let old =
            load(folder.path(), &format!("ENCRYPTION_KEY=sealing.key\n[shard:a]\nmaster=x:1\n[client:c]\n{hash}\n"));
        assert_eq!(old.effective.changes(&old.effective), []);

        fs::write(&key, KEY.replace("00", "ff")).expect("the key is written");
        let sections = format!(
            "PORT=9999\n[redis]\ndb=0\n[shard:a]\nmaster=x:2\n[shard:b]\nmaster=x:3\n[client:d]\n{hash}\nscopes=read\n"
        );
        let new = load(folder.path(), &["ENCRYPTION_KEY=sealing.key\n", &sections].concat());
        let changes = old.effective.changes(&new.effective);
        let told: Vec<(&str, bool)> = changes.iter().map(|change| (change.location.as_str(), change.live)).collect();
        let expected = [
            ("[client:c] (gone)", true),
            ("[client:d] (new)", true),
            ("[service] ENCRYPTION_KEY", true),
            ("[service] PORT", false),
            ("[shard:a] master", true),
            ("[shard:b] (new)", true),
        ];
        // A default that is written out is no change, and a key file counts by what it holds.
        assert_eq!(told, expected);
        assert!(new.files.reread() == new.files);
        fs::write(&key, KEY).expect("the key is written");
        assert!(new.files.reread() != new.files);
    }
}
