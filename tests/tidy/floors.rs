//! The floors: imports point down, neighbours do not import each other, and nothing goes round in circles.

use crate::sources::{Source, read, sources};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};

/// The rooms of a folder from the ground up; neighbours on one floor do not import each other.
struct House {
    /// The module whose children stand on the floors; empty for the crate.
    folder: &'static str,
    floors: &'static [&'static [&'static str]],
}

const CRATE: House = House {
    folder: "",
    floors: &[
        &["ring", "types"],
        &["settings"],
        &["telemetry"],
        &["near_cache", "sealing", "store"],
        &["auth", "cache"],
        &["http"],
        &["api", "admin"],
        &["server"],
        &["cli"],
    ],
};
const HOUSES: &[House] = &[
    CRATE,
    House {
        folder: "store",
        floors: &[
            &["change_signal", "consistency", "simulation"],
            &["protocol"],
            &["error", "store_config"],
            &["node"],
            &["shard"],
            &["shard_map"],
            &["topology", "inspection"],
            &["operation", "metrics"],
            &["status"],
        ],
    },
];

/// Names that an import statement or a path in the code reaches, from the root of the crate.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
}

impl Paths {
    fn of(file: &syn::File) -> Vec<Vec<String>> {
        let mut paths = Self::default();
        paths.visit_file(file);
        paths.found
    }

    fn tree(&mut self, tree: &syn::UseTree, before: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(&path.tree, before);
                before.pop();
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before)),
            syn::UseTree::Name(name) => self.leaf(before, Some(name.ident.to_string())),
            syn::UseTree::Rename(name) => self.leaf(before, Some(name.ident.to_string())),
            syn::UseTree::Glob(_) => self.leaf(before, None),
        }
    }

    /// Finds the paths in the arguments of a macro or an attribute, which are not parsed.
    fn tokens(&mut self, tokens: &proc_macro2::TokenStream) {
        let text = tokens.to_string().replace(" :: ", "::");
        let words =
            text.split(|character: char| !(character.is_alphanumeric() || character == '_' || character == ':'));
        for word in words.filter(|word| word.starts_with("crate::") || word.starts_with("super::")) {
            self.found.push(word.split("::").map(str::to_owned).collect());
        }
    }

    fn leaf(&mut self, before: &[String], name: Option<String>) {
        self.found.push(before.iter().cloned().chain(name.filter(|name| name != "self")).collect());
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.tree(&item.tree, &mut Vec::new());
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if ["crate", "super", "self"].contains(&names[0].as_str()) {
            self.found.push(names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'a syn::Macro) {
        self.tokens(&item.tokens);
    }

    fn visit_meta_list(&mut self, list: &'a syn::MetaList) {
        self.tokens(&list.tokens);
    }

    /// `pub(super)` imports nothing.
    fn visit_vis_restricted(&mut self, _: &'a syn::VisRestricted) {}

    /// Tests may use whatever they need.
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

/// Resolves `crate`, `super` and `self` to a path from the root; `None` for a path that leads elsewhere.
fn absolute(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let mut names = path.iter().map(String::as_str).peekable();
    let mut found: Vec<String> = match names.next()? {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module[..module.len().checked_sub(1)?].to_vec(),
        _ => return None,
    };
    while names.peek() == Some(&"super") {
        names.next();
        found.pop()?;
    }
    found.extend(names.map(str::to_owned));
    Some(found)
}

/// Returns the modules that only tests have: they may use whatever they need.
fn test_modules(sources: &[Source]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for source in sources {
        for item in source.syntax().items {
            let syn::Item::Mod(item) = item else { continue };
            let is_test = |attribute: &syn::Attribute| {
                matches!(&attribute.meta, syn::Meta::List(list)
                    if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
            };
            if item.content.is_none() && item.attrs.iter().any(is_test) {
                found.push(source.module.iter().cloned().chain([item.ident.to_string()]).collect());
            }
        }
    }
    found
}

/// Arrows between files: positions in `sources` of the importing file and of the one that it imports from.
fn arrows(sources: &[Source]) -> BTreeSet<(usize, usize)> {
    let modules: BTreeMap<&[String], usize> =
        sources.iter().enumerate().map(|(position, source)| (source.module.as_slice(), position)).collect();
    let mut found = BTreeSet::new();
    let of_tests = test_modules(sources);
    let shipped = |source: &Source| !of_tests.iter().any(|module| source.module.starts_with(module));
    for (position, source) in sources.iter().enumerate().filter(|(_, source)| shipped(source)) {
        for path in Paths::of(&source.syntax()) {
            let Some(target) = absolute(&path, &source.module) else { continue };
            let longest = (0..=target.len()).rev().find_map(|length| modules.get(&target[..length]));
            if let Some(other) = longest.filter(|other| **other != position) {
                found.insert((position, *other));
            }
        }
    }
    found
}

/// The room of `folder` that a file stands in.
fn room<'a>(source: &'a Source, folder: &str) -> Option<&'a str> {
    let depth = folder.split("::").filter(|name| !name.is_empty()).count();
    let inside =
        source.module.iter().take(depth).map(String::as_str).eq(folder.split("::").filter(|name| !name.is_empty()));
    inside.then(|| source.module.get(depth)).flatten().map(String::as_str)
}

fn floor(house: &House, room: &str) -> usize {
    let found = house.floors.iter().position(|rooms| rooms.contains(&room));
    found.unwrap_or_else(|| panic!("{}::{room} stands on no floor: add it to tests/tidy/floors.rs", house.folder))
}

#[test]
fn imports_point_down() {
    let sources = sources("src");
    let mut wrong = Vec::new();
    for (from, to) in arrows(&sources) {
        for house in HOUSES {
            let (Some(own), Some(other)) = (room(&sources[from], house.folder), room(&sources[to], house.folder))
            else {
                continue;
            };
            if own != other && floor(house, other) >= floor(house, own) {
                wrong.push(format!("{} imports {}", sources[from].path, sources[to].path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Returns the imports of a file from the face of a folder that it stands in.
fn imports_from_own_face(sources: &[Source]) -> Vec<String> {
    arrows(sources)
        .into_iter()
        .filter(|(from, to)| sources[*to].is_face_of(&sources[*from]))
        .map(|(from, to)| format!("{} imports {}", sources[from].path, sources[to].path))
        .collect()
}

#[test]
fn no_file_imports_the_face_of_its_folder() {
    let wrong = imports_from_own_face(&sources("src"));
    assert!(wrong.is_empty(), "move what is shared into a file beside these, and re-export it: {wrong:#?}");
}

#[test]
fn an_import_from_the_own_face_is_seen() {
    let source = |path: &str, module: &[&str], text: &str| Source {
        path: path.to_owned(),
        module: module.iter().map(|name| (*name).to_owned()).collect(),
        text: text.to_owned(),
    };
    let house = [
        source("a/mod.rs", &["a"], "mod b; mod c; #[cfg(test)] mod d; pub use b::B; pub struct A;"),
        source("a/b.rs", &["a", "b"], "use super::A; pub struct B(A);"),
        source("a/c.rs", &["a", "c"], "use super::b::B; pub struct C { pub(super) b: B }"),
        source("a/d.rs", &["a", "d"], "use super::*;"),
    ];
    assert_eq!(imports_from_own_face(&house), ["a/b.rs imports a/mod.rs"]);
}

#[test]
fn no_imports_go_round_in_circles() {
    let sources = sources("src");
    let mut next: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, to) in arrows(&sources) {
        next.entry(from).or_default().push(to);
    }
    let mut circles = Vec::new();
    for (start, source) in sources.iter().enumerate() {
        let (mut seen, mut open) = (BTreeSet::new(), next.get(&start).cloned().unwrap_or_default());
        while let Some(position) = open.pop() {
            if seen.insert(position) {
                open.extend(next.get(&position).into_iter().flatten().copied());
            }
        }
        if seen.contains(&start) {
            circles.push(source.path.clone());
        }
    }
    assert!(circles.is_empty(), "these files are on a circle of imports: {circles:#?}");
}

#[test]
fn an_arrow_that_points_up_is_seen() {
    let found = |text: &str, module: &[&str]| -> Vec<String> {
        let module: Vec<String> = module.iter().map(|name| (*name).to_owned()).collect();
        let paths = Paths::of(&syn::parse_file(text).expect("Rust"));
        paths.iter().filter_map(|path| absolute(path, &module)).map(|path| path.join("::")).collect()
    };
    assert_eq!(found("use crate::store::Store;", &["api"]), ["store::Store"]);
    assert_eq!(found("use crate::{api::{self, App}, types::Key};", &["cli"]), ["api", "api::App", "types::Key"]);
    assert_eq!(found("fn run() { crate::cli::run(super::other()) }", &["a", "b"]), ["cli::run", "a::other"]);
    assert_eq!(found("fn run() { vec![crate::cli::run(1)] }", &["a"]), ["cli::run"]);
    assert_eq!(found("#[error(\"{}\", super::c::D.x())] struct E;", &["a", "b"]), ["a::c::D"]);
    assert!(floor(&CRATE, "api") > floor(&CRATE, "cache"));
}

#[test]
fn the_architecture_shows_these_floors() {
    let text = read("ARCHITECTURE.md");
    for (number, rooms) in CRATE.floors.iter().enumerate() {
        for room in *rooms {
            let line = format!("{number}  {room}/");
            assert!(text.lines().any(|given| given.starts_with(&line)), "ARCHITECTURE.md lacks the line \"{line}\"");
        }
    }
}
