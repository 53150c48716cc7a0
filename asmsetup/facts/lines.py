"""Reads the line tables of DWARF, versions 2 to 5: which source line each address comes from.

Only .debug_line is read, with the strings it refers to. Damaged tables give fewer lines, never
an error: lines are for showing places, and nothing depends on them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import cached_property

from ..named import NamedTuple

_MOST_ROWS = 4_000_000
OF_ASSEMBLY = (".asm", ".nasm", ".nas", ".inc", ".s", ".S", ".ASM")
"""The suffixes of assembly sources, as compilers name them."""


class Place(NamedTuple):
    """A line of a source, by the name the compiler or assembler was given."""

    file: str
    line: int


class Lines:
    """The places of addresses; those that no table has are None."""

    def __init__(self, table: bytes = b"", line_strings: bytes = b"", strings: bytes = b"") -> None:
        self._table = table
        self._line_strings = line_strings
        self._strings = strings
        self._parts: list[Lines] = []
        self._rows: list[tuple[int, Place | None]] | None = None
        self._addresses: list[int] = []

    @classmethod
    def together(cls, parts: Iterable[Lines]) -> Lines:
        """Return the tables of several objects as one."""
        whole = cls()
        whole._parts = list(parts)
        return whole

    @cached_property
    def name_assembly(self) -> bool:
        """Whether sources of assembly may be among the files; the tables are searched, not read."""
        texts = self._table, self._line_strings, self._strings
        endings = [ending.encode() + b"\0" for ending in OF_ASSEMBLY]
        is_here = any(ending in text for text in texts for ending in endings)
        return is_here or any(part.name_assembly for part in self._parts)

    @property
    def rows(self) -> list[tuple[int, Place | None]]:
        """Each address at which another line begins, sorted; None where a stretch ends."""
        if self._rows is None:
            rows = [row for part in self._parts for row in part.rows]
            at = 0
            while at + 4 <= len(self._table) and len(rows) < _MOST_ROWS:
                unit = _Unit(self._table, at, self._line_strings, self._strings)
                try:
                    rows += unit.rows()
                except (IndexError, ValueError):
                    rows += unit.found
                at = unit.end
            self._set(rows)
        assert self._rows is not None
        return self._rows

    def _set(self, rows: list[tuple[int, Place | None]]) -> None:
        # Where one stretch ends another may begin: the beginning counts.
        rows.sort(key=lambda row: (row[0], row[1] is not None))
        self._rows = rows
        self._addresses = [address for address, _ in rows]

    def at(self, address: int) -> Place | None:
        """Return the line that the instruction at ``address`` comes from."""
        rows = self.rows
        found = bisect_right(self._addresses, address) - 1
        return rows[found][1] if found >= 0 else None


class _Unit:
    """One line number program (DWARF 5, section 6.2)."""

    def __init__(self, table: bytes, at: int, line_strings: bytes, strings: bytes) -> None:
        self._data = table
        self._at = at
        self._line_strings = line_strings
        self._strings = strings
        length = self._number(4)
        self._wide = length == 0xFFFFFFFF
        if self._wide:
            length = self._number(8)
        self.end = max(self._at + length, at + 4)
        self.found: list[tuple[int, Place | None]] = []
        self._files: list[str] = []
        self._folders: list[str] = []
        self._places: dict[tuple[int, int], Place] = {}

    def _number(self, size: int) -> int:
        if self._at + size > len(self._data):
            self._at = len(self._data)
            raise IndexError
        value = int.from_bytes(self._data[self._at : self._at + size], "little")
        self._at += size
        return value

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 70:
                raise ValueError

    def _signed(self) -> int:
        start = self._at
        value = self._unsigned()
        bits = 7 * (self._at - start)
        return value - (1 << bits) if value >> (bits - 1) else value

    def _string(self, data: bytes | None = None, at: int = 0) -> str:
        if data is not None:
            end = data.index(b"\0", at)
            return data[at:end].decode("utf-8", "backslashreplace")
        end = self._data.index(b"\0", self._at)
        text = self._data[self._at : end].decode("utf-8", "backslashreplace")
        self._at = end + 1
        return text

    def rows(self) -> list[tuple[int, Place | None]]:
        version = self._number(2)
        if not 2 <= version <= 5:
            return []
        if version == 5:
            self._number(2)  # sizes of an address and of a segment selector
        header_length = self._number(8 if self._wide else 4)
        program = self._at + header_length
        self._smallest = self._number(1)
        if version >= 4:
            self._number(1)
        self._number(1)
        self._line_base = int.from_bytes(self._data[self._at : self._at + 1], "little", signed=True)
        self._number(1)
        self._line_range = self._number(1) or 1
        self._first_special = self._number(1)
        self._operands = [self._number(1) for _ in range(self._first_special - 1)]
        if version == 5:
            self._read_names_5()
        else:
            self._read_names()
        self._at = program
        self._run()
        return self.found

    def _read_names(self) -> None:
        self._folders = [""]
        while self._data[self._at]:
            self._folders.append(self._string())
        self._at += 1
        self._files = [""]
        while self._data[self._at]:
            name, folder = self._string(), self._unsigned()
            self._unsigned()
            self._unsigned()
            self._files.append(self._path(name, folder))
        self._at += 1

    def _read_names_5(self) -> None:
        self._folders = [name for name, _ in self._entries()]
        folders = self._folders
        self._folders = ["", *folders[1:]]  # 0 is where the compiler ran
        self._files = [self._path(name, folder) for name, folder in self._entries()]

    def _entries(self) -> list[tuple[str, int]]:
        formats = [(self._unsigned(), self._unsigned()) for _ in range(self._number(1))]
        count = self._unsigned()
        if count > len(self._data):
            raise ValueError
        return [self._entry(formats) for _ in range(count)]

    def _entry(self, formats: list[tuple[int, int]]) -> tuple[str, int]:
        name, folder = "", 0
        for content, form in formats:
            value = self._form(form)
            if content == 1 and isinstance(value, str):
                name = value
            elif content == 2 and isinstance(value, int):
                folder = value
        return name, folder

    def _form(self, form: int) -> str | int:
        offset = 8 if self._wide else 4
        if form == 0x08:
            return self._string()
        if form == 0x1F:
            return self._string(self._line_strings, self._number(offset))
        if form == 0x0E:
            return self._string(self._strings, self._number(offset))
        sizes = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}
        if form in sizes:
            return self._number(sizes[form])
        if form == 0x0F:
            return self._unsigned()
        raise ValueError

    def _path(self, name: str, folder: int) -> str:
        if name.startswith("/") or not 0 < folder < len(self._folders):
            return name
        return f"{self._folders[folder].rstrip('/')}/{name}"

    def _row(self, address: int, file: int, line: int) -> None:
        place = self._places.get((file, line))
        if place is None:
            name = self._files[file] if 0 <= file < len(self._files) else ""
            place = self._places[file, line] = Place(name, line)
        self.found.append((address, place))

    def _run(self) -> None:
        address, file, line = 0, 1, 1
        end = min(self.end, len(self._data))
        while self._at < end:
            opcode = self._number(1)
            if opcode >= self._first_special:
                adjusted = opcode - self._first_special
                address += adjusted // self._line_range * self._smallest
                line += self._line_base + adjusted % self._line_range
                self._row(address, file, line)
            elif opcode == 0:
                length = self._unsigned()
                following = self._at + length
                extended = self._number(1)
                if extended == 1:
                    self.found.append((address, None))
                    address, file, line = 0, 1, 1
                elif extended == 2:
                    address = self._number(length - 1)
                self._at = following
            elif opcode == 1:
                self._row(address, file, line)
            elif opcode == 2:
                address += self._unsigned() * self._smallest
            elif opcode == 3:
                line += self._signed()
            elif opcode == 4:
                file = self._unsigned()
            elif opcode == 8:
                address += (255 - self._first_special) // self._line_range * self._smallest
            elif opcode == 9:
                address += self._number(2)
            else:
                for _ in range(self._operands[opcode - 1]):
                    self._unsigned()
