"""Filling the matrix's cache: recipes, what is damaged or cut short, programs of unpacked packages."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tools.matrix.fetch import STAMP, alone, collect, report
from tools.matrix.interpreters import (
    Inventory,
    cached,
    load_inventory,
    probe,
    replace_text,
)
from tools.matrix.packages import (
    UnavailableError,
    keep_links_inside,
    own_libc_command,
    relocate_pythons,
    relocated_specs,
    write_script,
)
from tools.matrix.recipes import publish_interpreter, publish_tool, tool_name

BASE = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
LOADER = Path("/lib64/ld-linux-x86-64.so.2")


def times_made(log: Path) -> int:
    """Return how often the recipe with this log was carried out."""
    return len(log.read_text().splitlines()) if log.exists() else 0


@dataclass(frozen=True)
class HomeMade:
    """A recipe for the running interpreter under a name of its own."""

    log: Path
    folder: str = "roots/home"
    provides: tuple[str, ...] = (f"3.{sys.version_info[1]}",)
    fails: list[BaseException] = field(default_factory=list, repr=False)
    """Raised one by one, each in the middle of make()."""

    def make(self, cache: Path) -> None:
        folder = cache / self.folder
        with self.log.open("a") as log:
            log.write("made\n")
        write_script(folder / "python", [str(BASE)])
        replace_text(folder / "library", "for a program that is not started")
        if self.fails:
            raise self.fails.pop()

    def publish(self, cache: Path) -> Inventory:
        (name,) = self.provides
        return Inventory((publish_interpreter(name, cache / self.folder / "python", cache),))


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    recipe = HomeMade(tmp_path / "log")
    first = collect([recipe], tmp_path)
    assert first.interpreters[0].command == (
        str(tmp_path / f"interpreters/{first.interpreters[0].name}/python"),
    )
    assert collect([recipe], tmp_path) == first
    assert load_inventory(tmp_path) == first
    assert times_made(recipe.log) == 1


@pytest.mark.parametrize("damage", ["broken", "other recipe", "no stamp"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, damage: str) -> None:
    recipe = HomeMade(tmp_path / "log")
    whole = collect([recipe], tmp_path)
    folder = tmp_path / recipe.folder
    if damage == "broken":
        # Of the same size, so that only starting it tells.
        script = (folder / "python").read_text()
        (folder / "python").write_text(script.replace("exec ", "exit 1"))
    elif damage == "other recipe":
        recipe = dataclasses.replace(recipe, log=tmp_path / "other")
    else:
        (folder / STAMP).unlink()
    assert collect([recipe], tmp_path) == whole
    assert times_made(tmp_path / "log") + times_made(tmp_path / "other") == 2


def test_a_killed_fetch_leaves_nothing_trusted(tmp_path: Path) -> None:
    recipe = HomeMade(tmp_path / "log", fails=[KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        collect([recipe], tmp_path)
    assert cached(tmp_path) == []
    assert collect([recipe], tmp_path).interpreters
    assert times_made(recipe.log) == 2


def test_a_fetch_killed_before_its_end_is_not_trusted(tmp_path: Path) -> None:
    recipe = HomeMade(tmp_path / "log")
    collect([recipe], tmp_path)
    # As after a kill between the folder's move to its place and its stamp.
    (tmp_path / recipe.folder / STAMP).unlink()
    (tmp_path / recipe.folder / "half").touch()
    collect([recipe], tmp_path)
    assert not (tmp_path / recipe.folder / "half").exists()


def test_what_is_there_can_be_used_while_the_rest_is_fetched(tmp_path: Path) -> None:
    there = HomeMade(tmp_path / "log")
    collect([there], tmp_path)
    killed = HomeMade(tmp_path / "log", "roots/slow", ("3.99t",), [KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        collect([killed, there], tmp_path)
    assert [each.name for each in cached(tmp_path)] == list(there.provides)


def test_what_cannot_be_had_is_named_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = HomeMade(tmp_path / "one", "roots/one", ("3.99t",), [UnavailableError("no gcc")])
    there = HomeMade(tmp_path / "two")
    inventory = collect([lacking, there], tmp_path)
    assert inventory.missing == {"3.99t": "no gcc"}
    assert [each.name for each in inventory.interpreters] == list(there.provides)
    assert "3.99t: no gcc" in capsys.readouterr().err
    assert "missing: 3.99t: no gcc" in report([], inventory)


def test_what_was_fetched_must_be_what_its_name_says(tmp_path: Path) -> None:
    recipe = HomeMade(tmp_path / "log", provides=("3.99t",))
    inventory = collect([recipe], tmp_path)
    assert "headers: " in inventory.missing["3.99t"]
    assert inventory.interpreters == ()


def test_a_second_run_waits(tmp_path: Path) -> None:
    repository = Path(__file__).parents[2]
    code = f"from pathlib import Path\nfrom tools.matrix.fetch import alone\nwith alone(Path({str(tmp_path)!r})): print('in')"
    with alone(tmp_path):
        other = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=repository,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert other.stderr is not None
        assert "waiting" in other.stderr.readline()
        assert other.poll() is None
    assert other.communicate() == ("in\n", "")


# Wrappers.


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root whose loader and libraries are the machine's."""
    if not LOADER.exists():
        pytest.skip("needs glibc")
    (tmp_path / "usr/lib64").mkdir(parents=True)
    (tmp_path / "usr/lib").mkdir()
    (tmp_path / "usr/lib64" / LOADER.name).symlink_to(LOADER.resolve())
    (tmp_path / "usr/lib/x86_64-linux-gnu").symlink_to(LOADER.resolve().parent)
    return tmp_path


def test_a_wrapped_program_gets_its_arguments_as_they_are(root: Path) -> None:
    shutil.copy2(shutil.which("printf") or "", root / "printf")
    write_script(root / "a wrapper", own_libc_command(root, "printf"))
    shown = subprocess.run([str(root / "a wrapper"), "<%s>", "a b", "$0", ""], capture_output=True)
    assert shown.stdout == b"<a b><$0><>"


def test_a_virtual_environment_of_a_wrapped_interpreter_is_one(root: Path) -> None:
    shutil.copy2(BASE, root / "python.elf")
    write_script(root / "python", own_libc_command(root, "python.elf"))
    (root / "venv/bin").mkdir(parents=True)
    (root / "venv/pyvenv.cfg").write_text(f"home = {BASE.parent}\n")
    (root / "venv/bin/python").symlink_to(root / "python")
    python = root / "venv/bin/python"
    command = [str(python), "-c", "import sys; print(sys.executable, sys.prefix)"]
    environment = {"LD_LIBRARY_PATH": str(BASE.parent.parent / "lib")}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert run.stdout == f"{python} {root / 'venv'}\n"


def test_debians_pythons_are_told_where_they_lie(tmp_path: Path) -> None:
    headers, settings = tmp_path / "usr/include", tmp_path / "usr/lib/python3.14"
    replace_text(headers / "python3.14/pyconfig.h", "#include <x86_64-linux-gnu/python3.14/...>\n")
    replace_text(headers / "x86_64-linux-gnu/python3.14/pyconfig.h", "#define HERE\n")
    replace_text(settings / "_sysconfigdata_one.py", "{'WHEELS': '/usr/share/python-wheels/'}")
    replace_text(settings / "_sysconfig_vars.json", '{"WHEELS": "/usr/share/python-wheels/"}')
    (settings / "_sysconfigdata_two.py").symlink_to("_sysconfigdata_one.py")
    relocate_pythons(tmp_path)
    assert (headers / "python3.14/pyconfig.h").read_text() == "#define HERE\n"
    wheels = f"{tmp_path}/usr/share/python-wheels/"
    assert (settings / "_sysconfigdata_two.py").read_text() == f"{{'WHEELS': '{wheels}'}}"
    assert (settings / "_sysconfig_vars.json").read_text() == f'{{"WHEELS": "{wheels}"}}'


def test_a_program_in_a_scripts_place_is_replaced(tmp_path: Path) -> None:
    shutil.copy2(BASE, tmp_path / "tool")
    write_script(tmp_path / "tool", ["true"])
    assert subprocess.run([tmp_path / "tool"]).returncode == 0


@pytest.mark.parametrize(
    ("kind", "version", "name"),
    [
        ("nasm", "NASM version 2.15.05\n", "nasm-2.15.05"),
        ("nasm", "NASM version 3.01 compiled on Oct 16 2025\n", "nasm-3.01"),
        ("ld", "GNU ld (GNU Binutils for Debian) 2.40\nCopyright\n", "ld-2.40"),
        ("ld", "GNU ld (GNU Binutils for Debian) 2.47.50.20261021\nCopyright\n", "ld-2.47"),
        ("musl-gcc", "gcc (Debian 12.2.0-14) 12.2.0\n", "musl-gcc"),
    ],
)
def test_tool_names(kind: str, version: str, name: str) -> None:
    assert tool_name(kind, version) == name


def test_a_tool_without_a_version_is_damaged() -> None:
    with pytest.raises(UnavailableError, match="does not tell its version"):
        tool_name("nasm", "")


def test_the_machines_nasm_can_be_published(tmp_path: Path) -> None:
    ((name, path),) = publish_tool("nasm", ["nasm"], tmp_path).tools.items()
    said = subprocess.run([path, "-v"], capture_output=True, text=True, check=True).stdout
    assert name.removeprefix("nasm-") in said


def test_an_interpreter_without_headers_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = probe((str(BASE),))
    headless = dataclasses.replace(own, include_dir=tmp_path)
    monkeypatch.setattr("tools.matrix.recipes.probe", lambda command: headless)
    with pytest.raises(UnavailableError, match="headers: False"):
        publish_interpreter(own.name, BASE, tmp_path)


def test_musl_specs_point_into_the_root() -> None:
    specs = (
        "-isystem /usr/include/x86_64-linux-musl -isystem include%s\n"
        "-L/usr/lib/x86_64-linux-musl -L .%s\n"
        "-dynamic-linker /lib/ld-musl-x86_64.so.1 -nostdlib\n"
    )
    assert relocated_specs(specs, Path("/sysroot")) == (
        "-isystem /sysroot/usr/include/x86_64-linux-musl -isystem include%s\n"
        "-L/sysroot/usr/lib/x86_64-linux-musl -L .%s\n"
        "-dynamic-linker /sysroot/usr/lib/ld-musl-x86_64.so.1 -nostdlib\n"
    )


def test_links_stay_in_the_root(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/x86_64").mkdir(parents=True)
    (tmp_path / "usr/lib64").mkdir()
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "lib64").symlink_to("usr/lib64")
    (tmp_path / "usr/lib/x86_64/ld-2.31.so").write_text("here")
    (tmp_path / "usr/lib64/ld.so").symlink_to("/lib/x86_64/ld-2.31.so")
    (tmp_path / "usr/lib/near").symlink_to("x86_64/ld-2.31.so")
    keep_links_inside(tmp_path)
    for link in ("lib64/ld.so", "usr/lib/near"):
        assert (tmp_path / link).read_text() == "here"
        assert not (tmp_path / link).readlink().is_absolute()
