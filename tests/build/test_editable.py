"""Editable installs, in both modes: importable at once, and only what changed is assembled again."""

from __future__ import annotations

import pytest

from tests.conftest import MakeProject
from tests.projects import Project

MODES = pytest.mark.parametrize("mode", ["lenient", "strict"])


@pytest.fixture
def counting(hello: Project) -> Project:
    """A package with a module of two sources."""
    source = (hello.folder / "hello.asm").read_text()
    hello.write(
        {
            "src/greetings/__init__.py": "",
            "src/greetings/hello.asm": source.replace("42", "number") + "extern number_of\n"
            "number:\n    push rax\n    call number_of\n    pop rdi\n    mov edi, eax\n"
            "    jmp PyLong_FromLong wrt ..plt\n",
            "asm/number.asm": "global number_of:function hidden\nsection .text\n"
            "number_of: mov eax, 42\nret\n",
            "setup.py": "from setuptools import Extension, setup\n"
            "setup(packages=['greetings'], package_dir={'': 'src'}, ext_modules=[Extension("
            "'greetings.hello', ['src/greetings/hello.asm', 'asm/number.asm'])])\n",
        }
    )
    return hello


def install(project: Project, mode: str) -> str:
    """Install the project editable into a folder of its own; what the build said."""
    return project.run(
        *("-m", "pip", "install", "-v", "--no-deps", "--no-build-isolation", "--upgrade"),
        *("--target", project.folder.parent / "site", "-C", f"editable_mode={mode}", "-e", "."),
    ).output


def answer(project: Project) -> str:
    code = (
        f"import site; site.addsitedir({str(project.folder.parent / 'site')!r});"
        "import greetings.hello; print(greetings.hello.answer())"
    )
    return project.run("-c", code).output.strip()


@MODES
def test_only_what_changed_is_assembled_again(counting: Project, mode: str) -> None:
    first = install(counting, mode)
    assert answer(counting) == "42"
    number = counting.folder / "asm" / "number.asm"
    number.write_text(number.read_text().replace("42", "43"))

    second = install(counting, mode)

    assert "nasm src/greetings/hello.asm" in first
    assert "nasm asm/number.asm" in first
    assert "nasm asm/number.asm" in second
    assert "nasm src/greetings/hello.asm" not in second
    assert answer(counting) == "43"


def test_objects_of_ordinary_builds_are_used_again(counting: Project) -> None:
    counting.build_ext(ASMSETUP_CACHE="0")

    said = counting.run(
        *("-m", "pip", "install", "-v", "--no-deps", "--no-build-isolation"),
        *("--target", counting.folder.parent / "site", "-e", "."),
        ASMSETUP_CACHE="0",
    ).output

    assert "nasm src" not in said
    assert answer(counting) == "42"


def test_each_interpreter_keeps_its_own(project: MakeProject) -> None:
    hello = project()
    hello.build_ext()
    suffix = hello.run(
        "-c", "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'))"
    ).output.strip()

    assert hello.module().name == f"hello{suffix}"
