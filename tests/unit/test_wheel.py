"""Which platforms modules are fit for, as auditwheel finds them; files as they are in a wheel from anywhere."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from asmsetup import wheel
from asmsetup.assemble.cache import DEFAULT_SIZE, Cache
from asmsetup.errors import WheelError
from asmsetup.facts import target
from asmsetup.link import libraries
from tests.checking import assembled, linked

FUNCTION = "global f:function\nsection .text\nf: ret\n"
CALL = "extern {0}\nglobal f:function\nsection .text\nf: call {0} wrt ..plt\nret\n"

OLDEST = ("manylinux1_x86_64", "manylinux_2_5_x86_64")


def module(folder: Path, name: str, source: str, *libraries: str) -> dict[str, str]:
    """Link a shared object: its path in a wheel and its file."""
    object_ = assembled(folder / "x.asm", source)
    return {name: str(linked(folder / name, "-z", "noexecstack", object_, *libraries))}


def library(folder: Path, soname: str, function: str, *options: str) -> str:
    """A shared library that defines one function."""
    object_ = assembled(folder / "y.asm", FUNCTION.replace("f:", f"{function}:"))
    return str(linked(folder / soname, "-soname", soname, *options, object_))


@pytest.mark.parametrize(
    ("name", "platforms"),
    [
        ("m.cpython-312-x86_64-linux-gnu.so", OLDEST),
        # Pythons for musl import these as well.
        ("m.abi3.so", (*OLDEST, "musllinux_1_1_x86_64")),
        ("m.so", (*OLDEST, "musllinux_1_1_x86_64")),
    ],
)
def test_a_module_that_needs_nothing(tmp_path: Path, name: str, platforms: tuple[str, ...]) -> None:
    assert wheel.examine(module(tmp_path, name, FUNCTION), "glibc").platforms == platforms


@pytest.mark.parametrize("name", ["m.cpython-312-x86_64-linux-gnu.so", "m.abi3.so", "m.so"])
def test_auditwheel_says_the_same_of_what_needs_nothing(tmp_path: Path, name: str) -> None:
    made = module(tmp_path, name, FUNCTION)

    assert wheel.examine(made, "glibc") == wheel.examine(made, "glibc", ask=True)


# GNU_PROPERTY_X86_ISA_1_NEEDED: x86-64-v3 (the x86-64 psABI's property note).
FOR_NEW_PROCESSORS = f"""{FUNCTION}
section .note.gnu.property note alloc noexec nowrite align=8
dd 4, 16, 5, "GNU", 0xc0008002, 4, 4, 0
"""
# auditwheel looks for the name in what it knows for a module by its entry point.
FOR_PYTHON_2 = f"""extern PyFPE_jbuf
{FUNCTION.replace("f:", "PyInit_m:")}
section .data
dq PyFPE_jbuf
"""


@pytest.mark.parametrize("source", [FOR_NEW_PROCESSORS, FOR_PYTHON_2])
def test_what_no_library_shows_keeps_from_every_policy(tmp_path: Path, source: str) -> None:
    assert wheel.examine(module(tmp_path, "m.abi3.so", source), "glibc").platforms == ()


def test_auditwheel_is_asked_where_there_is_something_to_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = wheel.Verdict(("an answer",))
    monkeypatch.setattr(wheel, "_asked", lambda modules, libc: answer)
    alone = module(tmp_path, "m.so", FUNCTION)
    (tmp_path / "linked").mkdir()
    needed = library(tmp_path / "linked", "libother.so.1", "other")
    linked = module(tmp_path / "linked", "n.so", CALL.format("other"), needed)

    assert wheel.examine(alone, "glibc").platforms[0] == "manylinux1_x86_64"
    assert wheel.examine(alone, "glibc", ask=True) == answer
    assert wheel.examine(alone, "musl") == answer
    assert wheel.examine(linked, "glibc") == answer
    assert wheel.examine(alone | linked, "glibc") == answer


def test_one_for_each_libc_is_for_one(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    modules = module(tmp_path, "m.abi3.so", FUNCTION) | module(
        tmp_path / "one", "m.cpython-312-x86_64-linux-gnu.so", FUNCTION
    )

    assert wheel.examine(modules, "glibc").platforms == OLDEST


@pytest.mark.parametrize(
    ("name", "also"),
    [
        ("m.cpython-312-x86_64-linux-musl.so", set()),
        ("m.abi3.so", {*OLDEST, "musllinux_1_1_x86_64"}),
    ],
)
def test_on_musl(tmp_path: Path, name: str, also: set[str]) -> None:
    platforms = wheel.examine(module(tmp_path, name, FUNCTION), "musl").platforms

    # Which version of musl is the machine's matter.
    assert [each for each in platforms if each.startswith("musllinux_1_")]
    assert {*platforms} >= also


def test_symbol_versions_decide(tmp_path: Path) -> None:
    libc = next(path for path in libraries.c_library_files() if "libc.so" in path)
    made = module(tmp_path, "m.abi3.so", CALL.format("getentropy"), libc)

    # Since glibc 2.25.
    assert wheel.examine(made, "glibc").platforms == ("manylinux_2_26_x86_64",)


def test_an_external_library_can_be_grafted(tmp_path: Path) -> None:
    needed = library(tmp_path, "libother.so.1", "other")

    verdict = wheel.examine(module(tmp_path, "m.abi3.so", CALL.format("other"), needed), "glibc")

    assert verdict.platforms == ()
    assert verdict.graftable == OLDEST[::-1]  # as auditwheel wants them
    assert verdict.obstacles == ("libother.so.1 is not part of every Linux, and not in the wheel",)


@pytest.mark.parametrize(
    ("soname", "function", "obstacle"),
    [
        ("libc.so.6", "f", "libc.so.6 is needed with GLIBC_2.99"),
        ("libz.so.1", "_dist_code", "libz.so.1: its _dist_code may not be used"),
    ],
)
def test_what_no_copy_of_a_library_helps_with(
    tmp_path: Path, soname: str, function: str, obstacle: str
) -> None:
    (tmp_path / "version").write_text("GLIBC_2.99 { *; };\n")
    options = ["--version-script=version"] if "libc" in soname else []
    needed = library(tmp_path, soname, function, *options)
    source = CALL.format(function).replace("f:", "g:").replace("global f", "global g")

    verdict = wheel.examine(module(tmp_path, "m.abi3.so", source, needed), "glibc")

    assert (verdict.platforms, verdict.graftable) == ((), ())
    assert verdict.obstacles == (obstacle,)


def test_a_verdict_is_kept_while_the_modules_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Cache(str(tmp_path / "cache"), DEFAULT_SIZE, pytest.fail)
    libc = next(path for path in libraries.c_library_files() if "libc.so" in path)
    made = module(tmp_path, "m.abi3.so", CALL.format("getentropy"), libc)
    verdict = wheel.examine(made, "glibc", store)
    monkeypatch.setattr(wheel, "_asked", lambda modules, libc: wheel.Verdict(()))

    assert verdict.platforms == ("manylinux_2_26_x86_64",)
    assert wheel.examine(made, "glibc", store) == verdict
    changed = module(tmp_path, "m.abi3.so", CALL.format("getentropy") + "nop\n", libc)
    for _ in range(2):  # it is fit for nothing, which is not kept
        assert wheel.examine(changed, "glibc", store) == wheel.Verdict(())


def test_a_library_that_cannot_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = library(tmp_path, "libother.so.1", "other")
    made = module(tmp_path, "m.abi3.so", CALL.format("other"), needed)
    path = wheel._sample_wheel(str(tmp_path), made)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(WheelError, match=f"^{path.name} needs libraries that auditwheel cannot"):
        wheel.graft(str(path), OLDEST[::-1], "glibc")
    assert path.exists()


def test_the_bill_of_a_library_that_was_copied(tmp_path: Path) -> None:
    copied = library(tmp_path, "libother-0123abcd.so.1", "other")
    made = module(tmp_path, "m.so", CALL.format("other"), copied)
    place = "a_b.libs/libother-0123abcd.so.1"

    bill = json.loads(wheel.bill_of_materials("A_B", "1.0", {**made, place: copied}, {"NASM": "3"}))

    own, found = bill["components"]
    assert (own["type"], own["name"]) == ("file", "m.so")
    assert (found["type"], found["name"]) == ("library", "libother.so.1")
    assert found["evidence"] == {"occurrences": [{"location": place}]}
    assert bill["metadata"]["component"]["purl"] == "pkg:pypi/a-b@1.0"
    (tool,) = bill["metadata"]["tools"]["components"]
    assert (tool["name"], tool["version"]) == ("NASM", "3")
    needs = {"ref": "pkg:pypi/a-b@1.0", "dependsOn": [own["bom-ref"], found["bom-ref"]]}
    assert bill["dependencies"] == [needs]


AARCH64 = bytes.fromhex("7f454c4602010100000000000000000003 00b700".replace(" ", "")) + bytes(44)


@pytest.mark.parametrize("ask", [False, True])
@pytest.mark.parametrize(
    "content", [AARCH64, b"\x7fELF", b"\x7fELF" + bytes(60)], ids=["aarch64", "magic", "zeros"]
)
def test_files_that_are_no_modules_decide_nothing(
    tmp_path: Path, content: bytes, ask: bool
) -> None:
    made = module(tmp_path, "m.so", FUNCTION)
    (tmp_path / "firmware.bin").write_bytes(content)

    both = {**made, "p/firmware.bin": str(tmp_path / "firmware.bin")}

    assert wheel.examine(both, "glibc", ask=ask) == wheel.examine(made, "glibc", ask=ask)
    assert wheel.examine({"p/f": both["p/firmware.bin"]}, "glibc", ask=ask).platforms


def test_a_static_program_decides_nothing(tmp_path: Path) -> None:
    (tmp_path / "p.asm").write_text("global _start\n_start: mov eax, 60\nsyscall\n")
    for command in (["nasm", "-felf64", "p.asm"], ["ld", "-o", "program", "p.o"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    made = module(tmp_path, "m.so", FUNCTION)

    both = {**made, "program": str(tmp_path / "program")}

    assert wheel.examine(both, "glibc").platforms == wheel.examine(made, "glibc").platforms


def test_a_time_before_archives(tmp_path: Path) -> None:
    made = module(tmp_path, "m.so", FUNCTION)
    os.utime(made["m.so"], (0, 0))

    assert wheel.examine(made, "glibc", ask=True).platforms


POINTER = f"{FUNCTION}section .data\ndq f\ndq f\n"


@pytest.mark.parametrize("name", ["m.so", "m.abi3.so", "m.cpython-312-x86_64-linux-gnu.so"])
def test_packed_relocations_need_a_libc_that_loads_them(tmp_path: Path, name: str) -> None:
    made = module(tmp_path, name, POINTER, "-z", "pack-relative-relocs")

    assert wheel.examine(made, "glibc").platforms == ("manylinux_2_36_x86_64",)
    if "gnu" not in name:
        assert wheel.examine(made, "musl").platforms == ()


@pytest.mark.parametrize(
    "soname", ["libasan.so.8", "libtsan.so.2", "libubsan.so.1", "liblsan.so.0"]
)
def test_a_sanitizers_runtime_is_not_grafted(tmp_path: Path, soname: str) -> None:
    needed = library(tmp_path, soname, "other")

    verdict = wheel.examine(module(tmp_path, "m.so", CALL.format("other"), needed), "glibc")

    assert verdict.platforms == verdict.graftable == ()
    assert "LD_PRELOAD=$(gcc -print-file-name=" in verdict.obstacles[0]


@pytest.mark.parametrize(
    ("name", "libc"),
    [
        ("m.so", "glibc"),
        ("m.so", "musl"),
        ("m.cpython-312-x86_64-linux-gnu.so", "glibc"),
        ("m.cpython-312-x86_64-linux-musl.so", "musl"),
    ],
)
def test_tags_are_in_order(tmp_path: Path, name: str, libc: target.Libc) -> None:
    platforms = list(wheel.examine(module(tmp_path, name, FUNCTION), libc).platforms)

    assert platforms == sorted(platforms)


def test_modules_are_found_by_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    made = module(tmp_path / "package", "m.abi3.so", FUNCTION)
    (tmp_path / "package" / "text.so").write_text("no module")
    (tmp_path / "package" / "empty.so").touch()
    os.rename(made["m.abi3.so"], tmp_path / "package" / "renamed")

    found = wheel.modules_in(str(tmp_path))

    assert sorted(found) == ["package/renamed", "package/x.o"]


@pytest.mark.parametrize(
    ("before", "after"),
    [(0o600, 0o644), (0o664, 0o644), (0o700, 0o755), (0o775, 0o755), (0o444, 0o644)],
)
def test_modes(tmp_path: Path, before: int, after: int) -> None:
    path = tmp_path / "deep" / "file"
    path.parent.mkdir()
    path.touch()
    path.chmod(before)

    wheel.normalize_modes(str(tmp_path))

    assert path.stat().st_mode & 0o777 == after
