//! Files are small and begin with their purpose; functions fit on a screen.

use crate::sources::{Source, sources};
use syn::{
    spanned::Spanned,
    visit::{self, Visit},
};

/// Lines of the longest file.
const LINES_MAX: usize = 400;
/// Lines that nine of ten files of `src` stay within.
const LINES_MAX_OF_NINE_IN_TEN: usize = 220;
/// Lines of the longest function in `src`, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 60;

#[derive(Default)]
struct LongFunctions(Vec<(String, usize)>);

impl LongFunctions {
    fn measure(&mut self, name: &syn::Ident, block: &syn::Block) {
        let lines = block.span().end().line - name.span().start().line + 1;
        if lines > FUNCTION_LINES_MAX {
            self.0.push((name.to_string(), lines));
        }
    }
}

impl<'a> Visit<'a> for LongFunctions {
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.measure(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.measure(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}

fn lines(source: &Source) -> usize {
    source.text.lines().count()
}

#[test]
fn files_are_small_and_begin_with_their_purpose() {
    let mut wrong = Vec::new();
    for source in ["src", "tests", "benches", "examples"].into_iter().flat_map(sources) {
        if lines(&source) > LINES_MAX {
            wrong.push(format!("{} has {} lines; at most {LINES_MAX} are allowed", source.path, lines(&source)));
        }
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{} does not begin with its purpose (//! …)", source.path));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nine_of_ten_files_are_shorter_still() {
    let mut sizes: Vec<usize> = sources("src").iter().map(lines).collect();
    sizes.sort_unstable();
    let ninth = sizes[sizes.len() * 9 / 10];
    assert!(ninth <= LINES_MAX_OF_NINE_IN_TEN, "one file in ten has more than {ninth} lines");
}

#[test]
fn functions_fit_on_a_screen() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let mut long = LongFunctions::default();
        long.visit_file(&source.syntax());
        wrong.extend(long.0.into_iter().map(|(name, lines)| format!("{}: {name} has {lines} lines", source.path)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
