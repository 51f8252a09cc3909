#!/usr/bin/env bash
# Runs lagoa as the inputs of the action say. They come through the environment, so that nothing in
# them is ever read as a script.
#
# LAGOA_COMMAND    plan, apply or check
# LAGOA_STACK      the stack file, or a saved plan
# LAGOA_ARGUMENTS  more arguments, one on each line
# LAGOA_ROLE       ARN of the role to work with; may be empty
# LAGOA_REGION     the region of stacks that name none; may be empty
set -euo pipefail

fail() {
    echo "::error title=lagoa::$1"
    exit 1
}

case "$LAGOA_COMMAND" in
    plan | apply | check) ;;
    *) fail "the input \`command\` is plan, apply or check" ;;
esac
[ -n "$LAGOA_STACK" ] || fail "the input \`stack\` is missing"

arguments=()
while IFS= read -r argument; do
    if [ -n "$argument" ]; then arguments+=("$argument"); fi
done <<< "$LAGOA_ARGUMENTS"

# An empty variable would hide one that the job has set.
if [ -n "$LAGOA_ROLE" ]; then export AWS_ROLE_ARN="$LAGOA_ROLE"; fi
if [ -n "$LAGOA_REGION" ]; then export AWS_REGION="$LAGOA_REGION"; fi

code=0
lagoa "$LAGOA_COMMAND" ${arguments[@]+"${arguments[@]}"} -- "$LAGOA_STACK" || code=$?
# A plan says by itself how it ended.
grep -qs '^exitcode=' "$GITHUB_OUTPUT" || echo "exitcode=$code" >> "$GITHUB_OUTPUT"
# Changes are news, not a failure.
if [ "$code" = 2 ]; then exit 0; fi
exit "$code"
