//! Errors are types with a cause, never bare texts.

use crate::sources::sources;
use syn::visit::{self, Visit};

#[derive(Default)]
struct TextErrors(Vec<usize>);

impl<'a> Visit<'a> for TextErrors {
    fn visit_path_segment(&mut self, segment: &'a syn::PathSegment) {
        if segment.ident == "Result"
            && let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments
            && let Some(syn::GenericArgument::Type(syn::Type::Path(error))) = arguments.args.iter().nth(1)
            && error.path.is_ident("String")
        {
            self.0.push(segment.ident.span().start().line);
        }
        visit::visit_path_segment(self, segment);
    }
}

#[test]
fn no_function_returns_its_error_as_a_text() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let mut found = TextErrors::default();
        found.visit_file(&source.syntax());
        wrong.extend(found.0.into_iter().map(|line| format!("{}:{line}", source.path)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_text_error_is_seen() {
    let mut found = TextErrors::default();
    found.visit_file(
        &syn::parse_file("fn run() -> Result<u8, String> { todo() }\ntype Fine = Result<String, u8>;").expect("Rust"),
    );
    assert_eq!(found.0, [1]);
}
