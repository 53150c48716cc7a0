"""The sdist holds every source and all they include, without a MANIFEST.in, and without nasm."""

from __future__ import annotations

import tarfile

import pytest

from tests.projects import Project


@pytest.fixture
def reading(hello: Project) -> Project:
    """A project whose source reads files in every way there is."""
    hello.write(
        {
            "asm/hello.asm": '%include "module.inc"\n%include "near.inc"\n%include "inc/far.inc"\n'
            '%include "listed.inc"\nMODULE hello, NUMBER\nsection .rodata\nincbin "table.bin"\n'
            "%ifdef NEVER\n%include 'other.inc'\n%endif\n",
            "asm/near.inc": '%include "deep/deeper.inc"\n',
            "asm/deep/deeper.inc": "%define NUMBER 42\n",
            "asm/table.bin": "bytes",
            "inc/far.inc": "",
            "lists/listed.inc": "",
            "lists/other.inc": "",
            "unrelated.inc": "",
            "asm/notes.txt": "",
        }
    )
    return hello.extension("hello", ["asm/hello.asm"], include_dirs=["lists"])


READ = {
    *("asm/hello.asm", "module.inc", "asm/near.inc", "asm/deep/deeper.inc", "asm/table.bin"),
    *("inc/far.inc", "lists/listed.inc", "lists/other.inc"),
}
UNREAD = {"unrelated.inc", "asm/notes.txt"}


def sdist(project: Project, **env: str) -> set[str]:
    project.backend("build_sdist", "dist", ok=True, **env)
    (path,) = (project.folder / "dist").glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_everything_read_is_in_it(reading: Project) -> None:
    names = sdist(reading)

    assert names >= READ
    assert not names & UNREAD


def test_what_it_cannot_hold_is_named(hello: Project) -> None:
    source = (hello.folder / "hello.asm").read_text()
    hello.write(
        {
            "hello.asm": f'%include "../shared.inc"\n{source}',
            "../shared.inc": "",
            "../other.asm": "section .text\n",
        }
    )
    hello.extensions(("hello", ["hello.asm", "../other.asm"], {}), ("gone", ["gone.asm"], {}))

    said = hello.backend("build_sdist", "dist").output

    for path in ("../shared.inc", "../other.asm"):
        assert f"warning: {path} is outside of the project, so the sdist is without it" in said
    assert "warning: gone.asm is no file that can be read, so the sdist is without it" in said


def test_without_nasm(reading: Project) -> None:
    assert sdist(reading, PATH="/nowhere") >= READ


def test_the_wheel_is_built_from_it(reading: Project) -> None:
    reading.run("-m", "build", "--no-isolation", ".")

    assert reading.answer(path=reading.built_wheel().unpacked()) == "42"


def test_mixed_modules_are_complete_as_well(hello: Project) -> None:
    hello.write(
        {
            "hello.asm": '%include "number.inc"\nglobal number:function hidden\nnumber: ret\n',
            "number.inc": "",
            "more.c": "int more;\n",
        }
    )
    hello.extension("hello", ["hello.asm", "more.c"])

    assert sdist(hello) >= {"hello.asm", "number.inc", "more.c"}


def test_nothing_from_elsewhere(hello: Project) -> None:
    elsewhere = hello.folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other.inc").write_text("")
    source = (hello.folder / "hello.asm").read_text()
    hello.write({"hello.asm": f'%include "../elsewhere/other.inc"\n{source}'})

    assert not [name for name in sdist(hello) if "other" in name]


@pytest.mark.parametrize(
    "files",
    [
        {"hello.asm": '%include "gone.inc"\n'},
        {"hello.asm": "%include NAME\n%pathsearch X Y\nincbin\n"},
        {"hello.asm": '%include "hello.asm"\n'},
        {"hello.asm": "\x00\xff %include \x00"},
        {"pyproject.toml": "[project]\nname='hello'\nversion='1.0'\n[tool.asmsetup]\nbogus=1\n"},
    ],
    ids=["missing include", "computed names", "itself", "binary", "wrong settings"],
)
@pytest.mark.parametrize(
    "hook", ["prepare_metadata_for_build_wheel", "get_requires_for_build_wheel", "build_sdist"]
)
def test_asking_for_metadata_never_fails(hello: Project, files: dict[str, str], hook: str) -> None:
    hello.write(files)
    (hello.folder / "out").mkdir()

    hello.backend(hook, *(() if hook.startswith("get") else ("out",)), ok=True, PATH="/nowhere")


def test_metadata_with_a_source_that_is_gone(hello: Project) -> None:
    hello.extension("hello", ["gone.asm"])
    (hello.folder / "out").mkdir()

    hello.backend("prepare_metadata_for_build_wheel", "out", ok=True, PATH="/nowhere")
