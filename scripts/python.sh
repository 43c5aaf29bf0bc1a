# Sourced: finds a Python that can make .venv. Needs the function fail.

# True when $1 starts, is new enough, and was not only left behind by a removed Python.
runs() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Debian splits ensurepip off, so a Python may be there that cannot make a venv.
makes_venvs() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

# Sets python, or fails.
find_python() {
    bare=
    for python in python3.11 python3.12 python3.13 python3.14 python3; do
        runs "$python" || continue
        if makes_venvs "$python"; then return; fi
        bare=${bare:-$python}
    done
    python=${bare:-python3}
    install_python
    runs "$python" && makes_venvs "$python" ||
        fail "Python >= 3.11 with venv is missing, and could not be installed from Debian's packages"
}

install_python() {
    packages='python3 python3-venv'
    case $bare in python3.*) packages="$bare-venv" ;; esac
    sh scripts/packages 'setup: Python >= 3.11 that can make a venv' $packages || exit 1
}
