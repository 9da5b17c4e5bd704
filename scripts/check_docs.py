#!/usr/bin/env python3
"""Checks the links between the documents: python3 scripts/check_docs.py [--self-test | FOLDER]

- A relative link or picture leads to a file or folder of the repository, and not out of it.
- An anchor (`#heading`) is that of a heading of its page, by GitHub's rules.
- Every page below docs/ is listed once in docs/SUMMARY.md, which is the table of contents of the site (`make site`).
- The same holds for the documents that packages contain (scripts/package_docs.sh).

Links to other sites are not followed. Prints a line for each problem, and exits with 1 if there is one.
FOLDER       checks the documents of an installed or unpacked package
--self-test  checks that each kind of problem is reported
"""

import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
PAGES = ["*.md", "docs/**/*.md", "deploy/**/*.md", ".github/**/*.md"]
SUMMARY = "docs/SUMMARY.md"
# What whoever installs a package looks for in it.
PACKAGED = ("README.md", "SECURITY.md", "LICENSE-MIT", "LICENSE-APACHE", "deploy/monitoring/alerts.yaml", "deploy/monitoring/dashboard.json")

FENCE = re.compile(r"^ {0,3}(```+|~~~+).*?^ {0,3}\1[`~]*\s*$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
# `[text](target)`, `[name]: target`, `<a href="target">` and `<img src="target">`.
LINKS = [
    re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)"),
    re.compile(r"^ {0,3}\[[^\]]+\]:\s+<?([^\s>]+)", re.MULTILINE),
    re.compile(r"<(?:a|img)\b[^>]*?(?:href|src)=[\"']([^\"']+)[\"']"),
]
HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = Path(sys.argv[1]) if sys.argv[1:] else ROOT
    problems = list(problems_of(root)) + ([] if sys.argv[1:] else list(packaged_problems()))
    for problem in problems:
        print(f"docs: {problem}")
    if not problems:
        count = sum(len(list(links(page.read_text()))) for page in pages(root))
        print(f"docs: {count} links of {len(pages(root))} pages lead to something")
    return 1 if problems else 0


def packaged_problems(without=None):
    """Yields the problems of the documents in a package, of which one can be left out to see that it is missed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run(["sh", ROOT / "scripts/package_docs.sh", root], check=True)
        yield from (f"packages lack {file}" for file in PACKAGED if not (root / file).is_file())
        if without:
            (root / without).unlink()
        yield from (f"in packages, {problem}" for problem in problems_of(root))


def problems_of(root):
    for page in pages(root):
        text = page.read_text()
        for line, target in links(text):
            if problem := link_problem(root, page, target):
                yield f"{page.relative_to(root)}:{line}: {problem}"
    yield from summary_problems(root)


def pages(root):
    return sorted({page for pattern in PAGES for page in root.glob(pattern)})


def links(text):
    """Yields the line and the target of every link outside of code and comments."""
    text = without_code(text)
    for pattern in LINKS:
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start(1)) + 1, match[1]


def without_code(text):
    """Replaces code and comments by as many empty lines, so that line numbers stay right."""
    for pattern in (FENCE, COMMENT, CODE):
        text = pattern.sub(lambda match: "\n" * match[0].count("\n"), text)
    return text


def link_problem(root, page, target):
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    path, _, anchor = unquote(target).partition("#")
    file = (page.parent / path).resolve() if path else page
    if path.startswith("/") or not file.is_relative_to(root.resolve()):
        return f"the link {target} leads out of the repository"
    if not file.exists():
        return f"the link {target} leads to {file.relative_to(root.resolve())}, which does not exist"
    if anchor and file.suffix == ".md" and anchor not in anchors(file):
        return f"the link {target} leads to a heading that does not exist"
    return None


@cache
def anchors(page):
    """Returns the anchors that GitHub gives to the headings of a page, and those that the page sets itself."""
    text = page.read_text()
    fenced = FENCE.sub("", text)
    found = {}
    for heading in HEADING.findall(fenced):
        # The text of a link counts, its target does not.
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        if count:
            found[f"{slug}-{count}"] = 1
    return set(found) | set(re.findall(r"<a\s+(?:id|name)=[\"']([^\"']+)", fenced))


def summary_problems(root):
    summary = root / SUMMARY
    if not summary.exists():
        yield f"{SUMMARY} does not exist"
        return
    listed = [(summary.parent / target).resolve() for _, target in links(summary.read_text())]
    for page in sorted(root.glob("docs/**/*.md")):
        count = listed.count(page.resolve())
        if page != summary and count != 1:
            yield f"{SUMMARY}: it lists {page.relative_to(root)} {count} times; every page has to be there once"


# Proof that the checks can fail

# A file and its text, and the problem that must be reported, or `None`.
SELF_TEST = [
    ("README.md", "[a](docs/a.md), [b](docs/a.md#two-words), ![c](docs/c.png), [d](https://example.org), [e](#top)\n# Top", None),
    ("README.md", "```\n[a](missing.md)\n```\n`[b](missing.md)` <!-- [c](missing.md) -->", None),
    ("README.md", "[a](docs/a.md#two-words-1) [b](docs/a.md#code--c) [c](docs/a.md#own)", None),
    ("README.md", "text\n[a](docs/missing.md)", "README.md:2: the link docs/missing.md leads to docs/missing.md, which does not exist"),
    ("README.md", "[a](docs/a.md#two)", "leads to a heading that does not exist"),
    ("README.md", "[a](#nowhere)", "the link #nowhere leads to a heading"),
    ("README.md", "[a](../other.md)", "leads out of the repository"),
    ("README.md", "[a]: docs/missing.md", "docs/missing.md, which does not exist"),
    ("README.md", '<img src="missing.png">', "missing.png, which does not exist"),
    ("docs/a.md", "[a](c.jpg)", "docs/a.md:1: the link c.jpg"),
    ("docs/b.md", "# B", "it lists docs/b.md 0 times"),
    (SUMMARY, "[a](a.md) [again](a.md)", "it lists docs/a.md 2 times"),
]


def self_test():
    failed = 0
    for file, text, expected in SELF_TEST:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "docs").mkdir()
            (root / "docs/a.md").write_text('# Two *words*\n## Two words\n## `Code` & C\n```\n# No heading\n```\n<a id="own"></a>')
            (root / "docs/c.png").touch()
            (root / SUMMARY).write_text("[a](a.md)")
            (root / file).write_text(text)
            problems = list(problems_of(root))
        if problems if expected is None else not any(expected in problem for problem in problems):
            failed += 1
            print(f"docs: {text!r} in {file} should be reported with {expected!r}, but was: {problems}")
    for without in ("docs/design/map.md", "config/setup.config.example", "docs/console-light.png", "deploy/helm/cachefront/README.md"):
        if not any(f"leads to {without}, which does not exist" in problem for problem in packaged_problems(without)):
            failed += 1
            print(f"docs: a package without {without} is not reported")
    print(f"docs: {len(SELF_TEST) + 4} cases checked, {failed} not reported as expected")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
