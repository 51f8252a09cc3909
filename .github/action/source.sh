#!/usr/bin/env bash
# Says which lagoa this checkout is, and where a built one is kept.
#
# LAGOA_SOURCE  the checkout
set -euo pipefail

cd "$LAGOA_SOURCE"
# The checkout of an action has no history, so the sources themselves say what they are.
digest="$(find Cargo.toml Cargo.lock src -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)"
{
    echo "digest=${digest%% *}"
    echo "folder=$HOME/.cache/lagoa-action/${digest%% *}"
} >> "$GITHUB_OUTPUT"
