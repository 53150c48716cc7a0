"""Finds the registers of an instruction's memory operand: what a crashed instruction has read through."""

from __future__ import annotations

_LEGACY_PREFIXES = frozenset(b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3")
_PUSH_POP = range(0x50, 0x60)
_STRING = {0xA4: (6, 7), 0xA5: (6, 7), 0xA6: (6, 7), 0xA7: (6, 7), 0xAA: (7,), 0xAB: (7,)}
_STRING |= {0xAC: (6,), 0xAD: (6,), 0xAE: (7,), 0xAF: (7,)}
_RSP = 4


def address_registers(code: bytes) -> tuple[int, ...]:
    """Return the numbers of the registers in the first instruction's address, base first.

    ``code`` has 15 bytes or more, the longest instruction. Empty for an instruction without a
    memory operand, or with an address that is relative to itself.
    """
    at = 0
    while code[at] in _LEGACY_PREFIXES:
        at += 1
    if code[at] in (0xC4, 0xC5, 0x62):  # VEX and EVEX: their bits are inverted
        three, extended = code[at] != 0xC5, ~code[at + 1]
        index_bit, base_bit = (extended >> 6 & 1, extended >> 5 & 1) if three else (0, 0)
        length = {0xC5: 2, 0xC4: 3, 0x62: 4}[code[at]]
        return _operand(code[at + length + 1 :], index_bit, base_bit)
    rex = code[at] if code[at] & 0xF0 == 0x40 else 0
    at += bool(rex)
    opcode = code[at]
    if opcode == 0x0F:
        at += 2 if code[at + 1] in (0x38, 0x3A) else 1
    elif opcode in _STRING:
        return _STRING[opcode]
    elif opcode in _PUSH_POP or opcode in (0xC3, 0xC2, 0xE8):
        return (_RSP,)
    return _operand(code[at + 1 :], rex >> 1 & 1, rex & 1)


def _operand(code: bytes, index_bit: int, base_bit: int) -> tuple[int, ...]:
    """Return the registers of a ModRM byte and, where there is one, its SIB byte."""
    mode, register = code[0] >> 6, code[0] & 7
    if mode == 3 or (mode == 0 and register == 5):
        return ()
    if register != 4:
        return (register | base_bit << 3,)
    base, index = code[1] & 7, code[1] >> 3 & 7 | index_bit << 3
    found = () if mode == 0 and base == 5 else (base | base_bit << 3,)
    return found if index == 4 else (*found, index)
