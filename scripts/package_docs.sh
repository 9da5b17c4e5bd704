#!/bin/sh
# Copies the documents that packages contain: sh scripts/package_docs.sh FOLDER
# Folders stay as they are in the repository, so that the links between the pages lead somewhere. Symbolic links become files.
set -eu
into=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/.."

# Not the secrets of a deployment, nor keys that somebody keeps here.
{
    find . -maxdepth 1 -name '*.md' -o -maxdepth 1 -name 'LICENSE-*'
    find docs deploy examples/recipes config/setup.config.example \( -path deploy/secrets -o -path deploy/package \) -prune -o \
        ! -type d ! -name '*.key' ! -name '*.pem' ! -name '*.pyc' -print
} | while IFS= read -r file; do
    mkdir -p "$into/$(dirname "$file")"
    cp -L "$file" "$into/$file"
done
