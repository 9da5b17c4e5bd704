//! The effective value of every option, for comparing settings. Digests stand for the values, which may be secrets.

use super::{
    environment,
    layers::RawConfig,
    options::{OPTIONS, OptionSpec, Section},
    watched_files::{Digest, WatchedFiles, digest},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Digests by section and option. The digest of an option that names a file covers the content of the file.
#[derive(Clone, Default)]
pub struct EffectiveSettings(BTreeMap<String, BTreeMap<&'static str, Digest>>);

/// An option or a section that differs.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionChange {
    /// `[section] OPTION`, or the title of a section that is new or removed.
    pub location: String,
    /// The change takes effect while the service runs.
    pub live: bool,
}

impl EffectiveSettings {
    /// Computes the digests of all options.
    pub fn new(raw: &RawConfig, files: &WatchedFiles) -> Self {
        let unnamed = Section::ALL.into_iter().filter(|section| section.prefix().is_none()).map(Section::title);
        let mut titles: BTreeSet<String> = raw.titles().map(str::to_owned).collect();
        titles.extend(unnamed.map(str::to_owned));
        let sections = titles.into_iter().map(|title| {
            let digests = section(&title, raw, files);
            (title, digests)
        });
        Self(sections.collect())
    }

    /// Returns the differences between these settings and `newer` ones.
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
                    let what = if old.is_some() { "removed" } else { "new" };
                    let options = old.or(newer.0.get(title)).into_iter().flatten();
                    // An option that the section does not set takes no effect with it.
                    let live = options
                        .filter(|(name, digest)| **digest != default_digest(title, name))
                        .all(|(name, _)| is_live(title, name));
                    changes.push(OptionChange { location: format!("[{title}] ({what})"), live });
                }
            }
        }
        changes
    }
}

impl fmt::Debug for EffectiveSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EffectiveSettings").finish_non_exhaustive()
    }
}

fn section(title: &str, raw: &RawConfig, files: &WatchedFiles) -> BTreeMap<&'static str, Digest> {
    options_of(title)
        .filter(|option| !option.ignored)
        .map(|option| {
            let text = raw.text(title, option.name).filter(|text| !text.is_empty()).or(option.default);
            let mut all = digest(text.unwrap_or_default().as_bytes()).to_vec();
            all.extend(files.digests_for_option(title, option.name).flatten());
            (option.name, digest(&all))
        })
        .collect()
}

/// Returns the digest of an option that is not set.
fn default_digest(title: &str, name: &str) -> Digest {
    let default = options_of(title).find(|option| option.name == name).and_then(|option| option.default);
    digest(&digest(default.unwrap_or_default().as_bytes()))
}

fn is_live(title: &str, name: &str) -> bool {
    options_of(title).any(|option| option.name == name && option.live)
}

/// Returns the options that a section can have.
fn options_of(title: &str) -> impl Iterator<Item = &'static OptionSpec> {
    let kind = environment::kind_of(title);
    OPTIONS.iter().filter(move |option| Some(option.section) == kind)
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
    fn changes_name_section_and_option_and_tell_whether_they_are_live() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = folder.path().join("sealing.key");
        fs::write(&key, KEY).expect("the key is written");
        let hash = format!("api_key_hash=sha256:{KEY}");
        let may = "namespace=c\nscopes=read\n";
        let old = load(
            folder.path(),
            &format!("ENCRYPTION_KEY=sealing.key\n[shard:a]\nmaster=x:1\n[client:c]\n{hash}\n{may}"),
        );
        assert_eq!(old.effective.changes(&old.effective), []);

        fs::write(&key, KEY.replace("00", "ff")).expect("the key is written");
        let sections = format!(
            "PORT=9999\n[redis]\ndb=0\n[shard:a]\nmaster=x:2\n[shard:b]\nmaster=x:3\n[client:d]\n{hash}\n{may}"
        );
        let new = load(folder.path(), &["ENCRYPTION_KEY=sealing.key\n", &sections].concat());
        let changes = old.effective.changes(&new.effective);
        let named: Vec<(&str, bool)> = changes.iter().map(|change| (change.location.as_str(), change.live)).collect();
        let expected = [
            ("[client:c] (removed)", true),
            ("[client:d] (new)", true),
            ("[service] ENCRYPTION_KEY", true),
            ("[service] PORT", false),
            ("[shard:a] master", true),
            ("[shard:b] (new)", true),
        ];
        // A default that is written out is no change, and a key file counts by its content.
        assert_eq!(named, expected);
        assert!(new.files.reread() == new.files);
        fs::write(&key, KEY).expect("the key is written");
        assert!(new.files.reread() != new.files);
    }
}
