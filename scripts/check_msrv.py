#!/usr/bin/env python3
"""Checks that no dependency needs a newer Rust than Cargo.toml promises: python3 scripts/check_msrv.py

Compares the `rust-version` of every package in Cargo.lock, for all platforms, with that of Cachefront. Clippy's lint
`incompatible_msrv` checks our own code. A build with that toolchain is a job of its own in .github/workflows/ci.yml,
because a machine usually has only one toolchain.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    packages = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)["packages"]
    [own] = [parsed(package["rust_version"]) for package in packages if package["name"] == "cachefront"]
    newer = [package for package in packages if package["rust_version"] and parsed(package["rust_version"]) > own]
    for package in newer:
        print(f"msrv: {package['name']} {package['version']} needs Rust {package['rust_version']}, and Cargo.toml promises {written(own)}")
    if newer:
        print("msrv: raise rust-version in Cargo.toml, or keep the older versions in Cargo.lock")
    else:
        print(f"msrv: {len(packages)} packages build with Rust {written(own)}, as far as they say")
    return 1 if newer else 0


def parsed(version):
    """Returns major, minor and patch; a missing patch is 0."""
    return tuple(int(part) for part in [*version.split("."), "0"][:3])


def written(version):
    return ".".join(str(part) for part in version)


if __name__ == "__main__":
    sys.exit(main())
