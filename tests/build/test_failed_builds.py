"""A build that fails leaves what was there, and says in one sentence which folder, disk or tool it lacks."""

from __future__ import annotations

import os

import pytest

from tests.build.shells import build, build_with_mount
from tests.projects import Project

BUILD = ("setup.py", "build_ext", "--inplace")


@pytest.mark.parametrize(
    "breakage",
    [
        {"hello.asm": "bogus eax\n"},
        {"hello.asm": "extern PyNothing\ncall PyNothing wrt ..plt\n"},
        {"hello.asm": '%include "gone.inc"\n'},
    ],
    ids=["nasm refuses", "a check refuses", "include missing"],
)
def test_a_failed_build_keeps_the_old_module(hello: Project, breakage: dict[str, str]) -> None:
    hello.build_ext()
    before = hello.module().stat()

    hello.write(breakage).build_ext(ok=False)

    after = hello.module().stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert hello.answer() == "42"
    assert not [name for name in hello.files() if name.endswith((".tmp", ".partial"))]


def test_a_process_that_runs_with_the_old_module_keeps_it(hello: Project) -> None:
    hello.build_ext()
    code = (
        "import hello, subprocess, sys\n"
        "open('hello.asm', 'w').write('%include \"module.inc\"\\nMODULE hello, 43\\n')\n"
        "subprocess.run([sys.executable, 'setup.py', 'build_ext', '--inplace'], check=True,"
        " stdout=subprocess.DEVNULL)\n"
        "print(hello.answer())\n"
    )

    assert hello.run("-c", code).output == "42\n"
    assert hello.answer() == "43"


def test_a_file_where_the_build_folder_belongs(hello: Project) -> None:
    hello.write({"build": ""})

    first, way = hello.refused().splitlines()

    assert first.startswith("cannot write build/temp.")
    assert first.endswith((".o: Not a directory", ".exports: Not a directory"))
    assert way == "  build is a file where a folder belongs: remove or rename it"


def test_a_folder_where_the_module_belongs(hello: Project) -> None:
    hello.build_ext()
    (module,) = hello.folder.glob("build/lib*/*.so")
    module.unlink()
    module.mkdir()

    first, way = hello.refused("--force").splitlines()

    assert first.startswith("cannot write ")
    assert first.endswith(f"{module.name}: Is a directory")
    assert way.endswith(f"{module.name} is a folder where a file belongs: remove or rename it")


def test_no_c_compiler(hello: Project) -> None:
    hello.write({"more.c": "int more;\n"}).extension("hello", ["hello.asm", "more.c"])

    assert hello.refused(CC="nope-gcc", CXX="nope-gcc", PATH=os.environ["PATH"]) == (
        f"cannot find the C compiler: no nope-gcc on PATH ({os.environ['PATH']})\n"
        "  Debian, Ubuntu:   apt-get install gcc libc6-dev\n"
        "  Fedora, RHEL:     dnf install gcc\n"
        "  Alpine:           apk add gcc musl-dev\n"
        "  Arch:             pacman -S gcc\n"
        "  another one:      CC=clang"
    )


READ_ONLY = "mount --bind . . && mount -o remount,ro,bind ."


def test_a_read_only_tree(hello: Project) -> None:
    error = build_with_mount(hello, READ_ONLY, *BUILD, ok=False).error

    assert "Read-only file system" in error
    assert "build" in error
    assert "Errno" not in error


def test_a_read_only_tree_with_the_build_elsewhere(hello: Project) -> None:
    elsewhere = hello.folder.parent / "elsewhere"

    build_with_mount(hello, READ_ONLY, "setup.py", "build", f"--build-base={elsewhere}", ok=True)

    (built,) = elsewhere.glob("lib.*")
    assert hello.answer(path=built) == "42"


BIG = '%include "module.inc"\nMODULE hello, 43\nsection .data\ntimes 100000 db 1\n'


# Nothing fits; the object does not; the object does, and the module beside it does not.
@pytest.mark.parametrize("size", ["4k", "64k", "160k"])
def test_a_full_disk(hello: Project, size: str) -> None:
    hello.build_ext()
    hello.write({"hello.asm": BIG})

    failed = build_with_mount(hello, f"mount -t tmpfs -o size={size} none build", *BUILD, ok=False)

    assert "No space left on device" in failed.error
    assert hello.answer() == "42"
    hello.build_ext()
    assert hello.answer() == "43"


@pytest.mark.skipif(
    "COVERAGE_PROCESS_CONFIG" in os.environ, reason="what coverage writes is larger"
)
def test_a_limit_on_the_size_of_files(hello: Project) -> None:
    hello.build_ext()
    hello.write({"hello.asm": BIG})

    failed = build(hello, "ulimit -f 8", *BUILD, ok=False)

    assert "hello.asm" in failed.error
    assert hello.answer() == "42"
    hello.build_ext()
    assert hello.answer() == "43"
