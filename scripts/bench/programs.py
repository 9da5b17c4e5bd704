"""Paths of the programs that are measured and that measure."""

import os
import shutil

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.path.join(ROOT, "target", "release")
# Where scripts/install_peers.sh installs packages of npm.
PEERS = os.path.join(ROOT, "target", "tools", "peers", "node_modules", ".bin")
# Searched before PATH.
FOLDERS = [TARGET, os.path.join(TARGET, "examples"), PEERS]


def find(name):
    """Returns the path of a program or of a file beside the programs; None if there is none."""
    paths = [os.path.join(folder, name) for folder in FOLDERS]
    return next(filter(os.path.exists, paths), None) or shutil.which(name)


def path(name):
    """Returns the path of a program, or ends this one."""
    found = find(name)
    if not found:
        raise SystemExit(f"bench: {name} is neither in {FOLDERS[0]} nor in PATH")
    return found


def use(folder):
    """Takes programs from this folder instead of target/release."""
    FOLDERS[:] = [os.path.abspath(folder), PEERS]
