//! A comparison of our parser of `setup.config` with Python's own on the same texts.

use super::ini::{self, IniDocument};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
};

/// The options of each section, including defaults; `None` where the text is refused.
type Outcome = Option<BTreeMap<String, BTreeMap<String, String>>>;

/// A Python program that reads texts and prints an outcome for each. It reads a text as Python reads a file, with
/// universal newlines.
const PROGRAM: &str = "
import configparser, io, json, sys

def outcome(text):
    parser = configparser.RawConfigParser()
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error:
        return None
    sections = {title: dict(parser.items(title)) for title in parser.sections()}
    sections['DEFAULT'] = dict(parser.defaults())
    return sections

json.dump([outcome(text) for text in json.load(sys.stdin.buffer)], sys.stdout)
";

const TEXTS: &[&str] = &[
    "",
    "\n\n; nothing\n",
    "[redis]",
    "[redis]\n[service]\n",
    "[redis] ; text\nhost=a\n",
    "[redis]text\nhost=a\n",
    "[redis] ; text [more] and more\nhost=a\n",
    "[ redis ]\nhost=a\n",
    "[[redis]]\nhost=a\n",
    "[]\nhost=a\n",
    "[a]\n[]=1\n",
    "[a]\n[x=1\n",
    "[a]\n[x\n",
    "[a\nx=1\n",
    "x=1\n",
    "  x\n[a]\n",
    "[a]\nx=1\n[a]\ny=2\n",
    "[a]\nx=1\nX=2\n",
    "[a]\nx=1\n[b]\nx=2\n",
    "[A]\nx=1\n[a]\nx=2\n",
    "[DEFAULT]\nx=1\n[a]\ny=2\n[DEFAULT]\nz=3\n",
    "[DEFAULT]\nx=1\n[DEFAULT]\nX=3\n",
    "[DEFAULT]\nx=1\n[a]\nx=2\n[b]\n",
    "[default]\nx=1\n[a]\n",
    "[a]\nno value\n",
    "[a]\n=1\n",
    "[a]\n:1\n",
    "[a]\n = 1\nx=2\n",
    "[a]\nx=\ny:\nz = \n",
    "[a]\nx=1=2:3\ny:1:2=3\nz =: 1\n",
    "[a]\nx = http://host:1/?q=1\n",
    "[a]\nan option = a value\n",
    "[a]\nÜber=grün\nΣ=ς\nкириллица: да\n",
    "[a]\nÜBER=1\nüber=2\n",
    "[a]\nx=ends with \\\ny=1\n",
    "[a]\nx=a\\nb\\\\c\\\n  d\n",
    "[a]\nx=\"quoted\" 'too' ; no comment # none\n",
    "[a]\nx=%(y)s ${z} %%\n",
    "[a]\nx=1 \t\n\t y=2\nz=3\n",
    "[a]\nx=1\n  ; a comment\n  2\n  # another\n\n  3\n",
    "[a]\n  # a comment\n  x=1\n  ; a comment\n  y=2\n",
    "[a]\n  x=1\ny=2\n  z=3\n",
    "[a]\n  x=1\n   more\n  y=2\n z=3\n",
    "[a]\n\tx=1\n        more\n",
    "  [a]\n  x=1\n  [b]\n  y=1\n",
    "[a]\nx=1\n  [b]\ny=2\n",
    "[a]\nx=\n  1\n  2\n",
    "[a]\nx=1\n\n\n  2\n\n\n\ny=3\n\n",
    "[a]\nx=1\n\n[b]\n\ny=2\n",
    "[a]\nx=1\n;\n#\n",
    "[a]\nx=;\ny=#\n;z=1\n#w=1\n",
    "[a]\r\nx=1\r\n  2\r\n\r\ny=3\r\n",
    "[a]\rx=1\ry=2\r",
    "[a]\nx=1\r\r\ny=2\n\r",
    "[a]\nx\u{a0}=\u{a0}1\u{a0}\n\u{a0}2\n",
    "[a]\n\u{2003}x=1\n\u{2003}\u{2003}2\n",
    "[a]\nx=1\u{b}2\u{c}3\u{1c}4\u{85}5\u{2028}6\n\u{1c}7\n\u{1f}\ny\u{1d}=\u{1e}8\n",
    "[a]\nx=1\u{200b}\n\u{200b}y=2\n",
    "[a]\nx=1\0\ny=\0\n",
    "[a]\nx=1\n\u{feff}y=2\n",
    "[a]\nrem x=1\n",
    "[a]\nx=1\n2\n",
    "[shard:a]\nreplicas=a:1,\n  b:2,\n\n  c:3\nmaster : d:4\n",
];

/// Lines that the generated texts combine in many orders.
const LINES: &[&str] = &[
    "",
    "",
    "   ",
    "[a]",
    "[b]",
    "  [c]",
    "[d] ; text",
    "[DEFAULT]",
    "x=1",
    "y = 2 ; text",
    "Z: 3",
    "  w=4",
    "    v : 5",
    "u=",
    "  more",
    "    still more",
    "\tafter a tab",
    "; comment",
    "  # indented comment",
    "t=ends \\",
    "s=[a]",
    "p q = r\r",
];

/// Generates texts of up to twelve of the lines; the texts are the same each time.
fn generated(count: usize) -> Vec<String> {
    let mut random = Random(7);
    let mut texts = Vec::new();
    for _ in 0..count {
        let mut text = "[first]\n".to_owned();
        for _ in 0..=random.below(12) {
            let _ = writeln!(text, "{}", LINES[random.below(LINES.len())]);
        }
        texts.push(text);
    }
    texts
}

/// Knuth's MMIX generator of pseudo-random numbers.
struct Random(u64);

impl Random {
    /// Returns a number below `limit`, from the high bits, which are the good ones.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

fn our_outcome(text: &str) -> Outcome {
    let mut problems = Vec::new();
    let document = IniDocument::parse(text, &mut problems);
    let defaults = options_of(&document, ini::DEFAULTS);
    let mut sections: BTreeMap<_, _> = document
        .titles
        .iter()
        .map(|title| (title.clone(), defaults.clone().into_iter().chain(options_of(&document, title)).collect()))
        .collect();
    sections.insert(ini::DEFAULTS.to_owned(), defaults);
    problems.is_empty().then_some(sections)
}

fn options_of(document: &IniDocument, title: &str) -> BTreeMap<String, String> {
    let options = document.options.iter().filter(|option| option.section == title);
    options.map(|option| (option.option.to_lowercase(), option.value.clone())).collect()
}

fn python_outcomes(texts: &[String]) -> Vec<Outcome> {
    let mut command = Command::new("python3");
    let mut python = command
        .args(["-I", "-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let input = serde_json::to_vec(texts).expect("texts are JSON");
    python.stdin.take().expect("a pipe").write_all(&input).expect("the texts are taken");
    let output = python.wait_with_output().expect("python3 ends");
    assert!(output.status.success(), "python3 failed");
    serde_json::from_slice(&output.stdout).expect("outcomes")
}

#[test]
fn a_file_is_read_as_python_reads_it() {
    let mut texts: Vec<String> = TEXTS.iter().map(|text| (*text).to_owned()).collect();
    texts.extend(generated(1000));
    let outcomes = python_outcomes(&texts);
    assert_eq!(outcomes.len(), texts.len());
    for (text, expected) in texts.iter().zip(&outcomes) {
        assert_eq!(&our_outcome(text), expected, "{text:?}");
    }
    let read = outcomes.iter().flatten().count();
    assert!(read > 200 && outcomes.len() - read > 200, "{read} of {} texts are valid", outcomes.len());
}
