"""GNU ld: its command line, what of LDFLAGS it takes, and what becomes of what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asmsetup.errors import LinkError, ToolError
from asmsetup.facts import elf
from asmsetup.link import flags, libraries, linker
from asmsetup.link.linker import LinkerOptions


def command(c_library: tuple[str, ...] = (), **options: Any) -> list[str]:
    chosen = LinkerOptions(**options)
    return linker.command("ld", ["a.o", "b.o"], "m.so", "m.exports", chosen, c_library)


def test_every_module_is_hardened_small_and_stripped() -> None:
    flags = " ".join(command())

    for expected in (
        *("-shared", "-m elf_x86_64", "-s ", "--version-script=m.exports", "-o m.so a.o b.o"),
        *("-z noexecstack", "-z relro", "-z now", "-z noseparate-code"),
    ):
        assert expected in flags


def test_debug_keeps_what_a_debugger_reads() -> None:
    assert "-s" not in command(strip="none")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"library_dirs": ("lib", "a b")}, ["-Llib", "-La b"]),
        ({"libraries": ("m", "z")}, ["-lm", "-lz"]),
        ({"runtime_library_dirs": ("$ORIGIN/lib",)}, ["-rpath=$ORIGIN/lib"]),
        ({"args": ("-Map=m.map",)}, ["-Map=m.map"]),
        # Arguments may be library folders and archives: before the libraries, as distutils has it.
        ({"args": ("-Lx",), "libraries": ("z",)}, ["-Lx", "-lz"]),
    ],
)
def test_options_follow_the_objects(options: dict[str, Any], expected: list[str]) -> None:
    words = command(**options)

    assert words[words.index("b.o") + 1 :] == expected


def test_the_c_library_is_needed_only_if_used() -> None:
    assert command(("/lib/libc.so.6",))[-3:] == ["-L/lib", "--as-needed", "-l:libc.so.6"]


def test_exports() -> None:
    assert "[k]ern*; [_]x; " in linker.version_script(["kern*", "_x"])
    assert " *_x86; " in linker.version_script(["*_x86"])
    assert linker.version_script(["*"]) == "{ global: *; };\n"
    assert linker.version_script(["a", "b"]) == "{ global: [a]; [b]; local: *; };\n"


def test_a_driver_is_told_what_ld_is_told() -> None:
    flags = linker.driver_flags("with,comma", LinkerOptions())

    assert flags[::2] == ["-Xlinker"] * (len(flags) // 2)
    passed = flags[1::2]
    assert passed == [*linker.HARDENING, "--version-script", "with,comma", "-s"]
    assert linker.driver_flags("x", LinkerOptions(strip="none"))[1::2] == [
        *linker.HARDENING,
        *("--version-script", "x"),
    ]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (["-z", "now"], ["-z", "now"]),
        (["-Wl,-z,now,-O1"], ["-z", "now", "-O1"]),
        (["-Xlinker", "-Map=x,y"], ["-Map=x,y"]),
        (["-L/opt/lib", "-lz"], ["-L/opt/lib", "-lz"]),
        # What Debian, Fedora and conda export, which says nothing to ld itself.
        (["-flto=auto", "-fuse-ld=bfd", "-O2", "-g", "-Wall", "-march=native", "-pthread"], []),
        (["-specs=/usr/lib/rpm/redhat/redhat-hardened-ld"], []),
    ],
)
def test_ldflags(given: list[str], taken: list[str]) -> None:
    assert flags.for_ld(given) == taken


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(ToolError) as refused:
        linker.find(None)

    assert refused.value.what == "cannot find the linker: no ld on PATH (/nowhere)"
    said = str(refused.value)
    for manager in ("apt-get install", "dnf install", "apk add", "pacman -S"):
        assert f"{manager} binutils" in said


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'ld: no'; exit 1", "^ld: no$"),
        ("exit 4", "the linker failed with exit code 4"),
        ("kill -9 $$", r"the linker was killed by signal 9 \(SIGKILL\)"),
    ],
)
def test_failures(script: str, said: str) -> None:
    with pytest.raises(LinkError, match=said):
        linker.link(["/bin/sh", "-c", script])


def test_warnings_are_returned() -> None:
    assert linker.link(["/bin/sh", "-c", "echo 'ld: warning: odd'"]) == "ld: warning: odd"


def test_the_c_library_of_this_interpreter() -> None:
    named = {Path(path).name for path in libraries.c_library_files()}

    assert {"libc.so.6", "libm.so.6"} <= named or any("musl" in name for name in named)
    assert all(elf.read(path).kind == "module" for path in libraries.c_library_files())


@pytest.mark.parametrize(
    ("args", "named", "folders"),
    [
        ([], (), ()),
        (["-lz", "-Llib"], ("z",), ("lib",)),
        (["-Wl,-Llib", "-Wl,-lz"], ("z",), ("lib",)),
        (["-l", "z", "-L", "lib", "--library=m", "--library-path=/opt"], ("z", "m"), ("lib", "/opt")),
        # A word that is no file belongs to the option before it.
        (["-z", "now", "-rpath", "/nowhere"], (), ()),
    ],
)  # fmt: skip
def test_libraries_named_among_the_arguments(
    args: list[str], named: tuple[str, ...], folders: tuple[str, ...]
) -> None:
    assert libraries.named_libraries(args) == (named, folders, ())


def test_files_named_among_the_arguments(tmp_path: Path) -> None:
    archive = tmp_path / "libx.a"
    archive.write_bytes(b"")

    assert libraries.named_libraries([str(archive), "@more"]).files == (str(archive), "@more")


@pytest.mark.parametrize(
    ("name", "is_it"),
    [
        ("libc.so.6", True),
        ("libc-2.31.so", True),
        ("ld-musl-x86_64.so.1", True),
        ("libc.so", True),  # Debian's musl
        ("libcrypt.so.1", False),
    ],
)
def test_the_c_library_by_its_name(name: str, is_it: bool) -> None:
    assert libraries._is_c_library(name) is is_it
