#!/usr/bin/env python3
"""Builds the documentation as a site with search: python3 scripts/build_site.py

mdBook wants all pages below one folder, with links that do not leave it. So the pages that docs/SUMMARY.md lists are copied
into target/site-source, in the layout of the repository, with the pictures and files that they link to. A link to a folder,
which a site cannot show, becomes plain text. Then mdBook writes target/site, and every link in there is checked.

Diagrams are drawn by Mermaid, which comes from npm. Without npm the site shows their source.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import check_docs

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "target/site-source"
SITE = ROOT / "target/site"
SUMMARY = ROOT / check_docs.SUMMARY
MERMAID = "mermaid@11.17.2"
MERMAID_SHA256 = "6ad2f42c3fc26bbf9e45cbb6d11898972573ea52b33a5f4ff51952899f950ffd"
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)")


def main():
    for folder in (SOURCE, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    pages = [(SUMMARY.parent / target).resolve() for _, target in check_docs.links(SUMMARY.read_text())]
    for page in pages:
        place(page, with_links(page, pages))
    # Links of the summary start at the top of the site.
    summary = LINK.sub(lambda m: f"[{m[2]}]({(SUMMARY.parent / m[3]).resolve().relative_to(ROOT)})", SUMMARY.read_text())
    (SOURCE / "SUMMARY.md").write_text(as_index(summary))
    mdbook = subprocess.run(["sh", "scripts/install_tools.sh", "mdbook"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if mdbook.returncode:
        sys.exit("site: mdbook is missing and could not be installed")
    scripts = {"MDBOOK_OUTPUT__HTML__ADDITIONAL_JS": json.dumps([*mermaid()])}
    subprocess.run([mdbook.stdout.strip(), "build"], cwd=ROOT, check=True, env={**os.environ, **scripts})
    problems = list(broken_links())
    for problem in problems:
        print(f"site: {problem}")
    if not problems:
        print(f"site: {len(pages)} pages in {SITE.relative_to(ROOT)}/index.html")
    return 1 if problems else 0


def mermaid():
    """Yields the scripts that draw diagrams. Downloads Mermaid first, if it is missing."""
    # mdBook puts a hash before the first dot of the path.
    script = ROOT / "target/tools/mermaid" / f"{re.sub('[@.]', '-', MERMAID)}.js"
    if not script.exists():
        script.parent.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        if not npm or subprocess.run([npm, "pack", "--silent", MERMAID], cwd=script.parent, stdout=subprocess.DEVNULL, check=False).returncode:
            print(f"site: {MERMAID} could not be downloaded with npm, so diagrams are not drawn")
            return
        [package] = script.parent.glob("*.tgz")
        if hashlib.sha256(package.read_bytes()).hexdigest() != MERMAID_SHA256:
            sys.exit(f"site: {package.relative_to(ROOT)} does not have the expected checksum")
        with tarfile.open(package) as archive:
            script.write_bytes(archive.extractfile("package/dist/mermaid.min.js").read())
        package.unlink()
    yield str(script.relative_to(ROOT))
    yield "scripts/site/diagrams.js"


def as_index(text):
    """Renames README.md, which is the page of its folder on GitHub, to the name that such a page has on a site."""
    return re.sub(r"\bREADME\.md\b", "index.md", text)


def place(file, text=None):
    """Copies a file of the repository, or a text in its place, to where it is found in the repository."""
    copy = SOURCE / as_index(str(file.relative_to(ROOT)))
    copy.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        shutil.copyfile(file, copy)
    else:
        copy.write_text(text)


def with_links(page, pages):
    """Returns the text of a page, and copies the files that it links to."""

    def adapted(match):
        picture, text, path, anchor = match.groups()
        target = (page.parent / unquote(path)).resolve()
        if not path or urlsplit(path).scheme:
            return match[0]
        if target in pages:
            return f"[{text}]({as_index(path)}{anchor or ''})"
        if not target.is_file():
            return text
        place(target)
        return match[0] if picture or target.suffix != ".md" else text

    return LINK.sub(adapted, page.read_text())


class References(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.anchors = set(), set()
        self.feed(text)

    def handle_starttag(self, _tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.targets.add(value)
            elif name == "id":
                self.anchors.add(value)


def broken_links():
    pages = {page: References(page.read_text()) for page in SITE.glob("**/*.html")}
    for page, references in pages.items():
        # The page of the error 404 has links from the top of a server, which is not known here.
        if page.name == "404.html":
            continue
        for target in sorted(references.targets):
            scheme, host, path, _, anchor = urlsplit(target)
            if scheme or host:
                continue
            file = (page.parent / unquote(path)).resolve() if path else page
            if not file.exists():
                yield f"{page.relative_to(SITE)}: the link {target} leads to nothing"
            elif anchor and file in pages and unquote(anchor) not in pages[file].anchors:
                yield f"{page.relative_to(SITE)}: the link {target} leads to no heading"


if __name__ == "__main__":
    sys.exit(main())
