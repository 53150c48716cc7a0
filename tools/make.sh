#!/bin/sh
# What the targets of the Makefile do:  sh tools/make.sh TARGET [ARGUMENT...]
#
# A target sets up what it lacks before it starts: a virtual environment in
# .venv, and programs from the system's package manager where it may use that
# (as root, or by sudo without a password); else it says which command to run.
#
#   PYTHON=python3.12    the interpreter to make .venv with
set -eu
cd -- "$(dirname -- "$0")/.."
# Each process of the tests would compile all of them.
unset PYTHONDONTWRITEBYTECODE

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$@" >&2; exit 1; }

# Run a command after showing it, as it would be typed.
run() {
    line="$"
    for word; do
        case $word in
        *" "*) line="$line '$word'" ;;
        *) line="$line $word" ;;
        esac
    done
    say "$line"
    "$@"
}

help() {
    say "make wheel         build examples/sayit into a wheel, show auditwheel's verdict, install and run it"
    say "make test          run the tests                                  (ARGS=\"-k wheel\" for some)"
    say "make lint          ruff, mypy --strict, layout of NASM sources, zizmor"
    say "make bench         measure against what else builds such a module"
    say "make bench-check   measure the checks of machine code: false reports, seeded faults, speed"
    say "make coverage      run the tests, and show what of asmsetup none of them executes"
    say "make test-matrix   run the tests on interpreters fetched into a cache"
    say "make showcases     fetch packages from PyPI, move them over, run their own tests"
    say "make nasm          compile NASM into the wheel asmsetup-nasm, and test it"
    say "make clean         remove what these left in the project's folder"
}

wheel() {
    set_up nasm ld venv
    pip install --quiet auditwheel
    # setuptools packs what an earlier build left behind.
    rm -rf build examples/sayit/build wheelhouse/asmsetup-*.whl wheelhouse/sayit-*.whl
    run pip wheel --quiet --no-deps --wheel-dir wheelhouse .
    run pip wheel --no-deps --find-links wheelhouse --wheel-dir wheelhouse ./examples/sayit
    show_verdict wheelhouse/sayit-*.whl
    run python -m venv --clear --without-pip build/venv
    run pip --python build/venv/bin/python install --quiet wheelhouse/sayit-*.whl
    run build/venv/bin/python -c "import sayit; sayit.sayit()"
}

# auditwheel judges a wheel for the one C library its name speaks of. A wheel for
# glibc and musl is shown to it once for each.
show_verdict() {
    case $1 in
    *manylinux*musllinux*) ;;
    *) run python -m auditwheel show "$1"; return ;;
    esac
    mkdir -p build/verdict
    for platform in manylinux_2_5_x86_64 musllinux_1_1_x86_64; do
        name=${1##*/}
        copy=build/verdict/${name%-*}-$platform.whl
        run cp "$1" "$copy"
        run python -m auditwheel show "$copy"
    done
}

tests() {
    set_up nasm ld venv c++ headers ccache
    pip install --quiet --group test --editable .
    # All of them: none may have got lost on the way.
    [ $# != 0 ] || run python -m tools.collected
    python -m pytest -n auto --dist loadfile "$@"
}

# What there is to see is shown when tests fail, too.
coverage() {
    set_up nasm ld venv c++ headers ccache
    pip install --quiet --group test --group coverage --editable .
    run python -m coverage erase
    status=0
    run python -m coverage run --data-file="$PWD/.coverage" -m pytest -n auto --dist loadfile "$@" || status=$?
    python -m coverage combine --quiet
    python -m coverage report
    return $status
}

lint() {
    set_up venv
    pip install --quiet --group lint --group test --editable .
    run python -m ruff format --check .
    run python -m ruff check .
    run python -m mypy --strict
    run python tools/nasm_layout.py
    run .venv/bin/zizmor --offline --no-progress .github/workflows
}

bench() {
    set_up nasm ld venv c++ headers
    pip install --quiet --group test --group bench --editable .
    run python -m bench "$@"
}

bench_check() {
    set_up nasm venv
    pip install --quiet --group test --editable .
    run python -m bench.check_code "$@"
}

test_matrix() {
    set_up nasm ld venv c++ headers ccache mmdebstrap
    pip install --quiet --group test --editable .
    run python -m tools.matrix
    ASMSETUP_TEST_ALL=1 python -m pytest -n auto --dist loadfile "$@"
}

showcases() {
    set_up nasm ld venv c++ headers
    pip install --quiet --group test --editable .
    run env ASMSETUP_TEST_SHOWCASES=1 .venv/bin/python -m pytest tests/showcases "$@"
}

# The wheel lies where tests/nasm looks for it.
nasm_wheel() {
    set_up nasm ld venv
    cache=${ASMSETUP_TEST_CACHE:-.cache}/nasm
    source=$(python nasm/fetch.py "$cache")
    rm -rf "$cache/wheel" nasm/build
    # A fixed date and not today's: the same source gives the same wheel.
    run env ASMSETUP_NASM_SOURCE="$source" SOURCE_DATE_EPOCH=1767225600 .venv/bin/python \
        -m pip --disable-pip-version-check wheel --no-deps --wheel-dir "$cache/wheel" ./nasm
    pip install --quiet --group test --editable .
    run python -m pytest tests/nasm "$@"
}

clean() {
    rm -rf .venv .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache build dist wheelhouse ./*.egg-info
    rm -rf examples/*/build examples/*/dist examples/*/*.egg-info examples/*/*.so
    find . -name __pycache__ -prune -exec rm -rf {} +
}

python() { .venv/bin/python "$@"; }
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

# set_up THING...: have these programs of the system, and pip in .venv.
set_up() {
    base=$(find_python)
    lacking=
    for thing; do
        has "$thing" || lacking="$lacking $thing"
    done
    # Split at the spaces on purpose: it is a list of words.
    # shellcheck disable=SC2086
    [ -z "$lacking" ] || install_packages $lacking
    if ! python -m pip --version >/dev/null 2>&1; then
        run "$base" -m venv --clear .venv
    fi
    # --group and --python are new in this one.
    pip install --quiet "pip>=25.1"
}

find_python() {
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10}; do
        if "$name" -c "import sys; sys.exit(sys.version_info < (3, 10))" 2>/dev/null; then
            say "$name"
            return
        fi
    done
    found=$("${PYTHON:-python3}" --version 2>/dev/null) || found="no ${PYTHON:-python3} that runs"
    fail "asmsetup needs Python 3.10 or newer, and here is $found" \
        "  install one beside it, and name it:   PYTHON=/path/to/python3.12 sh tools/make.sh $target"
}

# has THING: tell whether it is there. $base is the interpreter .venv is made with.
has() {
    case $1 in
    nasm) command -v "${NASM:-nasm}" ;;
    ld) command -v "${LD:-ld}" ;;
    c++) command -v "${CXX:-c++}" ;;
    ccache | mmdebstrap) command -v "$1" ;;
    # Debian has a part of the standard library in a package of its own.
    venv) "$base" -c "import ensurepip, venv" ;;
    headers) "$base" -c "import os, sysconfig; os.stat(sysconfig.get_path('include') + '/Python.h')" ;;
    esac >/dev/null 2>&1
}

# install_packages THING...: install the packages that hold these, or say how and stop.
install_packages() {
    say "missing: $*"
    for manager in apt-get dnf apk pacman none; do
        ! command -v "$manager" >/dev/null 2>&1 || break
    done
    [ "$manager" != none ] || fail "install with the system's package manager, then start again: $*"
    packages=
    for thing; do
        packages="$packages $(package "$thing")"
    done
    case $manager in
    apt-get) arguments="install -y --no-install-recommends$packages" ;;
    dnf) arguments="install -y$packages" ;;
    apk) arguments="add$packages" ;;
    pacman) arguments="-S --noconfirm --needed$packages" ;;
    esac
    if [ "$(id -u)" = 0 ]; then
        as_root="env"
    elif sudo -n true 2>/dev/null; then
        as_root="sudo -n env"
    else
        ask_for "$manager $arguments"
    fi
    # shellcheck disable=SC2086
    {
        # A source that cannot be reached is no matter when another one has the packages.
        [ "$manager" != apt-get ] || run $as_root apt-get update -q || say "going on all the same"
        run $as_root DEBIAN_FRONTEND=noninteractive $manager $arguments
    }
    for thing; do
        has "$thing" || fail "$manager is done, and $thing is still missing"
    done
}

ask_for() {
    prefix="sudo "
    command -v sudo >/dev/null 2>&1 || prefix=""
    update=
    [ "$manager" != apt-get ] || update="${prefix}apt-get update && "
    where=" as root"
    [ -z "$prefix" ] || where=
    fail "that takes the rights of root: run this$where, then start again" "  $update$prefix$1"
}

# package THING: print the name of the package that holds it for $manager.
package() {
    case $manager:$1 in
    *:nasm | *:ccache | *:mmdebstrap) say "$1" ;;
    *:ld) say binutils ;;
    apt-get:c++) say g++ ;;
    dnf:c++) say gcc-c++ ;;
    apk:c++) say g++ musl-dev ;;
    pacman:c++) say gcc ;;
    # Named by version: $base need not be the system's default.
    apt-get:venv) say "$(python_name)-venv" ;;
    apt-get:headers) say "$(python_name)-dev" ;;
    dnf:headers) say python3-devel ;;
    apk:headers) say python3-dev ;;
    pacman:venv | pacman:headers) say python ;;
    *:venv) say python3 ;;
    esac
}

python_name() { "$base" -c "import sys; print('python%d.%d' % sys.version_info[:2])"; }

target=${1:-help}
[ $# = 0 ] || shift
case $target in
test) tests "$@" ;;
test-matrix) test_matrix "$@" ;;
bench-check) bench_check "$@" ;;
nasm) nasm_wheel "$@" ;;
help | wheel | lint | bench | coverage | showcases | clean) "$target" "$@" ;;
*) help >&2; fail "no such target: $target" ;;
esac
