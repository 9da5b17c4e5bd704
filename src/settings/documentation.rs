//! The generator of docs/configuration.md: it writes the page from the list of options.

use super::options::{OPTIONS, OptionSpec, Section};
use std::fmt::Write;

const HEAD: &str = "# Configuration

Made from the list of options in `src/settings/options.rs` by `make docs`; edit that.

`cachefront serve --config config/setup.config` reads an INI file as Python's `RawConfigParser` does: option names have
no case, values are verbatim (no quotes, no escapes, `%`, `;` and `#` stay), comments stand on lines of their own, a
value goes on in indented lines. An existing `setup.config` of the Python service loads as it is, but for a
`JWT_SECRET_KEY` under 32 bytes. `config/setup.config.example` shows every option.

- **Environment.** `CACHEFRONT__SECTION__OPTION` overrides the file: `CACHEFRONT__REDIS__PASSWORD`,
  `CACHEFRONT__SHARD__A__MASTER` for `[shard:a]`, `CACHEFRONT__CLIENT__BILLING__SCOPES` for `[client:billing]`.
- **Secrets from files.** `CACHEFRONT__REDIS__PASSWORD_FILE` names a file that holds the password, and so for every
  option marked *secret*.
- **Live changes.** What is marked *live* takes effect while the service runs, a moment after its file changed
  (`RELOAD_EVERY_SECS`) or on SIGHUP; the rest at the next start, of which the log warns. Looked at are the settings
  file and every file that it or a `…_FILE` names. Settings with a problem change nothing: the log says what is wrong,
  and the service goes on with those it has.
- **Paths** count from the working directory; what is not there is looked for beside the settings file.
- **Checks.** `cachefront check-config` reports all problems at once. Nothing is served with wrong settings: the exit
  status is then 78. Unknown sections and options are problems, too.

A Redis user needs these commands on the keys:
`ACL SETUSER cachefront on >password ~* -@all +get +set +unlink +info +ping +wait +pttl +exists +eval`.
`INFO` and `PING` tell roles, freshness and whether a node is loading; `WAIT` is for `\"replicas\"`; the last three are for
keys that move to another shard. With another `db` than 0 it needs `+select` as well, for a Redis Cluster
`+readonly +asking +cluster|slots +cluster|nodes`. `cachefront keys ttl` needs `+type +strlen +getrange` as well, and
`cachefront keys sample` also `+randomkey +dbsize`; they can be another user's (`CACHEFRONT__REDIS__USERNAME`). What the
environment sets, the file cannot change while the service runs.
";

/// Returns the whole page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for section in Section::ALL {
        let _ = write!(page, "\n## [{}]\n\n| option | default | meaning |\n| --- | --- | --- |\n", section.title());
        for option in OPTIONS.iter().filter(|option| option.section == section) {
            let _ = writeln!(page, "{}", row(option));
        }
    }
    page
}

fn row(option: &OptionSpec) -> String {
    let default = option.default.map_or("–".to_owned(), |default| format!("`{default}`"));
    let secret = if option.secret { " *Secret.*" } else { "" };
    let live = if option.live { " *Live.*" } else { "" };
    format!("| `{}` | {default} | {}{secret}{live} |", option.name, option.help)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `CACHEFRONT_WRITE_DOCS` set, as `make docs` sets it, the test writes the page.
    #[test]
    fn the_documentation_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        if std::env::var_os("CACHEFRONT_WRITE_DOCS").is_some() {
            std::fs::write(path, page()).expect("the page is written");
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == page(), "docs/configuration.md is out of date: run `make docs`");
    }
}
