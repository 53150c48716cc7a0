"""asmsetup.load, the import hook and editable rebuilds: a running Python sees each change."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import asmsetup
from asmsetup import import_hook
from asmsetup.errors import AsmsetupError
from asmsetup.live.building import BuildWarning
from tests.conftest import MakeProject
from tests.projects import REPOSITORY, Project, environment, run

SOURCE = """\
%include "python.inc"
PyModule {name}
PyTypedFunction "answer() -> i64", calls answer_
answer_:
    mov         eax, {value}
    ret
PyEndModule
"""
SINGLE_PHASE = SOURCE.replace("PyTyped", "PySinglePhase\nPyTyped")


def write(path: Path, value: object, text: str = SOURCE) -> Path:
    path.write_text(text.format(name=path.stem, value=value))
    return path


@pytest.mark.parametrize("text", [SOURCE, SINGLE_PHASE], ids=["multi-phase", "single-phase"])
def test_each_change_is_seen(text: str, tmp_path: Path) -> None:
    path = tmp_path / "live.asm"
    first = asmsetup.load(write(path, 1, text))
    second = asmsetup.load(write(path, 2, text))
    again = asmsetup.load(path)

    assert (first.answer(), second.answer(), again is second) == (1, 2, True)
    assert "live" not in sys.modules


def test_a_change_of_an_include_is_seen(tmp_path: Path) -> None:
    (tmp_path / "value.inc").write_text("%define VALUE 5\n")
    source = write(tmp_path / "including.asm", "VALUE", '%include "value.inc"\n' + SOURCE)
    assert asmsetup.load(source).answer() == 5
    (tmp_path / "value.inc").write_text("%define VALUE 6\n")
    assert asmsetup.load(source).answer() == 6


def test_macros_and_folders_of_includes(tmp_path: Path) -> None:
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "value.inc").write_text("%define VALUE N + 1\n")
    source = write(tmp_path / "with_macros.asm", "VALUE", '%include "value.inc"\n' + SOURCE)
    for number in (1, 2):
        module = asmsetup.load(
            source, include_dirs=[tmp_path / "inc"], define={"N": str(number), "FLAG": None}
        )
        assert module.answer() == number + 1


def test_a_mistake_is_an_error_and_what_was_loaded_stays(tmp_path: Path) -> None:
    path = tmp_path / "mistaken.asm"
    module = asmsetup.load(write(path, 1))
    with pytest.raises(AsmsetupError, match=r"mistaken\.asm:5: "):
        asmsetup.load(write(path, "["))
    assert module.answer() == 1
    assert asmsetup.load(write(path, 3)).answer() == 3


def test_a_warning_is_a_warning_of_python(tmp_path: Path) -> None:
    source = write(tmp_path / "warned.asm", "3\n%warning careful")
    with pytest.warns(BuildWarning, match=r"warned\.asm:6: ") as caught:
        asmsetup.load(source)
    assert caught[0].filename == __file__


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    source = write(tmp_path / "brief.asm", 1)
    code = f"import asmsetup; print(asmsetup.load({str(source)!r}).__file__)"
    env = environment(PYTHONPATH=str(REPOSITORY), TMPDIR=str(tmp_path))
    assert run(sys.executable, "-c", code, env=env).output.startswith(f"{tmp_path}/asmsetup-")
    assert [path.name for path in tmp_path.iterdir()] == ["brief.asm"]


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    import_hook.install()
    import_hook.install()
    yield tmp_path
    import_hook.uninstall()


def test_import_builds_a_source(hook: Path) -> None:
    write(hook / "imported_asm.asm", 7)
    (hook / "in_package").mkdir()
    (hook / "in_package" / "__init__.py").write_text("")
    write(hook / "in_package" / "inner.nasm", 8)

    assert importlib.import_module("imported_asm").answer() == 7
    assert importlib.import_module("in_package.inner").answer() == 8


def test_what_python_finds_by_itself_goes_first(hook: Path) -> None:
    write(hook / "both_kinds.asm", 7)
    (hook / "both_kinds.py").write_text("answer = lambda: 9\n")

    assert importlib.import_module("both_kinds").answer() == 9


def test_a_source_with_a_mistake_cannot_be_imported(hook: Path) -> None:
    write(hook / "mistaken_import.asm", "[")
    with pytest.raises(ImportError, match=r"mistaken_import\.asm:5: ") as caught:
        importlib.import_module("mistaken_import")
    assert caught.value.name == "mistaken_import"


def test_without_the_hook_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path / "not_hooked.asm", 7)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("not_hooked")


@pytest.fixture
def editable(project: MakeProject, asmsetup_installed: Path) -> Project:
    """The sample project, installed editable into a folder that Python takes for site-packages."""
    made = project()
    made.settings("editable-rebuild = true")
    site = made.folder.parent / "site"
    made.run(
        *("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"),
        *("--target", site, "-e", "."),
    )
    return made


def imported(project: Project, code: str = "print(hello.answer())", **env: str) -> str:
    site = project.folder.parent / "site"
    start = f"import site; site.addsitedir({str(site)!r}); import hello; "
    return project.run("-c", start + code, ok=None, **env).output


def test_an_editable_install_is_built_again_on_import(editable: Project) -> None:
    source = editable.folder / "hello.asm"
    assert imported(editable) == "42\n"
    source.write_text(source.read_text().replace("42", "43"))
    assert imported(editable) == "43\n"

    source.write_text(source.read_text().replace("43", "[43"))
    said = imported(editable)
    assert f"ImportError: {editable.folder} cannot be built again\nhello.asm:" in said
    source.write_text(source.read_text().replace("[43", "44"))
    assert imported(editable) == "44\n"


def test_without_the_setting_an_editable_install_stays_as_it_is(hello: Project) -> None:
    site = hello.folder.parent / "site"
    hello.run(
        *("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"),
        *("--target", site, "-e", "."),
    )
    assert not list(site.glob("__editable_rebuild__*"))


def test_an_editable_install_without_asmsetup_keeps_what_was_built(editable: Project) -> None:
    source = editable.folder / "hello.asm"
    source.write_text(source.read_text().replace("42", "43"))
    assert imported(editable, PYTHONPATH="") == "42\n"
    assert os.path.exists(source)
