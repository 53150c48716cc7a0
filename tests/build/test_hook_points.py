"""Whoever changes sources, arguments or the compiler object, and wherever: what reaches the compiler is built."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.build.hooks import HOOKS, MIXED, NUMBER, write
from tests.conftest import MakeProject
from tests.projects import PYPROJECT, Python, installed_aside


@pytest.mark.parametrize("hook", HOOKS)
def test_a_command_class_that(project: MakeProject, hook: str) -> None:
    built = write(project(), hook)

    said = []
    for _ in range(2):  # the second time with what the first has left
        before = ("build_py",) if "build_py" in hook else ()
        said.append(built.setup(*before, "build_ext", "--build-lib", ".").output)

        assert built.answer() == "42"
    assert ("own " in said[0]) == ("replaced" in hook)


ONLY_LATE = """
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

class Own(build_ext):
    def build_extension(self, ext):
        {body}

setup(name="hello", version="1", py_modules=[], ext_modules=[Extension("hello", {sources})], cmdclass={{"build_ext": Own}})
"""


@pytest.mark.parametrize(
    ("sources", "body"),
    [
        (["mixed.c"], 'ext.sources.append("number.asm"); super().build_extension(ext)'),
        ([], 'ext.sources.append("plain.asm"); super().build_extension(ext)'),
        (
            [],
            'made = self.compiler.compile(["plain.asm"], output_dir=self.build_temp);'
            " self.compiler.link_shared_object(made, self.get_ext_fullpath(ext.name))",
        ),
    ],
)
def test_the_only_assembly_comes_late_where_asmsetup_is_required(
    project: MakeProject, sources: list[str], body: str
) -> None:
    built = write(project(), "compile replaced, and the old one called")
    built.write(
        {
            "setup.py": ONLY_LATE.format(sources=sources, body=body),
            "pyproject.toml": PYPROJECT.replace('"asmsetup"', '"AsmSetup >= 0.1"'),
        }
    )

    wheel = built.wheel()

    assert wheel.tag.endswith("-manylinux1_x86_64.manylinux_2_5_x86_64")
    assert built.answer(path=wheel.unpacked()) == "42"


def test_an_argument_of_the_compilers_that_is_no_list(project: MakeProject) -> None:
    body = 'self.compiler.compile(["plain.asm"], include_dirs="inc")'
    built = write(project(), "compile replaced, and the old one called")
    built.write({"setup.py": ONLY_LATE.format(sources=["first.asm"], body=body)})

    assert built.refused() == (
        "the compiler was asked to compile with include_dirs='inc'\n  it must be a list of strings"
    )


def test_sources_that_setuptools_itself_would_not_take(project: MakeProject) -> None:
    built = project()
    text = (built.folder / "hello.asm").read_text()
    for number, suffix in enumerate((".ASM", ".nasm", ".nas", ".yasm", ".Asm")):
        (built.folder / "hello.asm").unlink(missing_ok=True)
        source = f"s{number}{suffix}"
        built.write({source: text}).extension("hello", [source]).build_ext("--force")
        assert built.answer() == "42"


STACK = """
import subprocess, sys
said = subprocess.run(["readelf", "-lW", sys.argv[1]], capture_output=True, text=True).stdout
(line,) = (line for line in said.splitlines() if "GNU_STACK" in line)
assert "RWE" not in line
print(line)
"""


@pytest.mark.parametrize("where", ["libraries", "Library"])
def test_a_static_library_of_assembly(project: MakeProject, where: str) -> None:
    """What setuptools makes of C: an archive that the extensions beside it are linked with."""
    built = write(project(), "compile replaced, and the old one called")
    library = {
        "libraries": "libraries=[('n', {'sources': ['number.asm', 'more.c']})]",
        "Library": "",
    }
    ext = "Library('n', ['number.asm']), " if where == "Library" else ""
    built.write(
        {
            "more.c": "int more;\n",
            "setup.py": "from setuptools import Extension, setup\n"
            "from setuptools.extension import Library\n"
            f"setup(py_modules=[], {library[where]}{', ' if library[where] else ''}"
            f"ext_modules=[{ext}Extension('hello', ['mixed.c'], extra_link_args=LINK)])\n",
        }
    )
    archive = "build/libn.cpython-*.a" if where == "Library" else "*/libn.a"
    args = "__import__('glob').glob('**/libn*.a', recursive=True)" if where == "Library" else "[]"
    text = (built.folder / "setup.py").read_text()
    # What Library archives is linked by name, in a second build.
    if where == "Library":
        first = re.sub(r", Extension\(.*\)\]", "]", text)
        built.write({"setup.py": first}).setup("build_ext", "--build-lib", "build")
    built.write({"setup.py": text.replace("LINK", args)})

    built.setup("build_clib", "build_ext", "-i") if where == "libraries" else built.build_ext()

    assert built.answer() == "42"
    assert list(built.folder.rglob(Path(archive).name))
    assert "GNU_STACK" in built.run("-c", STACK, str(built.module())).output


def test_one_source_of_c_in_two_mixed_modules_with_other_macros(project: MakeProject) -> None:
    """One object for a source and a command; what is known of one is not believed of the other."""
    text = MIXED.format(name="NAME").replace('"NAME"', '"n"').replace("PyInit_NAME", "INIT")
    macros = [[("INIT", f"PyInit_m{bits}"), ("BITS", str(bits))] for bits in (8, 10)]
    built = project().write(
        {"m.c": text, "number.asm": NUMBER.replace("42", "BITS"), "setup.py": ""}
    )
    built.extensions(
        ("m8", ["m.c", "number.asm"], {"define_macros": macros[0]}),
        ("m10", ["m.c", "number.asm"], {"define_macros": macros[1]}),
    )

    for jobs in ((), ("-j2",), ("--force",)):
        built.build_ext(*jobs)
        assert [built.answer(name) for name in ("m8", "m10")] == ["8", "10"]
    assert " -c " not in built.build_ext().output


def test_cffi_makes_its_own_c(project: MakeProject, python: Python) -> None:
    built = project().beside(installed_aside(python, "cffi==1.17.1"))
    built.write(
        {
            "number.asm": NUMBER,
            "build_number.py": "from cffi import FFI\n"
            "builder = FFI()\n"
            "builder.cdef('long number(void);')\n"
            "builder.set_source('_number', 'long number(void);', sources=['number.asm'])\n",
            "setup.py": "from setuptools import setup\n"
            "setup(name='n', version='1', py_modules=[], cffi_modules=['build_number.py:builder'])\n",
        }
    )

    for _ in range(2):
        built.build_ext()

    said = built.run("-c", "import _number; print(_number.lib.number())").output
    assert said == "42\n"
