//! The address of the admin port alone, for the commands that ask a running instance.
//!
//! The instance goes on with its previous settings when somebody makes a mistake in the file. So only what is needed here is
//! checked: a mistake elsewhere must not make the instance look dead.

use super::{
    layers::RawConfig,
    options::Section,
    problem::{SettingsProblem, SettingsProblems},
    section_reader::SettingsReader,
};
use std::{ffi::OsString, net::SocketAddr, path::Path};

/// Loads the address of the admin port from the file at `path`, which the environment of the process overrides.
pub fn load_admin_address(path: &Path) -> Result<SocketAddr, SettingsProblems> {
    load_from(path, std::env::vars_os())
}

fn load_from(
    path: &Path,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<SocketAddr, SettingsProblems> {
    let mut raw = RawConfig::load(path, environment);
    // Without the file nothing is known about the port. The default could be that of another instance.
    raw.problems.retain(SettingsProblem::is_of_whole_file);
    let reader = SettingsReader::new(&raw, path.parent().unwrap_or(Path::new(".")));
    let service = reader.section(Section::Service);
    let address = SocketAddr::new(service.ip("ADMIN_HOST"), service.port("ADMIN_PORT", 0));
    let (mut problems, files) = reader.finish();
    if problems.is_empty() {
        return Ok(address);
    }
    // One mistake is enough to say; a file that cannot be read comes first.
    problems.truncate(1);
    let lines = Box::new(raw.lines.clone());
    Err(SettingsProblems { file: path.display().to_string(), problems, tls_files: None, files, lines })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<SocketAddr, SettingsProblems> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("setup.config");
        fs::write(&path, text).expect("the file is written");
        load_from(&path, environment.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    fn address(text: &str, environment: &[(&str, &str)]) -> String {
        load(text, environment).unwrap_or_else(|problems| panic!("{text}: {problems}")).to_string()
    }

    #[test]
    fn mistakes_elsewhere_do_not_matter() {
        for text in [
            "",
            "[service]\n",
            "[service]\nPROT=1\nLOG_LEVEL=loud\nJWT_SECRET_KEY=\nTLS_CERT=nowhere.pem\n",
            "[redis]\nhost=a b\nhost=c\nno option\n[shards:a]\nmaster\n[client:x]\n",
            "PORT=1\n[service\nADMIN_PORT=1\n",
            "[service]\nPORT=9091\n",
        ] {
            assert_eq!(address(text, &[("CACHEFRONT__NONSENSE", "1")]), "127.0.0.1:9091", "{text}");
        }
    }

    #[test]
    fn file_and_environment_name_the_address() {
        let text = "[service]\nadmin_host=::1\nADMIN_PORT=19091\nno option\n";
        assert_eq!(address(text, &[]), "[::1]:19091");
        assert_eq!(address(text, &[("CACHEFRONT__SERVICE__ADMIN_PORT", "1")]), "[::1]:1");
        assert_eq!(address("[DEFAULT]\nADMIN_PORT=2\n[service]\n", &[]), "127.0.0.1:2");
    }

    #[test]
    fn a_mistake_in_the_address_is_one_sentence() {
        let text = "[redis]\nport=x\n[service]\nADMIN_HOST=localhost\nADMIN_PORT=none\n";
        let found = load(text, &[]).expect_err("no address").to_string();
        assert!(found.contains("setup.config:4: [service] ADMIN_HOST: \"localhost\" is not an IP"), "{found}");
        assert!(!found.contains("ADMIN_PORT") && !found.contains('\n'), "{found}");
        let found = load_from(Path::new("/nowhere/setup.config"), []).expect_err("there is no file").to_string();
        assert!(found.starts_with("/nowhere/setup.config cannot be read: "), "{found}");
    }
}
