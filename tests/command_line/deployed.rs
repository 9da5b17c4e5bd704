//! The scripts of the deployment: no secret is empty, and Redis does not start without its password.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");

/// The programs that the scripts use besides openssl and Redis.
const TOOLS: [&str; 14] =
    ["awk", "cat", "chmod", "dirname", "grep", "head", "mkdir", "mv", "rm", "sh", "sort", "tr", "uniq", "wc"];

/// A folder of programs that takes the place of `PATH`.
struct Programs(TempDir);

impl Programs {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for tool in TOOLS {
            let found = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(tool));
            let found = found.iter().find(|path| path.exists()).expect(tool);
            symlink(found, folder.path().join(tool)).expect("a link");
        }
        Self(folder)
    }

    /// Adds a program of these shell commands.
    fn with(self, name: &str, commands: &str) -> Self {
        let path = self.0.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{commands}\n")).expect("it is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
        self
    }

    /// Runs a script with these programs only.
    fn run(&self, script: &Path, environment: &[(&str, &Path)]) -> Output {
        let mut command = Command::new("/bin/sh");
        command.arg(script).env_clear().env("PATH", self.0.path()).envs(environment.iter().copied());
        command.output().expect("the shell runs")
    }
}

/// Copies `secrets.sh` to a folder of its own; returns the folder, the script and the folder of the secrets.
fn secrets_script() -> (TempDir, std::path::PathBuf, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let (script, secrets) = (folder.path().join("secrets.sh"), folder.path().join("secrets"));
    fs::copy(format!("{DEPLOY}/secrets.sh"), &script).expect("it is copied");
    (folder, script, secrets)
}

/// Returns the names of the files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn no_secret_is_made_without_openssl() {
    let (_folder, script, secrets) = secrets_script();
    for (programs, expected) in [
        (Programs::new(), "openssl is not installed"),
        (Programs::new().with("openssl", "exit 1"), "openssl has failed, and JWT_SECRET_KEY was not made"),
        (Programs::new().with("openssl", "echo 1234; exit 1"), "openssl has failed, and JWT_SECRET_KEY was not made"),
    ] {
        let output = programs.run(&script, &[]);
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && err.contains(expected), "{err}");
        assert_eq!(names(&secrets), [""; 0]);
    }
}

#[test]
fn a_secret_that_an_earlier_run_left_empty_is_made_and_others_are_kept() {
    let (_folder, script, secrets) = secrets_script();
    fs::create_dir(&secrets).expect("a folder");
    fs::write(secrets.join("REDIS_PASSWORD"), "").expect("it is written");
    fs::write(secrets.join("JWT_SECRET_KEY"), "kept").expect("it is written");
    let pem = "-".repeat(64);
    let fake = format!(
        "case $1 in rand) echo {}; ;; *) echo {pem} > key.pem; echo {pem} > cert.pem; ;; esac",
        "0a".repeat(32)
    );
    let output = Programs::new().with("openssl", &fake).run(&script, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| fs::read_to_string(secrets.join(name)).expect(name);
    assert_eq!((read("JWT_SECRET_KEY"), read("REDIS_PASSWORD")), ("kept".to_owned(), "0a".repeat(32)));
    fs::write(secrets.join("tls.key"), "").expect("it is written");
    let output = Programs::new().with("openssl", &fake).run(&script, &[]);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && err.contains("of tls.crt and tls.key, one is missing or empty"), "{err}");
}

#[test]
fn the_deployed_redis_does_not_start_without_a_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let (password, started) = (folder.path().join("password"), folder.path().join("started"));
    fs::write(
        folder.path().join("common.sh"),
        fs::read(format!("{DEPLOY}/helm/cachefront/files/common.sh")).expect("a script"),
    )
    .expect("it is written");
    let programs = Programs::new()
        .with("redis-server", "cat > \"$STARTED\"")
        .with("redis-cli", "exit 1")
        .with("timeout", "exit 1");
    let programs = programs.with("sleep", ":");
    let environment = [
        ("REDIS_PASSWORD_FILE", password.as_path()),
        ("STARTED", started.as_path()),
        ("FOLDER", folder.path()),
        ("DATA", folder.path()),
        ("NODES", Path::new("node")),
        ("SELF", Path::new("node")),
    ];
    for script in ["kubernetes/base/redis/start.sh", "helm/cachefront/files/redis.sh"] {
        let script = Path::new(DEPLOY).join(script);
        for wrong in [
            "",
            "\n",
            "change-me",
            "CHANGEME",
            "with blank",
            "with\"quote",
            "with'quote",
            "with\\backslash",
            "two\nlines",
        ] {
            fs::write(&password, wrong).expect("it is written");
            let output = programs.run(&script, &environment);
            let err = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && err.contains("Redis does not start"), "{script:?} {wrong:?}: {err}");
            assert!(!started.exists(), "{script:?} {wrong:?}");
        }
        fs::write(&password, "hunter2hunter2\n").expect("it is written");
        let output = programs.run(&script, &environment);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let configuration = fs::read_to_string(&started).expect("Redis was started");
        assert!(configuration.contains("requirepass \"hunter2hunter2\"\n"), "{configuration}");
        fs::remove_file(&started).expect("it is removed");
    }
}
