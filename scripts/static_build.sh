#!/bin/sh
# A program that needs no libc of the system, for any Linux: sh scripts/static_build.sh
# Nobody has run this yet: the project's own machines had no Rust target but their own. What it needs is a C compiler
# for musl (Debian: apt-get install musl-tools cmake), because aws-lc is C.
set -eu
cd "$(dirname "$0")/.."
machine=$(uname -m)
target=$machine-unknown-linux-musl
compiler=${MUSL_CC:-musl-gcc}

command -v "$compiler" > /dev/null || {
    echo "a C compiler for musl is missing: apt-get install musl-tools, or name one (MUSL_CC)" >&2
    exit 1
}
rustup target add "$target"
variable=$(echo "$target" | tr - _)
export "CC_$variable=$compiler"
export "CARGO_TARGET_$(echo "$variable" | tr '[:lower:]' '[:upper:]')_LINKER=$compiler"
cargo build --locked --profile dist --bin cachefront --target "$target"

program=target/$target/dist/cachefront
"$program" --version
# Static programs have no interpreter.
if readelf --program-headers "$program" | grep -q INTERP; then
    echo "$program is not static" >&2
    exit 1
fi
echo "$program"
