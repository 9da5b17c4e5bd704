#!/bin/sh
# Installs HAProxy from Debian's package for the tests of rolling updates, if there is none: sh scripts/install_haproxy.sh
# Where that fails, those tests are skipped; with CI=true it is an error.
set -eu
. "$(dirname "$0")/apt.sh"

found() {
    command -v haproxy > /dev/null || [ -x /usr/sbin/haproxy ]
}

found || apt_install haproxy || true
found || missing haproxy "the tests of rolling updates are skipped"
