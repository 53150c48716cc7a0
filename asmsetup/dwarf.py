"""Call frame instructions and their numbers, as .eh_frame has them on x86-64 (DWARF 5, 6.4.2)."""

from __future__ import annotations

ADVANCE, OFFSET, RESTORE = 0x40, 0x80, 0xC0
"""With the operand added: bytes of code (below 64), or the number of a register."""
ADVANCE_1, ADVANCE_2, ADVANCE_4 = 0x02, 0x03, 0x04
REGISTER, CFA, CFA_REGISTER, CFA_OFFSET = 0x09, 0x0C, 0x0D, 0x0E
CFA_EXPRESSION, EXPRESSION = 0x0F, 0x10
OP_DEREF, OP_PLUS, OP_BREG = 0x06, 0x23, 0x70

REGISTERS = (0, 2, 1, 3, 7, 6, 4, 5, *range(8, 16))
"""DWARF's numbers of the registers, in the order of instructions (psABI, figure 3.36)."""


def unsigned(number: int) -> bytes:
    """Return a number as ULEB128."""
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*written, number))


def signed(number: int) -> bytes:
    """Return a number as SLEB128."""
    written = bytearray()
    while not -0x40 <= number < 0x40:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*written, number & 0x7F))
