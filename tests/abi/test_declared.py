"""What modules declare: constants of every kind, exceptions, types with bases, doc strings."""

from __future__ import annotations

from pathlib import Path

import pytest

from asmsetup.check.calls import bases
from tests.abi.assembling import INTERPRETERS, MODULES, UNIVERSAL, build, python, target_of

CHECKS = """
import gc, sys
from pkg import declared as m

assert m.__doc__ == "One\\nTwo"
assert (m.PI, m.MINUS, m.SMALL) == (3.14159, -1000.0, 0.5)
assert (m.ON, m.OFF, m.NOTHING, m.NAME) == (True, False, None, "name")
assert (m.SIXTEEN, m.HEXADECIMAL, m.LEAST) == (16, 0x1E5, -(2**63))

assert m.Error.__mro__[1] is ValueError and m.Error.__module__ == "pkg.declared"
assert m.Error.__doc__ == "Doc\\nof it." and m.Worse.__base__ is m.Error
assert m.Plain.__base__ is Exception
for call, error, text in (
    (lambda: m.fail("a"), m.Worse, "'a' is 7, 8, 9"), (m.plain, m.Error, "plain")
):
    try:
        call()
    except m.Error as caught:
        assert type(caught) is error and str(caught) == text, caught
    else:
        raise AssertionError(error)
assert m.fail.__doc__ == "Doc." and m.fail.__text_signature__ == "($module, /)"
assert m.plain.__doc__ == "a\\tb"
assert m.not_implemented() is NotImplemented

sub = m.make()
sub.x, sub.y = 1, 2
assert (sub.x, sub.y, type(sub), m.Sub.__base__) == (1, 2, m.Sub, m.Base)
assert m.List((1, 2)) == [1, 2] and isinstance(m.Wrong("k"), KeyError)

before = sys.getrefcount(m.Sub)
made = [m.make() for _ in range(100)]
del made
gc.collect()
assert abs(sys.getrefcount(m.Sub) - before) < 5
del m.Error
try:
    m.plain()
except AttributeError:
    pass
"""


@pytest.mark.parametrize("name", INTERPRETERS)
@pytest.mark.parametrize("universal", [True, False], ids=["universal", "one"])
def test_declared(name: str, universal: bool, tmp_path: Path) -> None:
    interpreter = INTERPRETERS[name]
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").touch()
    defines = UNIVERSAL if universal else target_of(interpreter)
    build(MODULES / "declared.asm", package / "declared.so", defines)
    python(interpreter, tmp_path, "-c", CHECKS)


IN_PYTHON = """
import ctypes, sys

for name in sys.argv[1:]:
    try:
        address = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, name))
    except ValueError:
        continue
    base = ctypes.cast(address, ctypes.py_object).value
    try:
        type("Class", (base,), {})
    except TypeError as error:
        assert "is not an acceptable base type" in str(error), (name, error)
    else:
        raise AssertionError(name)
    print(name)
"""


@pytest.mark.parametrize("name", INTERPRETERS)
def test_types_that_cannot_be_a_base(name: str, tmp_path: Path) -> None:
    checked = python(INTERPRETERS[name], tmp_path, "-c", IN_PYTHON, *sorted(bases.FINAL)).split()
    assert len(checked) > len(bases.FINAL) / 2
