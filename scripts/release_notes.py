#!/usr/bin/env python3
"""Prints the section of CHANGELOG.md for a release: python3 scripts/release_notes.py v0.2.0

Exits with 1 if the tag is not the version of Cargo.toml, or if CHANGELOG.md has no section with text for it.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tag = sys.argv[1]
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    if tag != f"v{version}":
        sys.exit(f"release: the tag {tag} does not match version {version} of Cargo.toml: the tag has to be v{version}")
    notes = section((ROOT / "CHANGELOG.md").read_text(), version)
    if not notes:
        sys.exit(f"release: CHANGELOG.md has no text under the heading ## [{version}]: move it there from [Unreleased]")
    print(notes)


def section(changelog, version):
    """Returns the text between the heading of a version and the next heading of the same level."""
    match = re.search(rf"^## \[?{re.escape(version)}\]?[^\n]*\n(.*?)(?=^## |^\[[^\]]+\]: |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return match[1].strip() if match else ""


if __name__ == "__main__":
    main()
