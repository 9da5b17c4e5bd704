//! The recipes of `examples/recipes`: each script runs as it is, and prints the same in every language.

use crate::harness::{API_KEY, Service, authority, report_skipped};
use crate::local_redis::RedisGroup;
use futures_util::future::join_all;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Each recipe, with the lines that it prints.
const RECIPES: [(&str, &str); 5] = [
    (
        "sessions",
        "login: ada has a session\n\
         request: ada is logged in, and the session has all of its time again\n\
         logout: the session is gone\n",
    ),
    (
        "rate_limits",
        "GCRA: 5 of 8 uses allowed\n\
         fixed window: 5 of 8 uses allowed\n\
         GCRA: the third of two uses per second came half a second later\n",
    ),
    (
        "counters",
        "counted: 5 views of 2 pages in one request\n\
         read: home 4, prices 2, about 0\n\
         each counter ends within a day\n",
    ),
    (
        "claims",
        "worker 1 has the job\n\
         worker 2 does not get it\n\
         worker 1 gave it back, and worker 2 has it\n",
    ),
    (
        "cache_aside",
        "first request: 3 of 3 products loaded\n\
         second request: 0 of 3 products loaded\n\
         after a change: product 2 loaded, with its new price\n",
    ),
];

/// A language of the recipes.
#[derive(Clone, Copy)]
struct Language {
    /// Name of its folder.
    folder: &'static str,
    program: &'static str,
    extension: &'static str,
    /// A shell command that succeeds where everything is there that the scripts need.
    probe: &'static str,
    needs: &'static str,
}

const PYTHON: Language = Language {
    folder: "python",
    program: "python3",
    extension: "py",
    probe: "python3 -c 'import requests'",
    needs: "python3 with the package requests",
};
const NODE: Language = Language {
    folder: "node",
    program: "node",
    extension: "mjs",
    probe: "node --eval 'if (!globalThis.fetch) process.exit(1)'",
    needs: "node 18 or newer",
};
const SHELL: Language = Language {
    folder: "sh",
    program: "sh",
    extension: "sh",
    probe: "command -v curl && command -v jq",
    needs: "curl and jq",
};

impl Language {
    /// Returns whether the scripts can run here; says so if they cannot.
    fn is_there(self) -> bool {
        let mut probe = Command::new("sh");
        probe.args(["-c", self.probe]).stdout(Stdio::null()).stderr(Stdio::null());
        let is_there = probe.status().expect("sh runs").success();
        if !is_there {
            report_skipped(&format!("the recipes in {} need {}", self.folder, self.needs));
        }
        is_there
    }
}

/// A service with a Redis of its own, as the scripts see it.
struct RecipeService {
    redis: RedisGroup,
    service: Service,
    folder: TempDir,
}

impl RecipeService {
    fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ca.pem"), authority().pem()).expect("the certificate is written");
        let (redis, service) = Service::with_own_redis();
        Self { redis, service, folder }
    }

    /// Runs a script to its end and returns what it printed.
    async fn run(&self, language: Language, recipe: &str, argument: Option<&str>) -> String {
        let Language { folder, program, extension, .. } = language;
        let script = format!("{}/examples/recipes/{folder}/{recipe}.{extension}", env!("CARGO_MANIFEST_DIR"));
        let certificate = self.folder.path().join("ca.pem");
        let mut command = Command::new(program);
        command.arg(&script).args(argument).stdin(Stdio::null());
        command.env("CACHEFRONT_URL", self.service.url("")).env("CACHEFRONT_API_KEY", API_KEY);
        command.env("CACHEFRONT_CA", &certificate).env("NODE_EXTRA_CA_CERTS", &certificate);
        command.env("NO_PROXY", "localhost").env("no_proxy", "localhost").env("PYTHONDONTWRITEBYTECODE", "1");
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
        let Output { status, stdout, stderr } = output.expect("the script starts");
        let (said, complained) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{script}: {status}: {said}{complained}");
        said.into_owned()
    }

    /// Runs all recipes in this language, at the same time, and checks their lines and the keys that they leave.
    async fn check(&self, language: Language) {
        join_all(RECIPES.map(async |(recipe, expected)| {
            assert_eq!(self.run(language, recipe, None).await, expected, "{recipe} in {}", language.folder);
        }))
        .await;
        let keys = self.redis.master(0).ask("KEYS *").expect("an answer");
        assert!(keys.lines().count() >= 8, "{keys}");
        for key in keys.lines() {
            assert!(key.starts_with("recipe-"), "{key} has no random prefix");
            assert_ne!(self.redis.master(0).ask(&format!("PTTL {key}")).expect("an answer"), ":-1", "{key}");
        }
    }
}

#[tokio::test]
async fn the_recipes_in_python_do_what_they_say() {
    if PYTHON.is_there() {
        RecipeService::open().check(PYTHON).await;
    }
}

#[tokio::test]
async fn the_recipes_in_javascript_do_what_they_say() {
    if NODE.is_there() {
        RecipeService::open().check(NODE).await;
    }
}

#[tokio::test]
async fn the_recipes_in_shell_do_what_they_say() {
    if SHELL.is_there() {
        RecipeService::open().check(SHELL).await;
    }
}

#[tokio::test]
async fn programs_with_the_same_name_share_a_limit() {
    let languages: Vec<Language> = [PYTHON, NODE, SHELL].into_iter().filter(|language| language.is_there()).collect();
    // Two programs at least, so the first language runs twice.
    let Some(first) = languages.first().copied() else { return };
    let service = RecipeService::open();
    let programs = languages.into_iter().chain([first]);
    let said = join_all(programs.map(|language| service.run(language, "rate_limits", Some("recipe-shared")))).await;
    for kind in ["GCRA", "fixed window"] {
        let allowed = said.iter().map(|text| allowed(text, kind)).sum::<u32>();
        assert_eq!(allowed, 5, "{kind}: {said:?}");
    }
}

/// Returns the number of allowed uses in the line of this kind of limit.
fn allowed(text: &str, kind: &str) -> u32 {
    let rest = text.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(": ")).expect("a line");
    rest.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}
