#!/bin/sh
# Installs the programs that `make bench` measures for comparison: sh scripts/install_peers.sh
# From Debian's packages, and one with npm into target/tools/peers. Its version and hashes are pinned in
# scripts/bench/npm/package-lock.json.
set -eu
cd "$(dirname "$0")/.."
. scripts/apt.sh
peers=target/tools/peers

# Prints the Debian package of each program and module that is missing.
missing_packages() {
    for pair in wrk:wrk webdis:webdis nginx:nginx-light gunicorn:gunicorn redis-benchmark:redis-tools openssl:openssl npm:npm; do
        command -v "${pair%%:*}" > /dev/null || echo "${pair#*:}"
    done
    [ -e /usr/lib/nginx/modules/ngx_http_lua_module.so ] || echo libnginx-mod-http-lua
    [ -e /usr/share/lua/5.1/nginx/redis.lua ] || echo lua-nginx-redis
    [ -e /usr/share/lua/5.1/cjson ] || echo lua-cjson
    [ -e /usr/share/lua/5.1/resty/core.lua ] || echo lua-resty-core
    for module in flask jwt redis; do
        /usr/bin/python3 -c "import $module" 2> /dev/null || echo "python3-$module"
    done
}

packages=$(missing_packages)
# One argument for each package.
# shellcheck disable=SC2086
[ -z "$packages" ] || apt_install $packages || true
packages=$(missing_packages | paste -s -d ' ')
[ -z "$packages" ] || {
    echo "these Debian packages are missing and could not be installed: $packages" >&2
    exit 1
}

# No script of a package is run.
lock=scripts/bench/npm/package-lock.json
cmp -s "$lock" "$peers/installed" || {
    echo "installing upstash-redis-server with npm into $peers"
    rm -rf "$peers"
    mkdir -p "$peers"
    cp scripts/bench/npm/package.json "$lock" "$peers"
    npm ci --prefix "$peers" --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null
    cp "$lock" "$peers/installed"
}
