#!/usr/bin/env bash
# Puts lagoa on the path of the steps that follow: the one that is named, the one in the cache, or a
# new one.
#
# LAGOA_SOURCE  the checkout to build from
# LAGOA_BINARY  a lagoa that is there; may be empty
# LAGOA_FOLDER  where a built one is kept
set -euo pipefail

if [ -n "$LAGOA_BINARY" ]; then
    folder="$(cd "$(dirname "$LAGOA_BINARY")" && pwd)"
    if [ ! -x "$folder/lagoa" ] || [ "$(basename "$LAGOA_BINARY")" != lagoa ]; then
        echo "::error title=lagoa::the input \`binary\` must be a program called lagoa: $LAGOA_BINARY"
        exit 1
    fi
else
    folder="$LAGOA_FOLDER"
fi

if [ ! -x "$folder/lagoa" ]; then
    echo "Building lagoa; the next run takes it from the cache."
    target="${RUNNER_TEMP:-/tmp}/lagoa-target"
    cargo build --release --locked --bin lagoa --manifest-path "$LAGOA_SOURCE/Cargo.toml" --target-dir "$target"
    mkdir -p "$folder"
    cp "$target/release/lagoa" "$folder/lagoa"
    # The disk of a runner is small, and the next steps may want it.
    rm -rf "$target"
fi

"$folder/lagoa" --version
echo "$folder" >> "$GITHUB_PATH"
