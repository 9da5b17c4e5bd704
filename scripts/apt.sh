# Functions of the scripts that install Debian packages: . scripts/apt.sh
# shellcheck shell=sh

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Installs packages, as root or with sudo. Fails where there is no apt-get or no permission.
apt_install() {
    command -v apt-get > /dev/null || return 1
    [ "$(id -u)" = 0 ] || sudo -n true 2> /dev/null || return 1
    echo "installing $* with apt-get"
    # Debian starts the service of a package when it installs it. With RUNLEVEL=1 it does not, so no port is taken.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -c \
        'apt-get install -y -qq --no-install-recommends "$@" > /dev/null 2>&1 ||
         { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" > /dev/null; }' sh "$@"
}

# Prints that a program is missing, and what is skipped without it. In CI nothing may be skipped, so that is a failure.
missing() {
    echo "$1 is missing and could not be installed: $2" >&2
    [ "${CI:-}" != true ]
}
