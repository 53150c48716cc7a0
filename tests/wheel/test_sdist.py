"""The sdist holds every source and all they include, without a MANIFEST.in, and without nasm."""

from __future__ import annotations

import os
import shutil

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


def test_everything_read_is_in_it(reading: Project) -> None:
    names = reading.sdist().files()

    assert names >= READ
    assert not names & UNREAD


def listed(project: Project) -> set[str]:
    """Return what setuptools lists as an sdist's files beside each wheel, too."""
    (path,) = project.folder.glob("*.egg-info/SOURCES.txt")
    return set(path.read_text().splitlines())


def test_a_wheel_looks_for_no_includes_to_list(reading: Project) -> None:
    reading.write({"../other.asm": "section .text\n"})
    reading.extension("hello", ["asm/hello.asm", "../other.asm"], include_dirs=["lists"])
    reading.wheel()

    assert "asm/hello.asm" in listed(reading)
    assert not listed(reading) & {"module.inc", "asm/near.inc", "lists/listed.inc", "../other.asm"}
    assert reading.sdist().files() >= READ


def test_a_wheel_and_an_sdist_at_once(reading: Project) -> None:
    reading.setup("bdist_wheel", "sdist")

    assert listed(reading) >= READ


BY_HAND = {
    "run_setup": "dist = run_setup('setup.py', [], 'commandline')\n",
    "a wheel's command line": "dist = run_setup('setup.py', ['bdist_wheel'], 'commandline')\n",
}


@pytest.mark.parametrize("way", BY_HAND)
def test_an_sdist_after_a_wheel_by_hand(reading: Project, way: str) -> None:
    """As a release script does it, or a bdist_wheel of the project's own that makes both.

    Of the wheel's commands it is egg_info that lists the files.
    """
    commands = "dist.run_command('egg_info')\ndist.run_command('sdist')\n"
    code = f"from distutils.core import run_setup\n{BY_HAND[way]}{commands}"
    reading.write({"both.py": f"import setuptools\n{code}"})
    if not (reading.folder / "setup.py").exists():
        reading.write({"setup.py": "from setuptools import setup\nsetup()\n"})
    reading.run("both.py")

    assert reading.unpacked_sdist().files() >= READ


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
        assert (
            f"warning: {path} is outside of the project, so it is not included in the sdist" in said
        )
    assert "warning: gone.asm cannot be read, so it is not included in the sdist" in said


def test_without_nasm(reading: Project) -> None:
    assert reading.sdist(PATH="/nowhere").files() >= READ


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

    assert hello.sdist().files() >= {"hello.asm", "number.inc", "more.c"}


def test_nothing_from_elsewhere(hello: Project) -> None:
    elsewhere = hello.folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other.inc").write_text("")
    source = (hello.folder / "hello.asm").read_text()
    hello.write({"hello.asm": f'%include "../elsewhere/other.inc"\n{source}'})

    assert not [name for name in hello.sdist().files() if "other" in name]


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


WAYS: dict[str, tuple[dict[str, object], dict[str, str], dict[str, str]]] = {
    # keywords of the extension, files, the environment
    "include_dirs": ({"include_dirs": ["more/inc"]}, {}, {}),
    "-I": ({"extra_compile_args": ["-Imore/inc"]}, {}, {}),
    "-I with a slash": ({"extra_compile_args": ["-Imore/inc/"]}, {}, {}),
    "-I apart": ({"extra_compile_args": ["-I", "more/inc"]}, {}, {}),
    "-i": ({"extra_compile_args": ["-imore/inc"]}, {}, {}),
    "by language": ({"extra_compile_args": {"nasm": ["-Imore/inc"]}}, {}, {}),
    "by pattern": ({"extra_compile_args": {"*.asm": ["-Imore/inc"]}}, {}, {}),
    "-P": ({"extra_compile_args": ["-Pmore/inc/named.inc"]}, {}, {}),
    "--include": ({"extra_compile_args": ["--include", "more/inc/named.inc"]}, {}, {}),
    "--before": ({"extra_compile_args": ['--before=%include "more/inc/named.inc"']}, {}, {}),
    "-D": ({"extra_compile_args": ['-DX=incbin "more/inc/named.inc"']}, {}, {}),
    "define_macros": ({"define_macros": [("X", 'incbin "more/inc/named.inc"')]}, {}, {}),
    "setup.cfg": ({}, {"setup.cfg": "[build_ext]\ninclude_dirs = more/inc\n"}, {}),
    "NASMFLAGS": ({}, {}, {"NASMFLAGS": "-Imore/inc"}),
    "ASMSETUP_NASM_ARGS": ({}, {}, {"ASMSETUP_NASM_ARGS": "-Imore/inc"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_folder_counts_however_it_is_named(hello: Project, way: str) -> None:
    keywords, files, env = WAYS[way]
    source = (hello.folder / "hello.asm").read_text()
    included = "" if "named.inc" in str(keywords) else '%include "named.inc"\n'
    hello.write({"hello.asm": included + source, "more/inc/named.inc": "", **files})
    hello.extension("hello", ["hello.asm"], **keywords)

    assert "more/inc/named.inc" in hello.sdist(None, **env).files()


def test_settings_of_the_project_and_of_the_front_end_count(hello: Project) -> None:
    source = (hello.folder / "hello.asm").read_text()
    hello.write({"hello.asm": f'%include "one.inc"\n%include "two.inc"\n{source}'})
    hello.write({"first/one.inc": "", "second/two.inc": ""})
    hello.extension("hello", ["hello.asm"]).settings('nasm-args = ["-Ifirst"]')

    names = hello.sdist({"asmsetup.nasm-args": "-Ifirst -Isecond"}).files()

    assert names >= {"first/one.inc", "second/two.inc"}


def test_what_only_seems_to_be_in_the_project_is_named(hello: Project) -> None:
    secret = hello.folder.parent / "secret.bin"
    secret.write_text("secret")
    (hello.folder / "linked.bin").symlink_to(secret)
    source = (hello.folder / "hello.asm").read_text()
    lines = 'section .rodata\nincbin "linked.bin"\n%include "build/made.inc"\n'
    hello.write({"hello.asm": lines + source, "build/made.inc": ""})

    said = hello.backend("build_sdist", "dist").output

    assert (
        f"warning: linked.bin is a symbolic link to {secret}, which is outside of the project, "
        "so it is not included in the sdist" in said
    )
    assert (
        "warning: build/made.inc is in build, the folder of what is built, "
        "so it is not included in the sdist" in said
    )
    held = hello.unpacked_sdist().files()
    assert not [name for name in held if "linked" in name or "made" in name]


@pytest.mark.parametrize("form", ["gztar", "bztar", "xztar", "tar", "zip"])
def test_the_same_files_give_the_same_bytes(reading: Project, form: str) -> None:
    made = []
    for name, time in (("one", 0), ("another", 10**9)):
        folder = reading.folder.parent / name
        shutil.copytree(reading.folder, folder)
        for path in folder.rglob("*"):
            os.utime(path, (time, time))
            path.chmod(0o755 if path.is_dir() else 0o600 if time else 0o664)
        project = Project(folder, reading.python, ())
        project.env = {**reading.env, "SOURCE_DATE_EPOCH": "1700000000"}
        project.setup("sdist", f"--formats={form}")
        (archive,) = (folder / "dist").iterdir()
        made.append(archive.read_bytes())
        shutil.unpack_archive(archive, folder / "out", "zip" if form == "zip" else form)
        (unpacked,) = (folder / "out").iterdir()
        assert (unpacked / "asm/table.bin").read_text() == "bytes"

    assert made[0] == made[1]


@pytest.mark.parametrize("form", ["gztar", "zip"])
@pytest.mark.parametrize("time", [0, 2**33])
def test_times_that_archives_cannot_hold(hello: Project, form: str, time: int) -> None:
    for path in hello.folder.iterdir():
        os.utime(path, (time, time))
    hello.setup("sdist", f"--formats={form}")
    assert os.stat(hello.folder / "hello.asm").st_mtime == time


@pytest.mark.parametrize(
    ("command", "date"),
    [("sdist", "today"), ("bdist_wheel", "4294967296"), ("bdist_wheel", "0" * 8 + "9" * 12)],
)
def test_a_date_that_is_none(hello: Project, command: str, date: str) -> None:
    error = hello.setup(command, ok=False, SOURCE_DATE_EPOCH=date).error
    assert error == (
        f"SOURCE_DATE_EPOCH is {date!r}, and must be a number of seconds since 1970,"
        " before the year 2106"
    )


def test_the_last_date(hello: Project) -> None:
    hello.setup("sdist", "--formats=gztar,zip", "bdist_wheel", SOURCE_DATE_EPOCH="4294967295")
