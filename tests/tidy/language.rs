//! The language of the code: doc comments say what a thing is or does, and a name stands for one thing.

use crate::sources::{Source, sources};
use std::collections::BTreeMap;
use syn::{
    Attribute, Expr, Visibility,
    spanned::Spanned,
    visit::{self, Visit},
};

/// First words with which no doc comment begins: they tell that the subject is missing.
const NO_BEGINNINGS: [&str; 13] =
    ["What", "How", "Of", "Where", "Whether", "As", "Such", "So", "Who", "When", "Which", "Whose", "Why"];
/// Names that each module may define for itself.
const NAMES_OF_MODULES: [&str; 2] = ["Config", "Error"];
/// Closures with a name, for each 1,000 lines.
const NAMED_CLOSURES_MAX: usize = 1;

/// Public items without a doc comment, type definitions and named closures of a file.
#[derive(Default)]
struct Findings {
    undocumented: Vec<(usize, String)>,
    types: Vec<String>,
    named_closures: Vec<usize>,
}

impl Findings {
    fn of(source: &Source) -> Self {
        let mut findings = Self::default();
        findings.visit_file(&source.syntax());
        findings
    }

    fn item(&mut self, visibility: &Visibility, attributes: &[Attribute], name: &syn::Ident) {
        if !matches!(visibility, Visibility::Inherited) && !is_documented(attributes) {
            self.undocumented.push((name.span().start().line, name.to_string()));
        }
    }

    fn define(&mut self, visibility: &Visibility, attributes: &[Attribute], name: &syn::Ident) {
        self.item(visibility, attributes, name);
        self.types.push(name.to_string());
    }
}

fn is_documented(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("doc"))
}

/// First lines of the doc comments of a text, with their line numbers.
fn docs(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut before = None;
    for (number, line) in text.lines().enumerate() {
        let now = ["/// ", "//! "].into_iter().find(|mark| line.trim_start().starts_with(mark));
        if now.is_some() && before != now {
            found.push((number + 1, &line.trim_start()[4..]));
        }
        before = now;
    }
    found
}

impl<'a> Visit<'a> for Findings {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        self.define(&item.vis, &item.attrs, &item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        self.define(&item.vis, &item.attrs, &item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'a syn::ItemTrait) {
        self.define(&item.vis, &item.attrs, &item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'a syn::ItemType) {
        self.define(&item.vis, &item.attrs, &item.ident);
        visit::visit_item_type(self, item);
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.item(&item.vis, &item.attrs, &item.sig.ident);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.item(&item.vis, &item.attrs, &item.sig.ident);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_const(&mut self, item: &'a syn::ItemConst) {
        self.item(&item.vis, &item.attrs, &item.ident);
        visit::visit_item_const(self, item);
    }

    fn visit_local(&mut self, local: &'a syn::Local) {
        if local.init.as_ref().is_some_and(|init| matches!(*init.expr, Expr::Closure(_))) {
            self.named_closures.push(local.span().start().line);
        }
        visit::visit_local(self, local);
    }
}

fn first_word(text: &str) -> &str {
    text.split(|character: char| !character.is_alphanumeric() && character != '\'').next().unwrap_or_default()
}

#[test]
fn no_doc_comment_begins_with_a_question_word() {
    let mut wrong = Vec::new();
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        for (line, text) in docs(&source.text) {
            if NO_BEGINNINGS.contains(&first_word(text)) {
                wrong.push(format!("{}:{line}: {text}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{} doc comments: {wrong:#?}", wrong.len());
}

#[test]
fn every_public_item_is_documented() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        for (line, name) in Findings::of(&source).undocumented {
            wrong.push(format!("{}:{line}: {name}", source.path));
        }
    }
    assert!(wrong.is_empty(), "{} items: {wrong:#?}", wrong.len());
}

#[test]
fn a_type_name_is_defined_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources("src") {
        for name in Findings::of(&source).types {
            places.entry(name).or_default().push(source.path.clone());
        }
    }
    places.retain(|name, places| places.len() > 1 && !NAMES_OF_MODULES.contains(&name.as_str()));
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn closures_seldom_have_names() {
    let sources = sources("src");
    let lines: usize = sources.iter().map(|source| source.text.lines().count()).sum();
    let named: Vec<String> = sources
        .iter()
        .flat_map(|source| {
            Findings::of(source).named_closures.into_iter().map(|line| format!("{}:{line}", source.path))
        })
        .collect();
    assert!(named.len() * 1000 <= lines * NAMED_CLOSURES_MAX, "{} closures in {lines} lines: {named:#?}", named.len());
}

#[test]
fn a_missing_subject_is_seen() {
    let text = "/// What a node said.\n/// Over two lines.\npub struct Word;\npub fn bare() { let twice = |x| x + x; }";
    assert_eq!(docs(text), [(1, "What a node said.")]);
    let source = Source { path: String::new(), module: Vec::new(), text: text.to_owned() };
    let findings = Findings::of(&source);
    assert_eq!(findings.undocumented, [(4, "bare".to_owned())]);
    assert_eq!((findings.types, findings.named_closures), (vec!["Word".to_owned()], vec![4]));
    assert_eq!((first_word("What a node said."), first_word("Whatever is there")), ("What", "Whatever"));
}
