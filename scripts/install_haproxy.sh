#!/bin/sh
# Makes sure that there is a HAProxy for the tests of rolling updates, from Debian's package: sh scripts/install_haproxy.sh
# Where it cannot be had, a sentence says so, and those tests are skipped.
set -eu

found() {
    command -v haproxy > /dev/null || [ -x /usr/sbin/haproxy ]
}

skip() {
    echo "there is no haproxy and $1: the tests of rolling updates will be skipped"
    exit 0
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

found && exit 0
command -v apt-get > /dev/null || skip "no apt-get to install it with"
[ "$(id -u)" = 0 ] || sudo -n true 2> /dev/null || skip "no permission to install it"
echo "installing haproxy with apt-get"
# Debian would start it; nobody asked for that.
as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -c \
    'apt-get install -y -qq --no-install-recommends haproxy > /dev/null 2>&1 ||
     { apt-get update -qq && apt-get install -y -qq --no-install-recommends haproxy > /dev/null; }' ||
    skip "apt-get could not install it"
found || skip "the package brought none"
