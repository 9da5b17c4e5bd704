#!/bin/sh
# Makes sure that there is what `make bench` compares with, from Debian's packages: sh scripts/install_peers.sh
set -eu

# Of what is missing, the package that has it.
missing() {
    for pair in wrk:wrk webdis:webdis nginx:nginx-light gunicorn:gunicorn redis-benchmark:redis-tools openssl:openssl; do
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

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

packages=$(missing)
if [ -n "$packages" ]; then
    echo "installing" $packages
    # Debian starts some of them when they are installed; nobody asked for that. What is meant to be split is.
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -c \
        'apt-get install -y -qq --no-install-recommends "$@" > /dev/null 2>&1 ||
         { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" > /dev/null; }' sh $packages
fi
packages=$(missing)
if [ -n "$packages" ]; then
    echo "these Debian packages are missing and could not be installed:" $packages >&2
    exit 1
fi
