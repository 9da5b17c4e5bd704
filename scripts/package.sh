#!/bin/sh
# Packs the program that `cargo build --profile PROFILE` has built: sh scripts/package.sh PROFILE
# Writes the Debian package, an archive for other systems, and their checksums into target/packages.
set -eu
cd "$(dirname "$0")/.."
profile=${1:-release}
cargo_deb_version=3.8.0
tools=$PWD/target/tools

case $profile in
    dev) built=target/debug ;;
    *) built=target/$profile ;;
esac
program=$built/cachefront
version=$("$program" --version | cut -d ' ' -f 2)

if [ "$("$tools/bin/cargo-deb" --version 2> /dev/null)" != "cargo-deb $cargo_deb_version" ]; then
    echo "installing cargo-deb $cargo_deb_version into target/tools"
    cargo install --quiet cargo-deb --version "$cargo_deb_version" --locked --no-default-features \
        --root "$tools" --target-dir "$tools/build"
fi

# The date of the commit for all files, so that packages of the same commit are the same.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || date +%s)}
export SOURCE_DATE_EPOCH

echo "packing Cachefront $version ($profile)"
rm -rf target/package target/packages
mkdir -p target/package/man target/package/completions target/packages
"$program" man --into target/package/man
"$program" completions bash > target/package/completions/cachefront
"$program" completions zsh > target/package/completions/_cachefront
"$program" completions fish > target/package/completions/cachefront.fish
sh scripts/package_docs.sh target/package/doc
sh scripts/notices.sh target/package/doc/THIRD-PARTY-NOTICES.txt
# check_package.sh reads it: a development build keeps its symbols.
echo "$profile" > target/package/profile

# The program is built already, and stripped if the profile says so.
"$tools/bin/cargo-deb" --quiet --no-build --no-strip --no-dbgsym --compress-system --profile "$profile" --output target/packages

name=cachefront-$version-$(uname -m)-linux
mkdir -p "target/package/$name"
cp -r "$program" target/package/man target/package/completions deploy/package/cachefront.service "target/package/$name"
cp -r target/package/doc/. "target/package/$name"
tar --directory target/package --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
    --create "$name" | gzip -n -9 > "target/packages/$name.tar.gz"

(cd target/packages && sha256sum -- * > SHA256SUMS && ls -l)
