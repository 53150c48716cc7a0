"""Apply the cures that a build prints, as a user would, so that tests can build again and import.

A cure is what follows `:   ` in an indented line below a message:

    hello.asm:7: error: symbol `rip' not defined
        lea rdi, [rip + msg]
      this is GAS syntax
      write:   lea rdi, [rel msg]             in the place of the line; deeper lines below belong to it
      and above it:   extern msg              a line of its own above
      leave the line out                      deletes it
      name its library:   Extension(..., libraries=["m"])        a keyword of the extension
      promise less:   limited-api = "3.12"   in [tool.asmsetup]  a setting

    refused = project.refused()
    apply_cures(project.folder, refused)
    project.build_ext()
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

_MESSAGE = re.compile(
    r"(?:error: )?(?P<file>[^\s:][^:]*)(?::(?P<line>\d+))?: (?:error|warning|fatal): "
)
_ADVICE = re.compile(r"  (?P<lead>\S.*?):   (?P<cure>\S.*)$")
_FURTHER = re.compile(r" {8,}(?P<cure>\S.*)$")
_KEYWORD = re.compile(r"Extension\(.*?(?P<name>\w+)=(?P<value>\[.*\])\)$")
_SETTING = re.compile(r"(?P<text>[a-z-]+ = .+?)   in \[tool\.asmsetup\]$")
_LABEL = re.compile(r"\s*[\w.$@?~#]+:(?!:)")

Kind = Literal["replace", "above", "top", "delete", "keyword", "setting"]


class Cure(NamedTuple):
    """One cure that was printed, and where it belongs."""

    kind: Kind
    text: str
    """The lines that replace it, perhaps several."""
    file: str
    line: int


def printed_cures(output: str) -> list[Cure]:
    """Return the first cure below each message, with the lines to be added above it.

    What begins with `or' is another way to the same end, and left out.
    """
    return [cure for message in _messages(output) for cure in _cures_of(*message)]


def apply_cures(folder: Path, output: str) -> list[Cure]:
    """Apply the cures that ``output`` prints to the project in ``folder``; return them.

    Fails when there is none.
    """
    cures = list(dict.fromkeys(printed_cures(output)))
    assert cures, f"no cure is printed:\n{output}"
    by_file: dict[str, list[Cure]] = defaultdict(list)
    for cure in cures:
        if cure.kind == "keyword":
            _add_keyword(folder / "setup.py", cure.text)
        elif cure.kind == "setting":
            _add_setting(folder / "pyproject.toml", cure.text)
        else:
            by_file[cure.file].append(cure)
    for file, edits in by_file.items():
        _edit(folder / file, edits)
    return cures


def _messages(output: str) -> Iterator[tuple[str, int, list[str]]]:
    file, line, below = "", 0, list[str]()
    for text in output.splitlines():
        if found := _MESSAGE.match(text):
            yield file, line, below
            file, line, below = found["file"], int(found["line"] or 0), []
        else:
            below.append(text)
    yield file, line, below


def _cures_of(file: str, line: int, below: list[str]) -> Iterator[Cure]:
    main = False
    lines = iter(enumerate(below))
    for index, text in lines:
        if text.strip() == "leave the line out":
            yield Cure("delete", "", file, line)
        advice = _ADVICE.match(text)
        if advice is None or advice["lead"].startswith("or"):
            continue
        kind, cure = _understood(advice["lead"], advice["cure"])
        if kind in ("replace", "keyword", "setting"):
            if main:
                continue
            main = True
        if kind == "replace":
            for more in below[index + 1 :]:
                if (further := _FURTHER.match(more)) is None:
                    break
                cure += "\n" + further["cure"]
        yield Cure(kind, cure, file, line)


def _understood(lead: str, cure: str) -> tuple[Kind, str]:
    if keyword := _KEYWORD.match(cure):
        return "keyword", f"{keyword['name']!r}: {keyword['value']}"
    if setting := _SETTING.match(cure):
        return "setting", setting["text"]
    if "at the top" in lead:
        return "top", cure
    if "above it" in lead or "in front" in lead or cure.startswith("extern "):
        return "above", cure
    return "replace", cure


def _edit(path: Path, edits: list[Cure]) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    replaced = {cure.line: cure for cure in edits if cure.kind in ("replace", "delete")}
    above: dict[int, list[str]] = defaultdict(list)
    for cure in edits:
        if cure.kind in ("above", "top"):
            above[1 if cure.kind == "top" else cure.line].append(cure.text)
    result: list[str] = []
    for number, text in enumerate(lines, 1):
        result += dict.fromkeys(above[number])
        if number not in replaced:
            result.append(text)
        elif replaced[number].kind == "replace":
            label = _LABEL.match(text)
            new = replaced[number].text
            kept = label[0].strip() + " " if label and not _LABEL.match(new) else ""
            result.append(kept + new)
    path.write_text("\n".join(result), encoding="utf-8")


def _add_keyword(path: Path, item: str) -> None:
    """Add a keyword to the first extension in a setup.py that Project.extension wrote."""
    text = path.read_text(encoding="utf-8")
    assert "**{" in text, text
    name, _, value = item.partition(": ")
    if (there := f"{name}: [") in text:  # one more for a list
        path.write_text(text.replace(there, there + value.strip("[]") + ", ", 1), encoding="utf-8")
        return
    path.write_text(text.replace("**{", f"**{{{item}, ", 1), encoding="utf-8")


def _add_setting(path: Path, setting: str) -> None:
    text = path.read_text(encoding="utf-8")
    key = setting.partition(" ")[0]
    text = re.sub(rf"^{re.escape(key)} = .*\n", "", text, flags=re.MULTILINE)
    if "[tool.asmsetup]" not in text:
        text += "\n[tool.asmsetup]\n"
    path.write_text(
        text.replace("[tool.asmsetup]\n", f"[tool.asmsetup]\n{setting}\n", 1), encoding="utf-8"
    )
