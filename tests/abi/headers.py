"""What the C compiler makes of a name, given a CPython's headers: the reference for the include files.

Shares nothing with the generator: that one reads gcc's debugging information; this one
asks offsetof and sizeof, and for bit-fields a running program.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.abi.includes import relocated_symbols

HEADERS = ("Python.h", "structmember.h")
FULL_API_HEADERS = ("frameobject.h", "datetime.h", "marshal.h", "structseq.h", "longintrepr.h")


@dataclass(frozen=True)
class Headers:
    """The C headers in `include` as a module sees them that defines `macros`."""

    include: Path
    macros: tuple[str, ...]

    @property
    def limited(self) -> bool:
        return any(macro.startswith(("Py_LIMITED_API", "Py_TARGET_ABI3T")) for macro in self.macros)

    def source(self) -> str:
        names = HEADERS if self.limited else HEADERS + FULL_API_HEADERS
        lines = ["#include <stddef.h>", "#include <stdio.h>", "#include <string.h>"]
        lines += [f"#include <{name}>" for name in names if (self.include / name).is_file()]
        return "\n".join(lines) + "\n"

    def gcc(self, source: str, *options: str) -> subprocess.CompletedProcess[str]:
        command = [
            *("gcc", "-w", "-fmax-errors=0", f"-I{self.include}"),
            *("-idirafter", str(self.include.parent)),  # Debian's pyconfig.h stands there
            *(f"-D{macro}" for macro in self.macros),
            *("-x", "c", "-", *options),
        ]
        return subprocess.run(command, input=source, capture_output=True, text=True, check=False)

    def values(self, expressions: dict[str, str], folder: Path) -> dict[str, int]:
        """Name to value, of the expressions that the compiler takes for integer constants."""
        names = list(expressions)
        while wrong := self.refused([expressions[name] for name in names]):
            names = [name for n, name in enumerate(names) if n not in wrong]
        lines = [f'printf("%lld\\n", (long long)({expressions[name]}));' for name in names]
        numbers = self.run("\n".join(lines), folder)
        return dict(zip(names, map(int, numbers), strict=True))

    def refused(self, expressions: list[str]) -> set[int]:
        """Which are no constants; not all at once, as gcc complains of a name only once."""
        source = self.source()
        first = source.count("\n") + 1
        source += "".join(f"enum {{ value_{n} = {text} }};\n" for n, text in enumerate(expressions))
        # Preprocessed first, so that an error stands at the line of its expression.
        errors = self.gcc(self.gcc(source, "-E").stdout, "-fsyntax-only").stderr
        return {
            int(line) - first for line in re.findall(r"^<stdin>:(\d+):\d+: error", errors, re.M)
        }

    def bits(self, names: Iterable[str], folder: Path) -> dict[str, int]:
        """Masks of bit-fields, named `Struct.member.bit`, within the member that holds them."""
        lines = []
        for name in names:
            struct, *path = name.split(".")
            within = ".".join(path[:-1])
            start = f"offsetof({struct}, {within})" if within else "0"
            lines.append(
                f"{{ union {{ {struct} object; unsigned char bytes[sizeof({struct})]; }} u;"
                f" unsigned long long mask = 0; memset(&u, 0, sizeof u);"
                f" u.object.{'.'.join(path)} = -1; memcpy(&mask, u.bytes + {start},"
                f" sizeof u - {start} < 8 ? sizeof u - {start} : 8);"
                f' printf("%llu\\n", mask); }}'
            )
        return dict(zip(names, map(int, self.run("\n".join(lines), folder)), strict=True))

    def symbols(self, names: Iterable[str], folder: Path) -> dict[str, str]:
        """The ELF symbol whose address each name is."""
        target = folder / "symbols.o"
        table = ", ".join(f"(void *)({name})" for name in names)
        compiled = self.gcc(
            f"{self.source()}void *table[] = {{ {table} }};\n", "-fno-pic", "-c", "-o", str(target)
        )
        assert compiled.returncode == 0, compiled.stderr
        return dict(zip(names, relocated_symbols(target, ".rela.data"), strict=True))

    def run(self, statements: str, folder: Path) -> list[str]:
        program = folder / "program"
        main = f"int main(void)\n{{\n{statements}\nreturn 0;\n}}\n"
        # Inline functions of the headers call the library; unused, they are left out at -O1.
        compiled = self.gcc(self.source() + main, "-O1", "-o", str(program))
        assert compiled.returncode == 0, compiled.stderr
        return subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()


def expression(name: str, structs: frozenset[str]) -> str:
    """The C for a NASM name: a field's offset, a field's width, a struct's size, or a constant."""
    struct, _, member = name.partition(".")
    if not member:
        struct = name.removesuffix("_size")
        return f"sizeof({struct})" if struct in structs and struct != name else integer(name)
    if member.endswith("_width"):
        return f"sizeof((({struct} *)0)->{member.removesuffix('_width')})"
    return f"offsetof({struct}, {member})"


def integer(name: str) -> str:
    """Integers, and constants cast to pointers such as NULL; nothing that is rounded."""
    return (
        f"_Generic(({name}), float: (void)0, double: (void)0, long double: (void)0,"
        f" default: (long long)({name}))"
    )
