"""The unwind tables hold at every instruction that is executed, and nothing is left out of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tests.abi.assembling import INTERPRETERS, MODULES, UNIVERSAL, build, build_typed
from tests.abi.stepping import compare, rows_of
from tools.matrix.interpreters import REPOSITORY

INTERPRETER = next(iter(INTERPRETERS.values()))
EXAMPLES = REPOSITORY / "examples"

COUNTER = """
events = counter.Counter(1, limit=3, on_limit=[].append)
events.add(), events.add(2), events.value, repr(events), events.reset()
for wrong in (lambda: events.add("x"), lambda: counter.Counter("x"), lambda: events.add(1, 2)):
    try: wrong()
    except TypeError: pass
del events
"""
SIGNATURES = """
s = signatures
s.answer(), s.twice(21), s.hypotenuse_squared(3, 4.0), s.repeat("ab", times=3)
s.total(1, -1, 43), s.greet("World", greeting="Bye"), s.clamp_by_hand(-3, -1)
s.clamp(300), s.hypotenuse(3, 4), s.count(b"abca", 97), s.first_word("a b", skip=True), s.same(1)
s.scale(memoryview(bytearray(16)).cast("d"), 2)
for wrong in (s.twice, s.greet, s.repeat, s.total, s.clamp_by_hand, s.clamp, s.count, s.scale):
    try: wrong("x", 1, 2, 3, 4)
    except TypeError: pass
"""
CALLS = {
    EXAMPLES / "counter/counter.asm": COUNTER,
    EXAMPLES / "crc32c/crc32c.asm": "crc32c.crc32c(b'abc' * 40), crc32c.crc32c(b'')",
    EXAMPLES / "sayit/sayit.asm": "sayit.sayit()",
    EXAMPLES / "signatures/signatures.asm": SIGNATURES,
    MODULES / "unwind.asm": "unwind.bare(), unwind.early(1), unwind.pushes(1), unwind.six(1)",
}


@pytest.mark.parametrize("source", CALLS, ids=lambda source: source.stem)
def test_tables_and_truth_agree(source: Path, tmp_path: Path) -> None:
    """The macros' tables, and those that `unwind = true` gives to all that no macro opened."""
    module = build(source, tmp_path / f"{source.stem}.so", UNIVERSAL, unwind=True)

    outcome = compare(INTERPRETER.command, CALLS[source], module)

    assert outcome.wrong == []
    assert outcome.without == set()
    assert len(outcome.instructions) > 10
    assert rows_of(module)


# Typed functions by what their frames hold, and how they are left.
TYPED = """
t = typed
t.nothing(), t.as_i64(1), t.as_double(2), t.as_bool(1), t.as_object(t), t.as_none(1), t.as_str("a")
t.as_bytes(b"a"), t.as_cstr("a"), t.free_i64(1), t.free_double(1), t.free_str("a"), t.free_bytes(b"")
t.default_str(), t.default_i64(), t.none_bytes(), t.length(b"abc"), t.fill(bytearray(3), 1)
for wrong in (t.as_i64, t.as_str, t.free_bytes, t.nothing, t.length, t.fill, t.default_str):
    try: wrong([])
    except TypeError: pass
"""


def test_tables_of_typed_functions(tmp_path: Path) -> None:
    module = build_typed(tmp_path)

    outcome = compare(INTERPRETER.command, TYPED, module)

    assert outcome.wrong == []
    assert len(outcome.instructions) > 400
    with module.open("rb") as file:
        elf = ELFFile(file)
        text, symbols = elf.get_section_index(".text"), elf.get_section_by_name(".symtab")
        assert isinstance(symbols, SymbolTableSection)
        runtime = {
            each.name: each["st_value"]
            for each in symbols.iter_symbols()
            if each["st_shndx"] == text and re.fullmatch(r"_py_\w+", each.name)
        }
    assert len(runtime) > 12
    missing = {name for name, place in runtime.items() if place not in rows_of(module)}
    assert missing == set()


PLAIN = """
u = undeclared
u.leaf(), u.pushes(), u.based(), u.aligned(), u.walks(None), u.early(None), u.early(1)
u.chosen(0), u.chosen(1), u.chosen(2), u.chosen(3), u.beside(), u.calls()
"""


def test_tables_of_plain_routines(tmp_path: Path) -> None:
    """Those that `unwind = true` writes: every routine has one, and each row is true."""
    module = build(MODULES / "undeclared.asm", tmp_path / "undeclared.so", UNIVERSAL, unwind=True)

    outcome = compare(INTERPRETER.command, PLAIN, module)

    assert outcome.wrong == []
    assert outcome.without == set()
    assert len(outcome.instructions) > 250


def test_a_wrong_table_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "unwind.asm"
    # Of two instructions in one line only the first is a macro's.
    source.write_text(HIDDEN)
    module = build(source, tmp_path / "unwind.so", UNIVERSAL)

    outcome = compare(INTERPRETER.command, "unwind.bare()", module)

    assert len(outcome.wrong) == 2
    assert all("the frame is -8 bytes off" in each for each in outcome.wrong)


HIDDEN = """
%include "python.inc"
PyModule unwind
PyMethod "bare", bare, METH_NOARGS
PyEndModule
section .text
PyFrame bare
    xor eax, eax
    db 0x50             ; push rax, which PyFrame does not see
    inc eax
    db 0x59             ; pop rcx
    mov rax, [rel _Py_NoneStruct wrt ..got]
    inc dword [rax]
    ret
PyEndFrame
extern _Py_NoneStruct
"""
