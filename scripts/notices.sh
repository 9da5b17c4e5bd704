#!/bin/sh
# Writes the licenses of all crates in the program into a file: sh scripts/notices.sh FILE
set -eu
into=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/.."
about_version=0.9.3
tools=$PWD/target/tools

if [ "$("$tools/bin/cargo-about" --version 2> /dev/null)" != "cargo-about $about_version" ]; then
    # Optimised, because it compares texts: without that it takes many minutes.
    echo "installing cargo-about $about_version into target/tools"
    CARGO_INCREMENTAL=0 cargo install --quiet cargo-about --version "$about_version" --locked --features cli \
        --root "$tools" --target-dir "$tools/build"
fi
# Offline, so that the same commit has the same notices. A license that is not accepted is an error.
"$tools/bin/cargo-about" about generate --locked --offline --fail --config deploy/package/notices.toml \
    --output-file "$into" deploy/package/notices.hbs
