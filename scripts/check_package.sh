#!/bin/sh
# Tests the Debian package: sh scripts/check_package.sh target/packages/cachefront_….deb
# Runs lintian on it. In a fresh Debian (debootstrap), installs it, follows the links of its documents, runs it with a real Redis
# outside, sends requests with curl, stops and purges it, and checks that nothing is left. Needs root and a mount namespace, so
# that all mounts end with this script.
set -eu
cd "$(dirname "$0")/.."
. scripts/apt.sh
package=$1
limit_secs=600
wait_secs=30

skip() {
    echo "The package was built but not tested: $1."
    exit 0
}

check_lints() {
    command -v lintian > /dev/null || apt_install lintian || { echo "lintian is missing: the package was not linted"; return; }
    suppressed=
    [ "$(cat target/package/profile 2> /dev/null)" != dev ] || suppressed=--suppress-tags=unstripped-binary-or-object
    lintian --allow-root --fail-on error,warning $suppressed "$package"
}

check_unit() {
    command -v systemd-analyze > /dev/null || { echo "systemd-analyze is missing: the unit was not checked"; return; }
    unit=$1/usr/lib/systemd/system/cachefront.service
    [ -e "$unit" ] || unit=$1/lib/systemd/system/cachefront.service
    # systemd-analyze looks for the program of the unit outside of that root.
    sed -e 's|^ExecStart=/usr/bin/cachefront|ExecStart=/bin/true|' "$unit" > "$work/cachefront.service"
    systemd-analyze verify --man=no "$work/cachefront.service"
    # 0 is the best exposure. 2.0 is good for a service with an open port.
    systemd-analyze security --no-pager --offline=true --threshold=20 "$work/cachefront.service" | tail -n 1
}

[ "$(id -u)" = 0 ] || skip "root is needed"
[ -f "$package" ] || { echo "$package is not a file" >&2; exit 1; }
for tool in curl openssl redis-server python3; do
    command -v "$tool" > /dev/null || skip "$tool is missing"
done
command -v debootstrap > /dev/null || apt_install debootstrap || skip "debootstrap is missing and could not be installed"
if [ -z "${CACHEFRONT_IN_NAMESPACE:-}" ]; then
    check_lints
    unshare --mount true 2> /dev/null || skip "there is no permission for a mount namespace"
    # Its mounts end with its last process.
    exec timeout --kill-after=20 "$limit_secs" unshare --mount env CACHEFRONT_IN_NAMESPACE=1 sh "$0" "$package"
fi

# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
base=$PWD/target/tools/debian-$codename.tar
work=$(mktemp -d)
root=$work/root
redis=
service=
finish() {
    status=$?
    trap - EXIT INT TERM
    for process in $service $redis; do
        kill -9 "$process" 2> /dev/null || true
    done
    if [ "$status" != 0 ] && [ -f "$work/log" ]; then
        tail -n 20 "$work/log" >&2
    fi
    rm -rf --one-file-system "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM

fail() {
    echo "the package failed its test: $1" >&2
    exit 1
}

step() {
    echo "- $1"
}

# Runs a command again and again until it succeeds.
eventually() {
    what=$1
    shift
    end=$(($(date +%s) + wait_secs))
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || fail "waited $wait_secs s: $what"
        sleep 0.1
    done
}

inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root" "$@"
}

# Prints every file with mode and owner, without the files that dpkg writes about itself.
contents() {
    (cd "$root" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/cache -o -path ./tmp \
        -o -path './etc/*-' -o -path ./var/lib/systemd/deb-systemd-helper-enabled \) -prune -o -printf '%p %M %u %g\n' | sort)
}

if [ ! -f "$base" ]; then
    step "download a Debian ($codename), once"
    debootstrap --variant=minbase "$codename" "$work/base" > "$work/log" 2>&1 || {
        tail -n 5 "$work/log" >&2
        skip "debootstrap could not fetch a Debian"
    }
    umount "$work/base/proc" "$work/base/sys" 2> /dev/null || true
    rm -rf "$work"/base/var/cache/apt/archives/*.deb
    tar --directory "$work/base" --one-file-system --create . > "$base.new"
    mv "$base.new" "$base"
    rm -rf --one-file-system "$work/base"
fi
mkdir "$root"
tar --directory "$root" --extract --file "$base"
contents > "$work/before"

step "install"
cp "$package" "$root/tmp/cachefront.deb"
inside dpkg -i /tmp/cachefront.deb > "$work/log" 2>&1 || fail "dpkg -i"
settings=/etc/cachefront/setup.config
[ "$(inside stat -c '%a %U:%G' $settings)" = "640 root:cachefront" ] || fail "others may read $settings"
inside cachefront --version
[ -h "$root/etc/systemd/system/multi-user.target.wants/cachefront.service" ] || fail "the unit is not enabled"
for file in man/man1/cachefront.1.gz man/man1/cachefront-keys-ttl.1.gz bash-completion/completions/cachefront \
    zsh/vendor-completions/_cachefront fish/vendor_completions.d/cachefront.fish doc/cachefront/copyright; do
    [ -e "$root/usr/share/$file" ] || fail "/usr/share/$file is missing"
done
check_unit "$root"

step "every link of the documents leads somewhere, in the package and in the archive"
python3 scripts/check_docs.py "$root/usr/share/doc/cachefront"
mkdir "$work/archive"
tar --directory "$work/archive" --extract --strip-components=1 --file "$(dirname "$package")"/cachefront-*.tar.gz
python3 scripts/check_docs.py "$work/archive"
for file in LICENSE-MIT LICENSE-APACHE deploy/monitoring/alerts.yaml deploy/monitoring/dashboard.json; do
    [ -f "$root/usr/share/doc/cachefront/$file" ] || fail "/usr/share/doc/cachefront/$file is missing"
    [ -f "$work/archive/$file" ] || fail "the archive lacks $file"
done
for notices in "$root/usr/share/doc/cachefront/THIRD-PARTY-NOTICES.txt" "$work/archive/THIRD-PARTY-NOTICES.txt"; do
    for crate in hyper rustls redis tikv-jemalloc-sys; do
        grep -q "^- $crate [0-9]" "$notices" || fail "$notices does not name the license of $crate"
    done
done
[ -f "$work/archive/config/setup.config.example" ] || fail "the archive lacks the example of the settings"

step "check-config reports a missing certificate"
status=0
inside cachefront check-config --config $settings > "$work/log" 2>&1 || status=$?
[ "$status" = 78 ] || fail "check-config ended with $status"
grep -q TLS_CERT "$work/log" || fail "check-config does not report that there is no certificate"
! grep -q -e JWT_SECRET -e SHARED_SECRET "$work/log" || fail "check-config refuses the secrets that the package made"

step "check-config accepts the settings with a certificate"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "$root/etc/cachefront/certs/key.pem" \
    -out "$root/etc/cachefront/certs/cert.pem" 2> /dev/null
inside chown root:cachefront /etc/cachefront/certs/key.pem /etc/cachefront/certs/cert.pem
inside chmod 640 /etc/cachefront/certs/key.pem /etc/cachefront/certs/cert.pem
# Free ports. All are held until the last is known, so that they differ.
# shellcheck disable=SC2046
set -- $(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(one.getsockname()[1] for one in held))')
sed -i -e "s/^port=6379$/port=$1/" -e "s/^PORT=9090$/PORT=$2/" -e "s/^ADMIN_PORT=9091$/ADMIN_PORT=$3/" \
    -e 's/^HOST=0.0.0.0$/HOST=127.0.0.1/' "$root$settings"
inside cachefront check-config --config $settings > "$work/log" 2>&1 || fail "check-config"
sed -n -e 's/^SRVC_SHARED_SECRET=//p' -e 's/^JWT_SECRET_KEY=//p' "$root$settings" > "$work/secrets"
[ "$(wc -l < "$work/secrets")" = 2 ] || fail "there are not two secrets in $settings"
! grep -q -F -f "$work/secrets" "$work/log" || fail "check-config shows a secret"

step "serve as the user cachefront, with a Redis outside"
mkdir "$work/redis"
redis-server --port "$1" --bind 127.0.0.1 --save '' --appendonly no --dir "$work/redis" > "$work/redis.log" 2>&1 &
redis=$!
(cd "$root" && exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot --userspec=cachefront:cachefront "$root" \
    /bin/sh -c 'cd /etc/cachefront && exec cachefront serve --config /etc/cachefront/setup.config') > "$work/log" 2>&1 &
service=$!
url=https://localhost:$2
ask() {
    curl -sS --max-time 10 --cacert "$root/etc/cachefront/certs/cert.pem" -H 'Content-Type: application/json' "$@"
}
ready() {
    ask "$url/readyz" > /dev/null 2>&1 && [ "$(ask -o /dev/null -w '%{http_code}' "$url/readyz")" = 200 ]
}
eventually "/readyz is 200" ready
# In a file, so that the API key is in the arguments of no process.
(umask 077 && sed -n 's/^SRVC_SHARED_SECRET=\(.*\)$/{"api_key":"\1"}/p' "$root$settings" > "$work/login")
(umask 077 && ask --data "@$work/login" "$url/login" |
    sed -n 's/.*"access_token":"\([^"]*\)".*/Authorization: Bearer \1/p' > "$work/token")
command_is() {
    answer=$(ask -H "@$work/token" --data "$1" "$url/cache")
    [ "$answer" = "$2" ] || fail "$1 was answered $answer"
}
command_is '{"command":"WRITE","key":"k","value":"hello"}' '{"command":"WRITE","status":"SUCCESS","value":"hello"}'
command_is '{"command":"READ","key":"k"}' '{"command":"READ","status":"SUCCESS","value":"hello"}'
inside cachefront healthcheck --config $settings || fail "healthcheck"
inside cachefront keys ttl k --config $settings || fail "keys ttl"
kill -TERM "$service"
status=0
wait "$service" || status=$?
service=
[ "$status" = 0 ] || fail "after SIGTERM it ended with $status"

step "install again and keep the settings"
before=$(sha256sum "$root$settings")
inside dpkg -i /tmp/cachefront.deb > "$work/log" 2>&1 || fail "dpkg -i over itself"
[ "$before" = "$(sha256sum "$root$settings")" ] || fail "its settings were changed"

step "remove and purge, with nothing left"
inside dpkg -r cachefront > "$work/log" 2>&1 || fail "dpkg -r"
[ ! -e "$root/usr/bin/cachefront" ] || fail "dpkg -r left the program"
[ -e "$root$settings" ] || fail "dpkg -r removed the settings"
inside dpkg -P cachefront > "$work/log" 2>&1 || fail "dpkg -P"
contents > "$work/after"
diff "$work/before" "$work/after" || fail "the files above were left or removed"
! grep -q cachefront "$root/etc/passwd" "$root/etc/group" || fail "its user was left"
echo "The package passed its test in a clean Debian ($codename)."
