"""asmsetup annotate: what is said of each line, and the page in a real browser."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from asmsetup.annotate import flow
from asmsetup.annotate.costs import costs
from asmsetup.annotate.lines import Annotated, Line, Way, annotate
from asmsetup.annotate.page import page
from asmsetup.config import Settings
from asmsetup.live.building import Options, examine, silent
from tests.cli.running import asmsetup
from tools.matrix.interpreters import REPOSITORY

SOURCE = """\
%include "python.inc"
PyModule kernel
PyTypedFunction "f(n: i64) -> i64"
f:
    mov         rax, table
    vaddps      ymm0, ymm1, ymm2
    push        rbx
    popcnt      rax, rdi
.again:
    dec         rdi
    jnz         .again
    sub         rsp, 24
    lea         rsp, [rsp + 24]
    pop         rbx
    ret
PyFunction g, METH_NOARGS
    PyRaise     PyExc_ValueError, "no"
    PyReturn    NULL
PyEndFunction
PyEndModule
section .rodata
table:          dq f, 1
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return written(tmp_path / "kernel.asm", SOURCE)


def annotated(source: Path, perf: str = "") -> Annotated:
    work = source.parent / "work"
    work.mkdir(exist_ok=True)
    how = Options(Settings(debug=True))
    return annotate(examine(str(source), str(work), how, silent([])), how.settings, perf)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    """The lines of SOURCE."""
    return lines_of(written(tmp_path_factory.mktemp("known") / "kernel.asm", SOURCE))


def lines_of(source: Path, perf: str = "") -> list[Line]:
    return annotated(source, perf).lines


def line(lines: list[Line], text: str) -> Line:
    (found,) = [each for each in lines if each.text.split()[:2] == text.split()]
    return found


def test_bytes_and_data(known: list[Line]) -> None:
    lines = known

    assert [each.content for each in line(lines, "push rbx").instructions] == [b"\x53"]
    assert line(lines, "table: dq").data == 16
    assert not line(lines, ".again:").instructions


def test_the_entry_point_is_in_the_line_that_makes_it(tmp_path: Path) -> None:
    """Not in the one before, though NASM lists a repetition first."""
    source = written(tmp_path / "ways.asm", WAYS)
    *_, before, end = lines_of(source)

    assert [each.text for each in before.instructions] == ["ret"]
    assert end.remarks == ["PyInit_ways: the module's entry point"]


REPEATED = """\
section .text
global f:function
f:  times 3 nop
%rep 2
    inc         eax
%endrep
    ret
section .data
table:          dq f, f
"""


def test_repetitions_are_not_taken_for_data_at_the_same_place(tmp_path: Path) -> None:
    source = written(tmp_path / "repeated.asm", REPEATED)
    texts = {each.number: [i.text for i in each.instructions] for each in lines_of(source)}

    assert {number: found for number, found in texts.items() if found} == {
        3: ["nop"] * 3,
        5: ["inc eax"] * 2,
        7: ["ret"],
    }


def test_a_macro_holds_its_instructions(known: list[Line]) -> None:
    texts = [each.text for each in line(known, "PyRaise PyExc_ValueError,").instructions]
    assert "call qword [rel PyErr_Format wrt ..got]" in texts


@pytest.mark.parametrize(
    ("text", "depth", "aligned", "saved"),
    [
        ("mov rax,", 0, False, ()),
        ("popcnt rax,", 8, True, ("rbx",)),
        ("dec rdi", 8, True, ("rbx",)),
        ("lea rsp,", 32, False, ("rbx",)),
        ("pop rbx", 8, True, ("rbx",)),
        ("ret", 0, False, ()),
    ],
)
def test_the_stack(
    text: str, depth: int, aligned: bool, saved: tuple[str, ...], known: list[Line]
) -> None:
    before = line(known, text).instructions[0].before

    assert before is not None
    assert (before.depths, before.aligned, before.saved) == ((depth,), aligned, saved)


def test_registers_in_use(known: list[Line]) -> None:
    lines = known
    seen = line(lines, "PyReturn NULL").instructions[0].before
    counting = line(lines, "dec rdi").instructions[0].before

    assert counting is not None
    assert counting.live == ("rax", "rdx", "rdi")
    assert seen is not None
    assert "rbx" not in seen.live


WAYS = """\
%include "python.inc"
PyModule ways
PyTypedFunction "f(n: i64, m: i64) -> i64", calls f_
f_:
    push        rbx
.again:
    test        rdi, rdi
    jz          .done
    inc         rsi
    dec         rdi
    jnz         .again
    ret                ; wrong
.done:
    pop         rbx
    ret
PyEndModule
"""


def test_findings_come_with_the_way_there(tmp_path: Path) -> None:
    source = written(tmp_path / "ways.asm", WAYS)
    found = annotated(source)
    ((finding, way),) = found.ways.items()

    assert finding.rule == "stack-at-return"
    assert finding.line == WAYS.splitlines().index("    ret                ; wrong") + 1
    texts = [found.lines[number - 1].text.split()[0] for number in way.stations]
    assert texts == ["push", "test", "jz", "inc", "dec", "jnz", "ret"]


def test_what_a_function_is_and_what_is_allowed_there(tmp_path: Path) -> None:
    source = written(tmp_path / "allowed.asm", ALLOWED)
    found = annotated(source)
    remarks = [remark for each in found.lines for remark in each.remarks]

    assert not [each for each in found.lines if each.findings]
    assert "kept-register is allowed here, because a test" in remarks
    assert "allowed.f: a method that Python calls" in remarks


ALLOWED = """\
%include "python.inc"
PyModule allowed
PyFunction f, METH_NOARGS
    PyAllow     "kept-register", "a test"
    xor         r12d, r12d
    Py_RETURN_NONE
PyEndFunction
PyEndModule
"""

LEVELS = """\
%include "python.inc"
PyModule needs
PyTypedFunction "f()", calls f_
f_:
{}
    ret
PyEndModule
"""


NEEDS = [
    ("mov rax, rdi", ""),
    ("paddq xmm0, xmm1", ""),
    ("pextrw eax, xmm0, 1", ""),
    ("popcnt rax, rdi", "v2"),
    ("pshufb xmm0, xmm1", "v2"),
    ("crc32 rax, rdi", "v2"),
    ("vaddps xmm0, xmm1, xmm2", "v3"),
    ("shlx rax, rdi, rcx", "v3"),
    ("vpaddq zmm0, zmm1, zmm2", "v4"),
    ("vpcmpeqb k1, ymm0, ymm1", "v4"),
    ("pclmulqdq xmm0, xmm1, 0", "+pclmulqdq"),
    ("vaesenc xmm0, xmm1, xmm2", "v3 +aes"),
]


def test_what_a_line_needs(tmp_path: Path) -> None:
    source = written(
        tmp_path / "needs.asm",
        LEVELS.format("\n".join(f"    {instruction}" for instruction, _ in NEEDS)),
    )
    needed = {each.text.strip(): each.needs for each in lines_of(source)}
    assert [(text, needed[text]) for text, _ in NEEDS] == NEEDS


FLAT = """\
python 12 1.5: 1 cycles:u: 7f0011 f.again+0x3 (/x/kernel.so)
python 12 1.6: 1 cycles:u: 7f0011 f.again+0x3 (/x/kernel.so)
python 12 1.7: 1 cycles:u: 7f0001 f+0xe (/x/kernel.so)
python 12 1.8: 1 cycles:u: 7f0001 main+0x1 (/usr/bin/python)
"""
STACKS = """\
python 12 1.5: 1 cycles:u:
        7f0011 f.again+0x3 (/x/kernel.so)
        7f0001 f+0x0 (/x/kernel.so)

python 12 1.6: 1 cycles:u:
        7f0011 f.again+0x3 (/x/kernel.so)
"""


@pytest.mark.parametrize(("perf", "count"), [(FLAT, 2), (STACKS, 2), ("nonsense\n", 0), ("", 0)])
def test_hot_lines(perf: str, count: int, source: Path) -> None:
    lines = lines_of(source, perf)
    assert line(lines, "jnz .again").samples == count


def test_lanes_of_jumps_never_cross_another() -> None:
    lines = [Line(number, "") for number in range(1, 9)]
    lines[0].jumps, lines[1].jumps, lines[4].jumps, lines[6].jumps = [8], [4], [3], [6]
    lanes = flow.jump_lanes(lines)

    assert sorted(jump for lane in lanes for jump in lane) == [(1, 8), (2, 4), (5, 3), (7, 6)]
    for lane in lanes:
        for jump in lane:
            others = [each for each in lane if each != jump]
            assert all(each.last < jump.first or jump.last < each.first for each in others)


def test_a_way_is_drawn_from_its_first_to_its_last_line() -> None:
    lanes = flow.way_lanes([Way((2, 5, 3)), Way((2, 5, 3)), Way((7, 8))])
    cells = [flow.way_cells(number, lanes) for number in range(1, 9)]
    assert cells == [[each] for each in ("", "s t", "s e", "p", "s b", "", "s t", "s b e")]


class Checked(HTMLParser):
    """What a page refers to, and which elements are open."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.elsewhere: list[str] = []
        self.stack: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "link", "img"):
            self.stack.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(value or "")
            if name in ("href", "src") and value is not None:
                if value.startswith("#"):
                    self.links.add(value)
                else:
                    self.elsewhere.append(value)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def test_the_page_stands_alone_and_is_well_formed(source: Path) -> None:
    text = page(replace(annotated(source, FLAT), source="<kernel>.asm"))
    checked = Checked()
    checked.feed(text)

    assert (checked.stack, checked.elsewhere) == ([], [])
    assert {link[1:] for link in checked.links} <= checked.ids
    assert "http" not in text
    assert "&lt;kernel&gt;.asm" in text


def test_keyboards_and_screen_readers_get_everything(tmp_path: Path) -> None:
    source = written(tmp_path / "ways.asm", WAYS)
    text = page(annotated(source))

    assert text.index('<a class="skip" href="#source">') < text.index("<header>")
    assert "<caption>Each line with what the machine sees of it</caption>" in text
    assert text.count('<th scope="col">') == text.count("<abbr ")
    assert text.count('<th scope="row">') == len(WAYS.splitlines())
    # What is drawn is there in words, too: as links for jumps and ways, and not for their eyes twice.
    assert 'class="goal" href="#L7">jumps to line 7</a>' in text
    assert 'the way there: line <a href="#L5">5</a>, <a href="#L7">7 to 12</a>' in text
    for drawn in re.findall(r'<td class="ways"[^>]*>|<td class="flow"><span[^>]*>', text):
        assert 'aria-hidden="true"' in drawn
    # What opens does so without a script: <details> takes the focus and the space bar.
    assert text.count("<details>") == text.count("<details><summary>")
    assert "<script" not in text


def test_the_command(source: Path) -> None:
    done = asmsetup("annotate", "kernel.asm", cwd=source.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "kernel.html\n", "")
    again = asmsetup("annotate", "kernel.asm", "-o", "-", cwd=source.parent)
    assert again.stdout == (source.parent / "kernel.html").read_text()


TURNS = """\
global f:function
f:
.turn:
    imul        rax, rax
    dec         edi
    jnz         .turn
    call        g
    cpuid
    xlatb
    ret
g:  ret
"""


@pytest.fixture
def turns(tmp_path: Path) -> Path:
    return written(tmp_path / "turns.asm", TURNS)


def test_costs(turns: Path) -> None:
    """Of Skylake, as Intel and everybody who has measured it gives them."""
    if shutil.which("llvm-mca") is None:
        pytest.skip("no llvm-mca on this machine")
    done = asmsetup("annotate", turns, "--costs", "skylake", "-o", "-")
    assert done.returncode == 0, done.stderr
    rows = dict(re.findall(r'<tr id="L(\d+)"[^>]*>(.*?)</tr>', done.stdout, re.S))
    cells = {line: re.findall(r"<td>([^<]*)</td>", row) for line, row in rows.items()}

    assert "Cycles are those of skylake, by llvm-mca." in done.stdout
    assert [cells[line][2] for line in "456"] == ["3 / 1", "1 / 0.25", "1 / 0.5"]
    assert " 3 / 1  imul" in rows["4"]
    # Each turn needs the product of the last one.
    assert re.search("a turn of this loop: 3[.][0-2] cycles", rows["6"])
    assert done.stdout.count("a turn of this loop") == 1


def test_the_costs_of_what_llvm_does_not_know_are_left_out(turns: Path) -> None:
    if shutil.which("llvm-mca") is None:
        pytest.skip("no llvm-mca on this machine")
    code = annotated(turns).lines
    instructions = [each for line in code for each in line.instructions]
    odd = instructions[0]._replace(address=0x900, content=b"\x0f\x0a")  # no instruction at all
    found = costs([*instructions, odd], "skylake")

    assert {each.address for each in instructions} == set(found.of)


@pytest.mark.parametrize(
    ("path", "processor", "error"),
    [
        (None, "8086", "error: {mca} has no costs of the instructions of '8086'\n  list what it knows:"),
        ("nasm", "skylake", "error: cannot find llvm-mca: no llvm-mca on PATH ({path})\n  Debian, Ubuntu:   apt-get install llvm\n"),
    ],
)  # fmt: skip
def test_costs_that_cannot_be_had(
    path: str | None, processor: str, error: str, turns: Path, tmp_path: Path
) -> None:
    mca, folders = shutil.which("llvm-mca"), os.environ["PATH"]
    if path is not None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / path).symlink_to(str(shutil.which(path)))
        folders = str(tmp_path / "bin")
    elif mca is None:
        pytest.skip("no llvm-mca on this machine")
    done = asmsetup("annotate", turns, "--costs", processor, PATH=folders)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(error.format(mca=mca, path=folders))


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["wrong.asm"], "error: wrong.asm:1: "),
        (["none.asm"], "error: none.asm: there is no such source file"),
        (["kernel.asm", "--perf", "none"], "error: none: No such file or directory"),
        (["kernel.asm", "-o", "kernel.asm/x"], "error: cannot write kernel.asm/x"),
    ],
)
def test_what_cannot_be_annotated(args: list[str], error: str, source: Path) -> None:
    (source.parent / "wrong.asm").write_text("    mov eax\n")
    done = asmsetup("annotate", *args, cwd=source.parent)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(error)


def test_examples_are_covered(tmp_path: Path) -> None:
    """Nearly all instructions of an example have a line; the rest is what bindings generate."""
    source = shutil.copy(REPOSITORY / "examples/crc32c/crc32c.asm", tmp_path)
    lines = lines_of(Path(source))
    update = next(each.number for each in lines if each.text.startswith("update_sse42:"))
    table = next(each.number for each in lines if each.text.startswith("section"))
    code = [each for each in lines[update:table] if each.text.startswith("    ")]
    assert [each.text for each in code if not each.instructions] == []


def test_a_browser_shows_it(shown_by_browser: Callable[[str], str], source: Path) -> None:
    asmsetup("annotate", source)
    shown = shown_by_browser(source.with_suffix(".html").as_uri())
    assert shown.count("<tr") == len(SOURCE.splitlines()) + 1
    assert "dec         rdi" in shown
