#!/bin/sh
# Makes sure that there are prometheus and promtool to run, where apt-get or brew can: sh scripts/install_prometheus.sh
# Without them the tests that need them say that they are skipped, so it is no failure if there are none.
set -eu

found() {
    command -v prometheus > /dev/null && command -v promtool > /dev/null
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian starts a Prometheus on port 9090, which is ours, when the package is installed; nobody asked for that one.
from_apt() {
    command -v apt-get > /dev/null || return 1
    if [ "$(id -u)" != 0 ]; then
        command -v sudo > /dev/null && sudo -n true 2> /dev/null || return 1
    fi
    echo "installing prometheus with apt-get"
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -c \
        'apt-get install -y -qq --no-install-recommends prometheus > /dev/null 2>&1 ||
         { apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus > /dev/null; }'
}

from_brew() {
    command -v brew > /dev/null || return 1
    echo "installing prometheus with brew"
    brew install --quiet prometheus
}

found || from_apt || from_brew || true
found || echo "there is no prometheus, so what needs it is not tested" >&2
