"""The names CPython looks up in a module it imports."""

from __future__ import annotations

import pytest

from asmsetup.link.linker import entry_points


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("hello", ("PyInit_hello", "PyModExport_hello")),
        ("pkg.sub.hello", ("PyInit_hello", "PyModExport_hello")),
        # PEP 489: other letters by punycode, and a hyphen is none.
        ("lančmít", ("PyInitU_lanmt_2sa6t", "PyModExportU_lanmt_2sa6t")),
        # A package's own module goes by the package's name.
        ("pkg.__init__", ("PyInit_pkg", "PyModExport_pkg")),
    ],
)
def test_entry_points(module: str, names: tuple[str, str]) -> None:
    assert entry_points(module) == names
