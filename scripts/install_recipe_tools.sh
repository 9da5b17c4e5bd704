#!/bin/sh
# Installs what the recipes need besides Python and Node, from Debian's packages: sh scripts/install_recipe_tools.sh
# Where that fails, or Python is another one than Debian's, the tests of those recipes are skipped and say so, also in CI.
set -eu
. "$(dirname "$0")/apt.sh"

command -v curl > /dev/null && command -v jq > /dev/null || apt_install curl jq || true
python3 -c 'import requests' 2> /dev/null || apt_install python3-requests || true
