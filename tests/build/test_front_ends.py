"""All the ways people call a build: setup.py with sequences of commands, and front ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.projects import PYPROJECT, REPOSITORY, Project, Python, installed_aside, run

WHEELS = [
    ["build_ext", "bdist_wheel"],
    ["build_ext", "-j4", "bdist_wheel"],
    ["build_ext", "--inplace", "bdist_wheel"],
    ["build_ext", "build_ext", "bdist_wheel"],
    ["build", "bdist_wheel", "--skip-build"],
    ["build", "--build-base", "elsewhere", "bdist_wheel"],
    ["build_ext", "-t", "temp", "bdist_wheel"],
    ["build", "-b", "other", "-t", "temp", "bdist_wheel"],
    ["egg_info", "sdist", "bdist_wheel"],
    ["build_ext", "-b", "out", "-t", "tmp", "bdist_wheel"],
    ["bdist_wheel", "build_ext", "-b", "out"],
    ["bdist_wheel", "--bdist-dir", "collected", "--build-number", "3"],
    ["bdist_wheel", "--keep-temp", "bdist_wheel"],
    ["clean", "--all", "bdist_wheel"],
    ["build_clib", "build_py", "build_ext", "build", "bdist_wheel"],
]


@pytest.mark.parametrize("commands", WHEELS, ids=" ".join)
def test_a_sequence_that_ends_with_a_wheel(hello: Project, commands: Sequence[str]) -> None:
    hello.extension("hello", ["hello.asm"])
    for _ in range(2):
        hello.setup(*commands)

        assert hello.answer(path=hello.built_wheel().unpacked()) == "42"
        hello.built_wheel().path.unlink()


@pytest.mark.parametrize(
    "commands",
    [
        "build_ext -i -f install --root there --single-version-externally-managed --record=files",
        "build install_lib -d there --skip-build",
    ],
)
def test_a_sequence_that_installs(hello: Project, commands: str) -> None:
    hello.setup(*commands.split())

    (module,) = (hello.folder / "there").rglob("hello.*.so")
    assert hello.answer(path=module.parent) == "42"


def test_develop_of_the_oldest_setuptools(hello: Project, python: Python) -> None:
    old = hello.beside(installed_aside(python, "setuptools==70.1.0"))

    old.setup("develop", "--install-dir", ".", PYTHONPATH=f".:{old.env['PYTHONPATH']}")

    assert hello.answer() == "42"


def test_clean_leaves_nothing_of_a_build(hello: Project) -> None:
    before = hello.files()
    hello.setup("build")
    hello.setup("clean", "--all")

    assert {name for name in hello.files() - before if "build/" in name} == set()


TWO_WHEELS = """
import os, sys
from setuptools import build_meta
for number, strict in enumerate(("false", "true")):
    os.environ["ASMSETUP_STRICT"] = strict
    text = open("hello.asm").read()
    open("hello.asm", "w").write(text.replace("42", "43") if number else text)
    print("built", build_meta.build_wheel(f"dist{number}", {"asmsetup.debug": str(bool(number))}))
"""


def test_two_wheels_in_one_process_have_each_their_own(hello: Project) -> None:
    hello.extension("hello", ["hello.asm"]).run("-c", TWO_WHEELS)

    wheels = [next((hello.folder / f"dist{number}").glob("*.whl")) for number in (0, 1)]
    for wheel, answer in zip(wheels, ("42", "43"), strict=True):
        folder = wheel.parent / "unpacked"
        hello.run("-m", "zipfile", "-e", str(wheel), str(folder))
        assert hello.answer(path=folder) == answer
    # The second has the debug information that its own config settings ask for.
    sizes = [path.stat().st_size for path in sorted(hello.folder.glob("dist*/unpacked/*.so"))]
    assert sizes[0] < sizes[1]


# gettid(2) is in glibc since 2.30.
OF_GLIBC_2_30 = "int gettid(void); int more_of_it(void) { return gettid(); }\n"
TAGS_OF_ITS_OWN = {
    "two calls of the backend": """
from setuptools import build_meta
for number in range(2):
    open("setup.py", "w").write(SETUP % (["hello.asm"] + ["more.c"] * number))
    build_meta.build_wheel(f"dist{number}")
""",
    "two runs of one command": """
from setuptools import Distribution, Extension
ext = Extension("hello", ["hello.asm"])
dist = Distribution({"name": "hello", "version": "1.0", "py_modules": [], "ext_modules": [ext]})
dist.script_name = "setup.py"
for number in range(2):
    for name in list(dist.command_obj):
        dist.reinitialize_command(name)
    dist.get_command_obj("bdist_wheel").dist_dir = f"dist{number}"
    ext.sources += ["more.c"] * number
    dist.run_command("bdist_wheel")
""",
}


@pytest.mark.parametrize("way", TAGS_OF_ITS_OWN)
def test_the_second_wheel_of_a_process_is_tagged_by_what_it_needs(hello: Project, way: str) -> None:
    hello.write({"more.c": OF_GLIBC_2_30, "pyproject.toml": PYPROJECT})
    setup = (
        'SETUP = "from setuptools import Extension, setup\\n'
        "setup(py_modules=[], ext_modules=[Extension('hello', %r)])\"\n"
    )
    hello.run("-c", setup + TAGS_OF_ITS_OWN[way])

    names = [next((hello.folder / f"dist{number}").glob("*.whl")).name for number in range(2)]
    assert names[0].endswith("-manylinux1_x86_64.manylinux_2_5_x86_64.whl")
    assert re.search(r"-manylinux_2_3[01]_x86_64[.]whl$", names[1])


def test_a_kept_folder_does_not_get_into_the_next_wheel(hello: Project) -> None:
    hello.settings("universal = true").setup("bdist_wheel", "--keep-temp")
    hello.built_wheel().path.unlink()
    hello.settings("universal = false").setup("bdist_wheel", "--keep-temp")

    assert len([name for name in hello.built_wheel().files if name.endswith(".so")]) == 1


@pytest.mark.parametrize("option", ["--py-limited-api=cp311", "--python-tag=cp311"])
def test_a_tag_that_universal_rules_out(hello: Project, option: str) -> None:
    hello.settings("universal = true")

    assert hello.setup("bdist_wheel", option, ok=False).error == (
        f"{option.partition('=')[0]} and universal = true: the wheel is for every CPython\n"
        "  leave the option out, or build without universal"
    )


@pytest.mark.parametrize("platform", ["linux-aarch64", "manylinux2014_aarch64", "win_amd64"])
@pytest.mark.parametrize("command", ["build_ext", "bdist_wheel"])
def test_a_platform_that_modules_are_not_for(hello: Project, command: str, platform: str) -> None:
    assert hello.setup(command, f"--plat-name={platform}", ok=False).error == (
        f"--plat-name asks for {platform}, and what is built is for x86-64 Linux\n"
        "  leave --plat-name out"
    )


def test_a_platform_of_ones_own_choice(hello: Project) -> None:
    hello.setup("bdist_wheel", "--plat-name=manylinux2014_x86_64")

    assert hello.built_wheel().tag.endswith("-manylinux2014_x86_64")


def test_py_limited_api_as_setuptools_has_it(hello: Project) -> None:
    hello.extension("hello", ["hello.asm"], py_limited_api=True)

    hello.setup("bdist_wheel", f"--py-limited-api=cp3{sys.version_info.minor}")

    assert f"-cp3{sys.version_info.minor}-abi3-" in hello.built_wheel().name


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the standard library has no distutils")
@pytest.mark.parametrize("mixed", [False, True])
def test_the_standard_librarys_distutils(hello: Project, mixed: bool) -> None:
    if mixed:
        text = (hello.folder / "hello.asm").read_text()
        hello.write({"hello.asm": text, "more.c": "int more(void) { return 1; }\n"})
        hello.extension("hello", ["hello.asm", "more.c"])

    for _ in range(2):
        hello.build_ext(SETUPTOOLS_USE_DISTUTILS="stdlib")

        assert hello.answer() == "42"


SLOW = """\
#!/bin/sh
case "$1" in -v) exec nasm "$@";; esac
echo >> "{log}"
sleep 1
exec nasm "$@"
"""


BY_ANOTHER_THREAD = """
import os, signal, threading, time

def interrupt():
    while not os.path.exists("{log}"):
        time.sleep(0.01)
    time.sleep(1)  # By now the main thread waits.
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
"""


@pytest.fixture
def slow(hello: Project) -> tuple[Path, dict[str, str]]:
    """Two hundred modules to build; what NASM logs its starts to, and the environment."""
    names = [f"m{number}" for number in range(200)]
    module = '%include "module.inc"\nMODULE {}, 1\n'
    hello.write({f"{name}.asm": module.format(name) for name in names})
    hello.extensions(*((name, [f"{name}.asm"], {}) for name in names))
    log = hello.folder.parent / "log"
    nasm = hello.folder.parent / "slow-nasm"
    nasm.write_text(SLOW.format(log=log))
    nasm.chmod(0o755)
    return log, {**hello.env, "NASM": str(nasm)}


def require_stopped(build: subprocess.Popen[str], log: Path) -> None:
    output, _ = build.communicate(timeout=300)
    assert build.returncode != 0
    assert "Traceback" not in output
    # Machines with many cores start many before the signal, and one that is not stopped all 200.
    assert len(log.read_text()) < 200


def start_build(hello: Project, env: dict[str, str], *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [hello.python.path, "setup.py", "build_ext", *options],
        cwd=hello.folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("options", [(), ("-j4",)], ids=["", "-j4"])
def test_ctrl_c_to_python_alone_ends_the_build(
    hello: Project, slow: tuple[Path, dict[str, str]], options: tuple[str, ...]
) -> None:
    log, env = slow
    build = start_build(hello, env, *options)
    while not log.exists():
        assert build.poll() is None, build.communicate()[0]
        time.sleep(0.01)
    build.send_signal(signal.SIGINT)
    require_stopped(build, log)


@pytest.mark.parametrize("options", [(), ("-j4",)], ids=["", "-j4"])
def test_ctrl_c_that_the_waiting_thread_misses_ends_the_build(
    hello: Project, slow: tuple[Path, dict[str, str]], options: tuple[str, ...]
) -> None:
    log, env = slow
    setup = (hello.folder / "setup.py").read_text()
    hello.write({"setup.py": BY_ANOTHER_THREAD.format(log=log) + setup})
    require_stopped(start_build(hello, env, *options), log)


UV = """
[tool.uv]
cache-keys = [
    { file = "pyproject.toml" },
    { file = "setup.py" },
    { file = "**/*.asm" },
    { file = "**/*.inc" },
]
"""


@pytest.fixture
def uv(hello: Project, python: Python) -> tuple[Project, dict[str, str], str]:
    """A project with uv's cache keys, uv's environment, and uv."""
    program = str(installed_aside(python, "uv==0.13.9") / "bin" / "uv")
    (packages,) = (python.path.parent.parent / "lib").glob("python*/site-packages")
    hello.write({"pyproject.toml": PYPROJECT + 'requires-python = ">=3.10"\n' + UV})
    environment = {
        **hello.env,
        "PYTHONPATH": os.pathsep.join([hello.env["PYTHONPATH"], str(packages)]),
        "UV_CACHE_DIR": str(hello.folder.parent / "uv"),
        "UV_PYTHON": str(python.path),
        "UV_OFFLINE": "1",
        "UV_NO_BUILD_ISOLATION": "1",
    }
    return hello, environment, program


def test_uv_builds_again_what_has_changed(uv: tuple[Project, dict[str, str], str]) -> None:
    project, environment, program = uv
    ask = ("python", "-c", "import hello; print('answer', hello.answer())")
    run(program, "sync", cwd=project.folder, env=environment)
    before = run(program, "run", *ask, cwd=project.folder, env=environment)

    text = (project.folder / "hello.asm").read_text()
    project.write({"hello.asm": text.replace("42", "43")})
    after = run(program, "run", *ask, cwd=project.folder, env=environment)

    answers = [re.findall(r"answer (\d+)", each.output) for each in (before, after)]
    assert answers == [["42"], ["43"]]


def test_uv_build_and_an_editable_install(uv: tuple[Project, dict[str, str], str]) -> None:
    project, environment, program = uv

    run(program, "build", cwd=project.folder, env=environment)
    assert project.answer(path=project.built_wheel().unpacked()) == "42"
    assert len(list((project.folder / "dist").glob("*.tar.gz"))) == 1

    run(program, "venv", cwd=project.folder, env=environment)
    own = {**environment, "UV_PYTHON": "", "VIRTUAL_ENV": str(project.folder / ".venv")}
    editable = ("pip", "install", "--no-deps", "-e", ".")
    run(program, *editable, cwd=project.folder, env=own)
    assert project.answer() == "42"


POETRY = """
[build-system]
requires = ["poetry-core", "setuptools", "asmsetup"]
build-backend = "poetry.core.masonry.api"

[tool.poetry]
name = "hello"
version = "1.0"
description = ""
authors = []
packages = [{ include = "package" }]
include = [{ path = "*.so", format = "wheel" }]

[tool.poetry.build]
script = "build.py"
generate-setup-file = false
"""
SCRIPTS = {
    "by the distribution": """
        command = distribution.get_command_obj("build_ext")
        """,
    "by asmsetup's class": """
        import asmsetup
        command = asmsetup.build_ext(distribution)
        """,
}


@pytest.mark.parametrize("way", SCRIPTS)
def test_a_build_script_of_poetry(project: MakeProject, python: Python, way: str) -> None:
    built = project().beside(installed_aside(python, "poetry-core==2.1.3"))
    script = re.sub(r"^        ", "", SCRIPTS[way], flags=re.MULTILINE)
    built.write(
        {
            "pyproject.toml": POETRY,
            "package/__init__.py": "",
            "build.py": "from setuptools import Distribution, Extension\n"
            'distribution = Distribution({"name": "hello", "ext_modules": [Extension("hello", ["hello.asm"])]})\n'
            f"{script}command.inplace = True\ncommand.ensure_finalized()\ncommand.run()\n",
        }
    )
    (built.folder / "setup.py").unlink()
    (built.folder / "dist").mkdir()

    built.run("-c", "from poetry.core.masonry import api; print(api.build_wheel('dist'))")

    assert built.answer(path=built.built_wheel().unpacked()) == "42"


@pytest.mark.parametrize("example", sorted((REPOSITORY / "examples").glob("*/pyproject.toml")))
def test_every_example_has_uvs_cache_keys(example: Path) -> None:
    text = example.read_text(encoding="utf-8")

    assert "[tool.uv]" in text
    assert '{ file = "*.asm" }' in text
