//! The generator of docs/configuration.md: it writes the page from the list of options.

use super::options::{OPTIONS, OptionSpec, Section};
use std::fmt::Write;

const HEAD: &str = "# Configuration

This page is generated from the list of options in `src/settings/options.rs` by `make docs`. Edit the list, not the page.

`cachefront serve --config config/setup.config` reads an INI file as Python's `RawConfigParser` does. The case of option
names does not count. Values are verbatim: there are no quotes and no escapes, and `%`, `;` and `#` are part of a value.
A comment has a line of its own. A value can continue in indented lines. An existing `setup.config` of the Python service
loads unchanged, unless its `JWT_SECRET_KEY` has fewer than 32 bytes; [operations](operations.md#replace-the-python-service)
says what else to do. `config/setup.config.example` shows every option.

- **Environment.** `CACHEFRONT__SECTION__OPTION` overrides the file: `CACHEFRONT__REDIS__PASSWORD`,
  `CACHEFRONT__SHARD__A__MASTER` for `[shard:a]`, `CACHEFRONT__CLIENT__BILLING__SCOPES` for `[client:billing]`. A reload
  does not change these options.
- **Empty values** are problems, in the file and in the environment: a template that lost a value would change the settings
  unnoticed. Only `replicas`, user names, passwords, `TRUSTED_PROXIES` and `ADMIN_HOSTS` may be empty, which is the same as
  absent. An empty variable of these overrides the file, too.
- **Secrets from files.** `CACHEFRONT__REDIS__PASSWORD_FILE` names a file that holds the password. Every option marked
  *Secret* has such a variable.
- **Live changes.** A change of an option marked *Live* takes effect while the service runs: a moment after its file
  changed (`RELOAD_EVERY_SECS`), or on SIGHUP. The log warns of changes that take effect only at the next start. The
  settings file is watched, and so is every file that an option or a `…_FILE` variable names. Settings with a problem
  change nothing: the log names the problem, and the service keeps its settings. The settings file has to end in a newline
  then, because it could be half written. It is safest to write it under another name and to rename it.
- **Paths** are relative to the working directory. A file that does not exist there is looked for in the folder of the
  settings file.
- **Checks.** `cachefront check-config` reports all problems at once, each with its line: `setup.config:12: [redis] port: …`.
  The service reports the same ones and does not start: its exit status is then 78. Unknown sections and options are
  problems, too. With `--connect` it also connects to every node and sentinel, and names what is wrong there.

The ACL user of Redis needs these commands on the keys:
`ACL SETUSER cachefront on >password ~* -@all +get +set +unlink +info +ping +wait +pttl +getex +expire +persist +exists +del +incrby +time +eval +client|tracking +client|caching`.

- `INFO` and `PING` tell the role of a node, its freshness, and whether it is loading its data. Without `INFO`, replicas are
  not read.
- `WAIT` confirms a WRITE with `\"replicas\"`, and proves for a READ with `\"consistency\":\"master\"` or a sync token that the
  node is the master.
- `CLIENT TRACKING`, `CLIENT CACHING` and `PTTL` are for the near cache. `CLIENT TRACKING` also tells at once that a replica
  has dropped its data.
- A `db` other than 0 needs `+select`. A Redis Cluster needs
  `+readonly +readwrite +asking +cluster|slots +cluster|nodes`.
- `cachefront keys ttl` needs `+type +strlen +getrange` as well, and `cachefront keys sample` also needs
  `+randomkey +dbsize`. `cachefront keys sweep` needs `+scan +dbsize`. These commands can run as another user
  (`CACHEFRONT__REDIS__USERNAME`).
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
