#!/bin/sh
# Runs the linters that do not come with Rust: sh scripts/lint.sh
#
#   dependencies: banned ones, licenses and sources    cargo-deny (deny.toml)
#   dependencies that nothing uses                     cargo-machete
#   shell scripts                                      shellcheck (.shellcheckrc)
#   Python scripts: lints and format                   ruff (ruff.toml)
#   Dockerfiles                                        hadolint (.hadolint.yaml)
#   the OpenAPI description                            redocly (redocly.yaml), spectral (.spectral.yaml)
#   workflows and dependabot.yml in .github            jactionlint (.github/jactionlint.yaml)
#
# scripts/install_tools.sh installs these tools. If one is missing, its step is skipped with a message. With CI=true that
# is a failure, unless the tool is one of `optional`.
set -eu
cd "$(dirname "$0")/.."
optional="jactionlint"
failed=
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# jactionlint finds shellcheck here.
export PATH="$PWD/target/tools/python/bin:$PATH"

# Runs a tool and remembers a failure, so that one run shows all problems: lint SUBJECT TOOL ARGUMENT...
lint() {
    subject=$1
    tool=$2
    shift 2
    if program=$(sh scripts/install_tools.sh "$tool"); then
        echo "lint: $subject ($tool)"
        # redocly complains about the version of Node each time. Without a problem, nothing is shown.
        "$program" "$@" > "$log" 2>&1 || {
            cat "$log"
            failed="$failed $tool"
        }
        return
    fi
    echo "lint: $tool is missing and could not be installed: $subject are not checked"
    case " $optional " in
        *" $tool "*) ;;
        *) [ "${CI:-}" != true ] || failed="$failed $tool" ;;
    esac
}

# Reads the tree and not the index of git, which may be missing, or refuse a checkout that belongs to another user.
shell_scripts() {
    find .ci deploy examples scripts -type f | LC_ALL=C sort | while IFS= read -r file; do
        case $file in
            *.sh) [ ! -f "$file" ] || echo "$file" ;;
            .ci/run | deploy/package/*) ! head -n 1 "$file" | grep -qE '^#!.*sh$' || echo "$file" ;;
        esac
    done
}

lint "licenses and sources" cargo-deny --log-level error check --hide-inclusion-graph bans licenses sources
lint "dependencies that are unused" cargo-machete --skip-target-dir .
# One argument for each file.
# shellcheck disable=SC2046
lint "shell scripts" shellcheck $(shell_scripts)
lint "Python scripts" ruff check --quiet
lint "formats of Python scripts" ruff format --check --quiet
lint "workflows" jactionlint
lint "Dockerfiles" hadolint deploy/Dockerfile .devcontainer/Dockerfile
description=target/openapi.json
cargo run --quiet --locked --bin cachefront openapi > "$description"
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
lint "OpenAPI description" redocly lint "$description"
lint "OpenAPI description" spectral lint --quiet --fail-severity hint "$description"

[ -z "$failed" ] || {
    echo "lint: problems were found by:$failed" >&2
    exit 1
}
