"""Being installed is enough, whoever else has a word in build_ext; and without assembly nothing changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.projects import PYPROJECT, Project, Python, installed_aside

TALK = "the project's own command class builds hello"


@pytest.mark.parametrize(
    "package",
    ["hello", "named-explicitly", "extensions-in-pyproject", "setup-cfg-era"],
)
def test_no_command_class_is_needed(project: MakeProject, package: str) -> None:
    built = project(package)

    built.build_ext()

    assert built.answer() == "42"


@pytest.mark.parametrize(
    "package",
    [
        "cmdclass-in-setup",
        "cmdclass-in-pyproject",
        "cmdclass-in-setup-cfg",
        "subclassed",
        "base-called-by-name",
        "loop-of-its-own",
        "changed-late",
        "cmdclass-of-distutils",
    ],
)
def test_the_users_command_class_runs_too(project: MakeProject, package: str) -> None:
    built = project(package)

    said = built.build_ext().output

    assert said.count(TALK) == 1
    assert built.answer() == "42"


def test_the_command_class_named_in_pyproject(project: MakeProject) -> None:
    built = project("cmdclass-in-pyproject")
    text = (built.folder / "pyproject.toml").read_text()
    built.write({"pyproject.toml": text.replace("commands.Talking", "asmsetup.build_ext")})

    built.build_ext()

    assert built.answer() == "42"


METADATA = """
import os, sys
from setuptools import build_meta
os.makedirs("dist")
build_meta.prepare_metadata_for_build_wheel("dist")
own = {name for name in sys.modules if name.startswith("asmsetup.")}
assert own, "asmsetup has no part in this"
print(own, "auditwheel" in sys.modules)
"""


def test_metadata_needs_nothing_but_the_hook(hello: Project) -> None:
    assert hello.run("-c", METADATA).output.splitlines()[-1] == "{'asmsetup.hook'} False"


REQUIREMENTS = METADATA.replace(
    "prepare_metadata_for_build_wheel(", "get_requires_for_build_wheel() #"
)


def test_what_a_build_requires_is_asked_without_the_commands(hello: Project) -> None:
    loaded = hello.run("-c", REQUIREMENTS).output.splitlines()[-1]
    assert "asmsetup.hook" in loaded
    assert "asmsetup.plugin.commands" not in loaded


WHEEL = METADATA.replace("prepare_metadata_for_build_wheel", "build_wheel")


SELDOM_NEEDED = (
    *("assemble.database", "assemble.gas", "check.mistakes", "editable", "link.debug_file"),
    *("plugin.c_objects", "plugin.driver", "plugin.elsewhere", "schema", "unwind"),
)


def test_a_wheel_of_what_needs_nothing_is_tagged_without_auditwheel(hello: Project) -> None:
    loaded = hello.run("-c", WHEEL).output.splitlines()[-1]
    assert loaded.endswith(" False")
    assert [each for each in SELDOM_NEEDED if f"'asmsetup.{each}'" in loaded] == []
    assert hello.built_wheel().tag.endswith("-manylinux1_x86_64.manylinux_2_5_x86_64")


# Extensions in pyproject.toml came with 74.1.
@pytest.mark.parametrize(
    ("version", "package"),
    [
        ("70.1.0", "hello"),
        ("70.1.0", "cmdclass-in-setup-cfg"),
        ("74.1.0", "extensions-in-pyproject"),
    ],
)
def test_the_oldest_setuptools(
    project: MakeProject, python: Python, version: str, package: str
) -> None:
    built = project(package).beside(installed_aside(python, f"setuptools=={version}"))

    wheel = built.wheel()

    assert wheel.tag.endswith("manylinux1_x86_64.manylinux_2_5_x86_64")
    assert built.answer(path=wheel.unpacked()) == "42"


def test_cython_and_plain_c_beside(project: MakeProject, python: Python) -> None:
    built = project("beside-cython-and-c").beside(installed_aside(python, "Cython==3.3.1"))

    built.build_ext()

    answers = [built.answer(name) for name in ("hello", "fast", "both", "plain")]
    assert answers == ["42", "43", "44", "45"]


def test_cython_sources_without_cythonize(project: MakeProject, python: Python) -> None:
    built = project("beside-cython-and-c").beside(installed_aside(python, "Cython==3.3.1"))
    built.extensions(("both", ["both.pyx", "number.asm"], {}), ("hello", ["hello.asm"], {}))

    for _ in range(2):  # The second time there is nothing to do.
        built.build_ext()

        assert [built.answer(name) for name in ("hello", "both")] == ["42", "44"]


def test_parallel_compile_of_pybind11(project: MakeProject, python: Python) -> None:
    built = project("parallel-compile").beside(installed_aside(python, "pybind11==3.1.0"))

    built.build_ext()

    assert [built.answer(name) for name in ("hello", "bound")] == ["42", "43"]


@pytest.mark.parametrize("package", ["hello", "no-assembly"])
def test_setuptools_rust_merely_installed(
    project: MakeProject, python: Python, package: str
) -> None:
    built = project(package).beside(installed_aside(python, "setuptools-rust==1.13.0"))

    built.wheel()
    built.build_ext()

    assert built.answer() == "42"


@pytest.mark.parametrize("requires", [False, True], ids=["", "required"])
@pytest.mark.parametrize("package", ["no-assembly", "no-extension"])
def test_a_project_without_assembly_comes_out_the_same(
    project: MakeProject, package: str, requires: bool
) -> None:
    # In one and the same folder: a compiler may write its path into what it makes.
    built: dict[bool, dict[str, bytes]] = {}
    for without in (True, False):
        here = project(package, without_asmsetup=without)
        if requires:
            here.write({"pyproject.toml": PYPROJECT})
        here.backend("build_sdist", "dist", SOURCE_DATE_EPOCH="1700000000")
        here.wheel(SOURCE_DATE_EPOCH="1700000000")
        built[without] = {
            path.name: path.read_bytes() for path in Path(here.folder, "dist").iterdir()
        }
        shutil.rmtree(here.folder)

    assert built[True].keys() == built[False].keys()
    (wheel,) = (name for name in built[True] if name.endswith(".whl"))
    assert built[True][wheel] == built[False][wheel]


def test_a_project_without_assembly_is_told_the_same(project: MakeProject) -> None:
    said = []
    for without in (True, False):
        here = project("no-assembly", without_asmsetup=without)
        said.append(here.setup("build_ext", "bdist_wheel").output)
        shutil.rmtree(here.folder)

    assert said[0] == said[1]


def test_the_hook_loads_nothing_of_asmsetup_without_assembly(project: MakeProject) -> None:
    here = project("no-extension")
    here.write(
        {
            "setup.py": "import sys\n"
            "from setuptools import setup\n"
            "setup()\n"
            "print('loaded:', sorted(name for name in sys.modules if name.startswith('asmsetup')))\n"
        }
    )

    assert "loaded: ['asmsetup', 'asmsetup.hook']" in here.run("setup.py", "build").output


def test_sources_are_left_alone(hello: Project) -> None:
    hello.write(
        {
            "setup.py": "from setuptools import Extension, setup\n"
            "ext = Extension('hello', ['hello.asm'], depends=['module.inc'])\n"
            "setup(ext_modules=[ext])\n"
            "print('left:', ext.sources, ext.depends)\n"
        }
    )

    assert "left: ['hello.asm'] ['module.inc']" in hello.build_ext().output
