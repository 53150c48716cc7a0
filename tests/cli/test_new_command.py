"""asmsetup new: what it writes, and that it never overwrites; tests/examples builds what it writes."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from asmsetup import config
from asmsetup.cli.new import KINDS, package_name
from asmsetup.errors import UsageError
from tests.cli.running import asmsetup
from tools.matrix.interpreters import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

COMMON = {
    ".editorconfig",
    ".github/workflows/build.yml",
    ".gitignore",
    ".vscode/extensions.json",
    ".vscode/settings.json",
    "README.md",
    "pyproject.toml",
    "setup.py",
    "src/fast_sum/__init__.py",
    "src/fast_sum/py.typed",
    "tests/test_fast_sum.py",
}
SOURCES = {
    "module": {"src/fast_sum/_core.asm", "src/fast_sum/_core.pyi"},
    "type": {"src/fast_sum/_core.asm", "src/fast_sum/_core.pyi"},
    "simd": {"src/fast_sum/_core.asm", "src/fast_sum/_core.pyi"},
    "mixed": {"src/fast_sum/_core.c", "src/fast_sum/_core.pyi", "src/fast_sum/kernel.asm"},
    "library": {"src/fast_sum/kernel.asm", "src/fast_sum/kernel.h"},
}


def files(folder: Path) -> dict[str, str]:
    """Each file below a folder, and its text."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_of_a_project(kind: str, tmp_path: Path) -> None:
    done = asmsetup("new", "fast-sum", "--kind", kind, cwd=tmp_path)
    written = files(tmp_path / "fast-sum")

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"fast-sum: {len(written)} files\n"
    assert written.keys() == COMMON | SOURCES[kind]
    assert not [name for name, text in written.items() if re.search(r"@\w+@", text)]
    project = tomllib.loads(written["pyproject.toml"])["project"]
    assert (project["name"], project["version"]) == ("fast-sum", "0.1.0")
    config.load(str(tmp_path / "fast-sum"), {})
    for text in written.values():
        assert not text or text.endswith("\n")
    # Actions are pinned to the commits that our own workflows use.
    workflow = written[".github/workflows/build.yml"]
    ours = "".join(path.read_text() for path in REPOSITORY.glob(".github/workflows/*.yml"))
    used = re.findall(r"uses: (\S+)", workflow)
    assert used
    assert set(used) <= set(re.findall(r"uses: (\S+@[0-9a-f]{40})", ours))
    assert "id-token: write" in workflow


def test_the_author_is_the_one_that_git_knows(tmp_path: Path) -> None:
    (tmp_path / "config").write_text('[user]\nname = O\'Neil \\"x\\"\nemail = o@example.com\n')
    asmsetup("new", "known", cwd=tmp_path, GIT_CONFIG_GLOBAL=str(tmp_path / "config"))
    (tmp_path / "config").write_text("")
    asmsetup("new", "unknown", cwd=tmp_path, GIT_CONFIG_GLOBAL=str(tmp_path / "config"))

    def authors(name: str) -> object:
        text = (tmp_path / name / "pyproject.toml").read_text()
        return tomllib.loads(text)["project"].get("authors")

    assert authors("known") == [{"name": 'O\'Neil "x"', "email": "o@example.com"}]
    assert authors("unknown") is None


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("fast-sum", "fast_sum"),
        ("FastSum", "fastsum"),
        ("a.b--c", "a_b_c"),
        ("add", "add"),  # an instruction
        ("x" * 100, "x" * 100),
    ],
)
def test_names_of_packages(name: str, package: str) -> None:
    assert package_name(name) == package


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("", "'' cannot be the name of a project"),
        ("-x", "'-x' cannot be the name of a project"),
        ("x-", "'x-' cannot be the name of a project"),
        ("two words", "'two words' cannot be the name of a project"),
        ("größe", "'größe' cannot be the name of a project"),
        ("a\nb", "'a\\nb' cannot be the name of a project"),
        ("3d", "'3d' cannot be imported by its name: 3d begins with a digit"),
        ("class", "'class' cannot be imported by its name: class is a keyword of Python"),
        ("json", "'json' would hide the module json that is already there"),
        ("test", "'test' would hide the module test that is already there"),  # Python's own tests
        ("src", "'src' would hide the module src that is already there"),
        ("AsmSetup", "'AsmSetup' would hide the module asmsetup that is already there"),
    ],
)
def test_names_that_are_refused(name: str, what: str) -> None:
    with pytest.raises(UsageError) as refused:
        package_name(name)
    assert refused.value.what == what


def test_a_bad_name_is_a_usage_error(tmp_path: Path) -> None:
    done = asmsetup("new", "class", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: 'class' cannot be imported by its name: class is a keyword of Python\n"
        "  choose another name, for example:   asmsetup new asm-class\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_no_folder_at_all(tmp_path: Path) -> None:
    """As a shell gives it for a variable that is not set: not the folder it stands in."""
    done = asmsetup("new", "", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: '' cannot be the name of a project\n")
    assert list(tmp_path.iterdir()) == []


def test_the_name_that_an_error_proposes_can_be_used() -> None:
    for name in ("class", "3d", "json"):
        with pytest.raises(UsageError) as refused:
            package_name(name)
        assert package_name(refused.value.ways_out[0].split()[-1])


def test_it_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("README.md", "a", "b", "c"):
        (tmp_path / "mine" / name).write_text(name)
    before = files(tmp_path)
    done = asmsetup("new", "mine", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "error: the folder mine is not empty: it has README.md, a, b ...\n"
        "  asmsetup new never overwrites; choose another name, or an empty folder\n"
    )
    assert files(tmp_path) == before


def test_a_file_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("taken", "dangling"):
        done = asmsetup("new", name, cwd=tmp_path)
        assert done.returncode == 3
        assert done.stderr.startswith(f"error: {name} is there already, and it is a file\n")


def test_an_empty_folder_and_a_fresh_repository(tmp_path: Path) -> None:
    (tmp_path / "fresh" / ".git").mkdir(parents=True)
    assert asmsetup("new", ".", cwd=tmp_path / "fresh").returncode == 0
    assert (tmp_path / "fresh/src/fresh/_core.asm").exists()


def test_a_folder_elsewhere(tmp_path: Path) -> None:
    done = asmsetup("new", tmp_path / "deep" / "down" / "fast")
    assert done.returncode == 0
    assert (tmp_path / "deep/down/fast/src/fast/_core.asm").exists()


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = asmsetup("new", tmp_path / "file" / "fast")
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: cannot write {tmp_path / 'file'}")
    long = "x" * 200
    done = asmsetup("new", f"{long}-{long}", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.endswith(f": {os.strerror(36)}\n  nothing was left there\n")
    # A name that only some of the files cannot have.
    done = asmsetup("new", "x" * 250, cwd=tmp_path)
    assert done.returncode == 3
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
