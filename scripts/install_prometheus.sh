#!/bin/sh
# Installs prometheus and promtool with apt-get or brew, if they are missing: sh scripts/install_prometheus.sh
# Where that fails, the tests that need them are skipped; with CI=true it is an error.
set -eu
. "$(dirname "$0")/apt.sh"

found() {
    command -v prometheus > /dev/null && command -v promtool > /dev/null
}

from_brew() {
    command -v brew > /dev/null || return 1
    echo "installing prometheus with brew"
    brew install --quiet prometheus
}

found || apt_install prometheus || from_brew || true
found || missing prometheus "the alert rules and the metrics page are not checked with it"
