"""Where everything of one binding is: the arguments of the routine, and what waits in the frame."""

from __future__ import annotations

from ..named import NamedTuple
from . import templates
from .signature import Signature

VIEW_SIZE = 80
"""Bytes of a Py_buffer, in every version."""
VIEW_BUF, VIEW_OBJ, VIEW_LEN = 0, 8, 16

_INTEGERS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")
_REALS = tuple(f"xmm{number}" for number in range(8))


class Word(NamedTuple):
    """One word of a parameter, as the System V ABI (3.2.3) passes it."""

    register: str
    """Empty if it is passed on the stack."""
    stacked: int
    """Its offset from rsp when the routine is called, if it is passed on the stack."""


class Layout:
    """The frame of one binding, from rsp up.

    First the arguments that are passed on the stack, then what is small, so that it is
    reached in a byte, and at last the Py_buffers.
    """

    def __init__(self, signature: Signature, *, form: str, nogil: bool) -> None:
        self._size = 0
        parameters = signature.parameters
        self.words = _words(signature)
        for word in (word for words in self.words for word in words if not word.register):
            self._size = max(self._size, word.stacked + 8)
        self.rest = self.words.pop(signature.positional) if signature.rest else []
        """Where the further arguments are, and how many."""
        kinds = {templates.key(each.type) for each in parameters}
        optional = any(each.default for each in parameters) or bool(signature.rest)
        array = form in ("fastcall", "keywords")
        self.given = self._reserve(8) if array and optional else -1
        uses_scratch = nogil or kinds & {"signed 4", "cstr"}
        self.scratch = self._reserve(16) if uses_scratch else -1
        self.receiver = self._reserve(8) if signature.receiver else -1
        self.homes = [
            [] if each.type.kind == "buffer" else [self._home(word) for word in words]
            for each, words in zip(parameters, self.words, strict=False)
        ]
        self.values = {
            k: self._reserve(8) for k, each in enumerate(parameters) if each.is_optional_number
        }
        self.results = self._reserve(8 * len(signature.result.items))
        self.bound = (
            self._reserve(8 * len(parameters)) if form in ("keywords", "tuple", "pair") else -1
        )
        self.views: dict[int, int] = {}
        for k, each in enumerate(parameters):
            if each.type.kind == "buffer":
                self.views[k] = view = self._reserve(VIEW_SIZE)
                self.homes[k] = [view + VIEW_BUF, view + VIEW_LEN]
                if each.type.dimensions:
                    more = len(templates.words(each.type)) - 1
                    self.homes[k] = [view + VIEW_BUF, *(self._reserve(8) for _ in range(more))]

    def size(self, pushed: int) -> int:
        """Return the bytes of the frame that align the stack below so many pushed registers."""
        return (self._size + 8 * pushed + 8 + 15) // 16 * 16 - 8 * pushed - 8

    def held(self, k: int) -> int:
        """Return how many buffers are held before parameter ``k``."""
        return sum(view < k for view in self.views)

    def _reserve(self, size: int) -> int:
        self._size += size
        return self._size - size

    def _home(self, word: Word) -> int:
        return self._reserve(8) if word.register else word.stacked


def registers_of(signature: Signature) -> frozenset[str]:
    """Return the registers that the routine of a signature gets something in."""
    words = (word.register for words in _words(signature) for word in words if word.register)
    return frozenset((*words, *(_INTEGERS[:1] if signature.receiver else ())))


def _words(signature: Signature) -> list[list[Word]]:
    """Return where the words of each parameter go."""
    letters = [
        "i" if each.is_optional_number else templates.words(each.type)
        for each in signature.parameters
    ]
    if signature.rest:
        letters.insert(signature.positional, "ii")  # the further arguments
    if signature.result.items:
        letters.append("i")  # a pointer to the results
    integers, reals = list(_INTEGERS), list(_REALS)
    if signature.receiver:
        integers.pop(0)
    stacked = 0
    placed = []
    for each in letters:
        words = []
        for letter in each:
            registers = reals if letter == "r" else integers
            if registers:
                words.append(Word(registers.pop(0), 0))
            else:
                words.append(Word("", stacked))
                stacked += 8
        placed.append(words)
    return placed
