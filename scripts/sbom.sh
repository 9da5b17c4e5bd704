#!/bin/sh
# Writes the list of the crates in the program (SBOM) into target/packages, and adds it to SHA256SUMS: sh scripts/sbom.sh
# scripts/package.sh has to run first. The list is JSON in CycloneDX's form.
set -eu
cd "$(dirname "$0")/.."
cyclonedx_version=0.5.9
tools=$PWD/target/tools

[ -f target/packages/SHA256SUMS ] || {
    echo "target/packages has no packages: run \`make dist\` first" >&2
    exit 1
}
if [ "$("$tools/bin/cargo-cyclonedx" cyclonedx --version 2> /dev/null)" != "cargo-cyclonedx-cyclonedx $cyclonedx_version" ]; then
    echo "installing cargo-cyclonedx $cyclonedx_version into target/tools"
    CARGO_PROFILE_DEV_DEBUG=false CARGO_INCREMENTAL=0 cargo install --quiet --debug --locked \
        cargo-cyclonedx --version "$cyclonedx_version" --root "$tools" --target-dir "$tools/build"
fi

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=cachefront-$version-$(uname -m)-linux.cdx
# Written beside Cargo.toml, whatever its name.
trap 'rm -f "$name.json"' EXIT
"$tools/bin/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps --override-filename "$name"
mv "$name.json" target/packages
(cd target/packages && rm SHA256SUMS && sha256sum -- * > SHA256SUMS && cat SHA256SUMS)
