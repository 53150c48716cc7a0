"""Evaluates expressions as NASM does, with integers of any size, so that lost bits are noticed.

Pure: text in, a value out. What a name stands for is asked of the caller.
Checked with nasm 2.15.05, 2.16.01 and 3.01.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator

from ...named import NamedTuple

BITS = 64
_LONG = 19
"""A decimal number with fewer digits fits into 64 bits, even with a sign."""
_DEEPEST = 200
"""The signs that may nest operands; nobody writes as many."""
_ALL = (1 << BITS) - 1
_LEAST = -(1 << BITS - 1)

Names = Callable[[str], "Value"]
"""Returns what a name stands for; UNKNOWN when that is not known."""


class Value(NamedTuple):
    """The value of an expression."""

    number: int | None
    """None for an address, and for what is not known here."""
    is_address: bool = False


UNKNOWN = Value(None)
ADDRESS = Value(None, is_address=True)


class ExpressionError(Exception):
    """An expression has no value."""


class NoNumberError(ExpressionError):
    """The text is no expression that NASM makes a number of."""


class LostBitsError(ExpressionError):
    """A number in the text, or one computed from it, does not fit into 64 bits."""


_NUMBER = r"0[xXhH][\w.]*[pP][+-]\d\w*|\d[\d_]*\.?[\d_]*[eE][+-]\d\w*|\$?\d[\w.]*"
_NOT_ASCII = "\x80-\U0010ffff"
"""The characters beyond ASCII, which are letters for NASM; a surrogate is a byte that is not UTF-8."""
_NAME = rf"\$?(?:[A-Za-z_@{_NOT_ASCII}][\w$@?~#.{_NOT_ASCII}]*|[.?][\w$@?~#.{_NOT_ASCII}]+)|\$\$?"
_TOKEN = re.compile(
    rf"""\s*(?:(?P<number>{_NUMBER})|(?P<name>{_NAME})
    |(?P<text>"[^"]*"|'[^']*'|`(?:\\.|[^`\\])*`)
    |(?P<sign><=>|<<<|>>>|<<|>>|<=|>=|<>|==|!=|&&|\|\||\^\^|//|%%|[-+*/%&|^<>=!~?:()]))""",
    re.VERBOSE | re.ASCII,
)
_RADIXES = dict.fromkeys("by", 2) | dict.fromkeys("oq", 8) | dict.fromkeys("dt", 10)
_RADIXES |= dict.fromkeys("hx", 16)


def _registers() -> Iterator[str]:
    for letter in "abcd":
        yield from (f"r{letter}x", f"e{letter}x", f"{letter}x", f"{letter}l", f"{letter}h")
    for name in ("si", "di", "bp", "sp"):
        yield from (f"r{name}", f"e{name}", name, f"{name}l")
    for number in range(32):
        yield from (f"{kind}mm{number}" for kind in "xyz")
        yield from (f"r{number}{size}" for size in ("", "d", "w", "b", "l") if number > 7)
    for kind, count in {"mm": 8, "k": 8, "st": 8, "tmm": 8, "cr": 16, "dr": 16, "bnd": 4}.items():
        yield from (f"{kind}{number}" for number in range(count))
    yield from ("rip", "eip", "st", "cs", "ds", "es", "fs", "gs", "ss")


_REGISTERS = frozenset(_registers())


def is_register(text: str) -> bool:
    """Return whether a text is the name of a register."""
    return text.lower() in _REGISTERS


def is_text(text: str) -> bool:
    """Return whether this is one quoted text."""
    found = _TOKEN.fullmatch(text.strip())
    return found is not None and found["text"] is not None


def is_name(text: str) -> bool:
    """Return whether this is one name."""
    found = _TOKEN.fullmatch(text.strip())
    return found is not None and found["name"] is not None


def names_in(text: str) -> list[str]:
    """Return the names in an expression; of what is no expression, those up to the odd sign."""
    try:
        tokens = _tokens(text)
    except NoNumberError:
        return re.findall(_NAME, text, re.ASCII)
    return [each.text for each in tokens if each.kind == "name"]


def evaluate(text: str, names: Names = lambda name: UNKNOWN) -> Value:
    """Return the value of an expression.

    Raises NoNumberError for what is none, LostBitsError for more than 64 bits.
    """
    if text.isascii() and text.isdecimal() and len(text) < _LONG:
        return Value(int(text))
    tokens = _tokens(text)
    if sum(each.text in "(+-~!?" for each in tokens if each.kind == "sign") > _DEEPEST:
        return UNKNOWN
    reader = _Reader(tokens, names)
    value = reader.read(0)
    if reader.next.kind:
        raise NoNumberError
    return value


def integer(word: str) -> int:
    """Return the number that a word of digits is for NASM.

    Raises NoNumberError for one that is none, such as 1.5 or 0b2.
    """
    small = word.lower()
    before = 16 if small[0] == "$" else _RADIXES.get(small[1:2], 0) if small[0] == "0" else 0
    behind = _RADIXES.get(small[-1], 0)
    if before > behind:
        radix, digits = before, small[1 if small[0] == "$" else 2 :]
    elif behind > before:
        radix, digits = behind, small[:-1]
    else:
        radix, digits = 10, small
    digits = digits.replace("_", "")
    try:
        return int(digits, radix)
    except ValueError:
        raise NoNumberError from None


class _Token(NamedTuple):
    kind: str
    text: str


_END = _Token("", "")


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise NoNumberError
        tokens.append(_Token(str(found.lastgroup), found[str(found.lastgroup)]))
        at = found.end()
    return tokens


_PRECEDENCE = {
    sign: level
    for level, signs in enumerate(
        ["?", "||", "^^", "&&", "= == <> != < <= > >= <=>", "|", "^", "&"], 1
    )
    for sign in signs.split()
}
_PRECEDENCE |= dict.fromkeys(["<<", ">>", "<<<", ">>>"], 9) | dict.fromkeys("+-", 10)
_PRECEDENCE |= dict.fromkeys(["*", "/", "//", "%", "%%"], 11)

_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "||": lambda a, b: bool(a) or bool(b),
    "^^": lambda a, b: bool(a) != bool(b),
    "&&": lambda a, b: bool(a) and bool(b),
    "=": operator.eq,
    "==": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "|": operator.or_,
    "^": operator.xor,
    "&": operator.and_,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


class _Reader:
    """Reads one expression, from the left on."""

    def __init__(self, tokens: list[_Token], names: Names) -> None:
        self._tokens = iter(tokens)
        self._names = names
        self.next = _END
        self._take()

    def _take(self) -> _Token:
        taken, self.next = self.next, next(self._tokens, _END)
        return taken

    def _takes(self, sign: str) -> bool:
        if self.next != ("sign", sign):
            return False
        self._take()
        return True

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise NoNumberError

    def read(self, least: int) -> Value:
        """Read operands, and the signs between that bind at least so closely."""
        left = self._operand()
        while self.next.kind == "sign" and _PRECEDENCE.get(self.next.text, -1) >= least:
            sign = self._take().text
            if sign == "?":
                left = self._chosen(left)
            else:
                left = _combined(sign, left, self.read(_PRECEDENCE[sign] + 1))
        return left

    def _chosen(self, condition: Value) -> Value:
        first = self.read(1)
        self._expect(":")
        second = self.read(1)
        if condition.number is None:
            return UNKNOWN
        return first if condition.number else second

    def _operand(self) -> Value:
        token = self._take()
        if token.kind == "sign":
            return self._signed(token.text)
        if token.kind == "number":
            value = Value(_fitting(integer(token.text)))
        elif token.kind == "text":
            value = _characters(token.text)
        elif token.kind == "name":
            value = self._named(token.text)
        else:
            raise NoNumberError
        if self.next.kind == "name" and self.next.text.lower() == "wrt":
            self._take()
            if self._take().kind != "name":
                raise NoNumberError
            return ADDRESS
        return value

    def _signed(self, sign: str) -> Value:
        if sign == "(":
            value = self.read(0)
            self._expect(")")
            return value
        if sign not in "-+~!":
            raise NoNumberError
        number = self._operand().number
        if number is None or sign == "+":
            return Value(number)
        if sign == "-":
            return Value(_fitting(-number))
        if sign == "!":
            return Value(int(not number))
        return Value(_ALL - number if number >= -_LEAST else ~number)

    def _named(self, name: str) -> Value:
        if self.next == ("sign", "("):
            return self._function(name)
        if name in ("$", "$$"):
            return ADDRESS
        value = self._names(name.removeprefix("$"))
        # A label can be called as a register that another NASM has, such as r16.
        if value == UNKNOWN and is_register(name):
            raise NoNumberError
        return value

    def _function(self, name: str) -> Value:
        """Read what one of NASM's functions is given, such as the float of __?float64?__."""
        if not name.startswith("__"):
            raise NoNumberError
        nesting = 0
        while self.next.kind:
            sign = self._take()
            nesting += (sign == ("sign", "(")) - (sign == ("sign", ")"))
            if not nesting:
                return UNKNOWN
        raise NoNumberError


def _fitting(number: int) -> int:
    if not _LEAST <= number <= _ALL:
        raise LostBitsError
    return number


def _characters(quoted: str) -> Value:
    if quoted[0] == "`" and "\\" in quoted:
        return UNKNOWN
    number = int.from_bytes(quoted[1:-1].encode(errors="surrogateescape"), "little")
    return Value(_fitting(number))


def _combined(sign: str, left: Value, right: Value) -> Value:
    a, b = left.number, right.number
    if b is not None and _PRECEDENCE[sign] == 9 and not 0 <= b < BITS:
        raise LostBitsError
    if b == 0 and _PRECEDENCE[sign] == 11 and sign != "*":
        raise NoNumberError
    if a is None or b is None:
        is_behind = left.is_address and b is not None and sign in ("+", "-")
        is_behind = is_behind or (right.is_address and a is not None and sign == "+")
        return ADDRESS if is_behind else UNKNOWN
    if sign in ("<<", "<<<"):
        return Value(_fitting(a << b))
    if sign == ">>":
        return Value((a & _ALL) >> b if b else a)
    if sign == ">>>":
        return Value(_with_sign(a) >> b)
    if sign == "<=>":  # NASM gives 0 or 1 for what is less
        return UNKNOWN
    if sign in _OPERATIONS:
        return Value(_fitting(int(_OPERATIONS[sign](a, b))))
    return Value(_divided(sign, a, b))


def _with_sign(number: int) -> int:
    return number - (number > -_LEAST - 1) * (_ALL + 1)


def _divided(sign: str, a: int, b: int) -> int:
    """Return a quotient or a rest; / and % are for numbers without a sign."""
    if sign in ("/", "%"):
        if a < 0 or b < 0:
            raise LostBitsError
        return a // b if sign == "/" else a % b
    a, b = _with_sign(a), _with_sign(b)
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient if sign == "//" else a - quotient * b
