# Sourced: finds a Python that can create .venv. Needs the function fail.

# Succeeds if $1 starts and is new enough; a removed Python may leave a broken link.
runs() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Debian has a separate package for ensurepip, so not every Python can create a venv.
makes_venvs() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

# Sets the variable python, or fails.
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
