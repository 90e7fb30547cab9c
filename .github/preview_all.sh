#!/bin/sh
# Writes the review of every stack against the commit $1 to the file $2; fails if one could not be made or must not pass.
# LABELS, the pull request's: `allow-replace:<name>` says that what is called so may be replaced. Only maintainers label.
set -u

base=$1
review=$2
failed=0

set --
for label in ${LABELS:-}; do
    case $label in allow-replace:?*) set -- "$@" --allow-replace "${label#allow-replace:}" ;; esac
done

: > "$review"
# What matters most stands first: a comment holds only so much.
for stack in prod staging dev local; do
    echo "::group::$stack"
    if ! .venv/bin/harness preview --stack "$stack" --against "$base" "$@" --markdown > "$review.part"; then
        failed=1
        printf '\n> **%s** does not pass. If nothing below says why, the log of this run does.\n\n' "$stack" >> "$review"
    fi
    cat "$review.part"
    cat "$review.part" >> "$review"
    echo "::endgroup::"
done
rm -f "$review.part"
exit "$failed"
