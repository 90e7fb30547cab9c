#!/bin/sh
# Makes .venv from requirements/dev.txt. Needs a Python of at least 3.11; brings uv along if there is none.
set -eu

fail() {
    printf '\n%s\n  Mend: %s\n' "$1" "$2" >&2
    exit 1
}

PYTHON="${PYTHON:-python3}"
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/energy-support"
UV_PIN=$(sed -n 's/^\(uv==[0-9.]*\).*/\1/p' requirements/dev.txt)

command -v "$PYTHON" >/dev/null 2>&1 || fail "There is no $PYTHON on PATH." "install Python 3.11 or newer, or run make PYTHON=/path/to/python3."
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$PYTHON" --version) is too old." "install Python 3.11 or newer, or run make PYTHON=/path/to/python3."

if command -v uv >/dev/null 2>&1; then
    UV=uv
else
    UV="$CACHE/uv/$UV_PIN/bin/uv"
    if [ ! -x "$UV" ]; then
        echo "Installing $UV_PIN ..."
        rm -rf "$CACHE/uv/$UV_PIN"
        "$PYTHON" -m venv "$CACHE/uv/$UV_PIN" || fail "Python cannot make virtual environments." "install its venv module (Debian: python3-venv)."
        "$CACHE/uv/$UV_PIN/bin/python" -m pip install -q --disable-pip-version-check "$UV_PIN" ||
            { rm -rf "$CACHE/uv/$UV_PIN"; fail "uv could not be installed." "check that PyPI or its mirror can be reached, then run the command again."; }
    fi
fi

echo "Installing the project's environment ..."
[ -x .venv/bin/python ] || "$UV" venv -q --python "$PYTHON" .venv
"$UV" pip sync -q --python .venv/bin/python requirements/dev.txt ||
    fail "The packages of requirements/dev.txt could not be installed." "check that PyPI or its mirror can be reached, then run the command again."
"$UV" pip install -q --python .venv/bin/python --no-deps --editable .
