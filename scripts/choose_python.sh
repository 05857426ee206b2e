#!/bin/sh
# Prints the path of the first interpreter that can make the environment: CPython >= 3.11 with venv, and with
# ensurepip or pip. Each candidate is run, because a name on PATH proves nothing: version managers leave
# launchers for versions that are not active, and these fail.
set -u

probe='
import importlib.util, sys, venv
usable = (
    sys.implementation.name == "cpython"
    and sys.version_info >= (3, 11)
    and any(importlib.util.find_spec(name) for name in ("ensurepip", "pip"))
)
print(sys.executable)
sys.exit(not usable)
'

for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
    [ -n "$candidate" ] || continue
    if found=$("$candidate" -c "$probe" 2>/dev/null); then
        printf '%s\n' "$found"
        exit 0
    fi
    if [ "$candidate" = "${PYTHON:-}" ]; then
        printf 'PYTHON=%s is no usable CPython >= 3.11; looking for another one.\n' "$PYTHON" >&2
    fi
done

cat >&2 <<'MESSAGE'
No usable Python was found. tierproof needs CPython >= 3.11 with pip (or ensurepip) and the venv module.
Looked for: $PYTHON, python3.13, python3.12, python3.11, python3.
Install one from python.org or your package manager, or name one:  make demo PYTHON=/path/to/python3.12
MESSAGE
exit 1
