"""The rules about new references and buffers that a function has to give back.

A call that returns a new reference makes this function its owner. It is no longer when the
reference is returned, stored, dropped or handed to a function that takes it over, and when
something happens that could be one of these: a value that is not known may be the reference.
"""

from __future__ import annotations

from .blocks import Blocks
from .decode import Memory
from .prototypes import Prototype
from .state import State, stack_key
from .uses import is_unset
from .values import ARGUMENTS, RAX, RDI, RSI, Frame, Imported, Label, Result, Value
from .walk import Walk

_COUNTS = (0, 12, 16)
"""The offsets of an object's reference counts; builds without the GIL have two."""
_COPYING = frozenset(("memcpy", "memmove"))
_DROPPING = frozenset(("Py_DecRef", "_Py_DecRef", "_Py_Dealloc", "_Py_MergeZeroLocalRefcount"))


def pass_to_call(state: State, name: str, known: Prototype) -> None:
    """Record that references and buffers are passed to a function of another module."""
    if not known.known or name in _COPYING:
        pass_buffers(state, *ARGUMENTS)
    if not state.owned:
        return
    if not known.known or known.variadic or known.words > len(ARGUMENTS):
        state.owned = frozenset()  # Py_BuildValue's "N" takes references over, say
        return
    if any(type(state.registers[register]) is Frame for register in ARGUMENTS[: known.words]):
        state.owned = frozenset()  # it may take what lies there, as PyBytes_Concat does
    letters = known.parameters.replace("d", "")
    for register, letter in zip(ARGUMENTS, letters, strict=False):
        if letter == "x" or name in _DROPPING:
            give_up(state, state.registers[register])


def pass_buffers(state: State, *registers: int) -> None:
    """Record that these registers are passed to code that may release a buffer, or move it."""
    values = (state.registers[register] for register in registers)
    passed = {stack_key(v.base, v.offset) for v in values if type(v) is Frame}
    state.buffers -= passed
    state.partly -= passed


def take_result(state: State, at: int, name: str, known: Prototype) -> None:
    """Record that a function has returned; its result may be a new reference."""
    if known.result == "n":
        state.owned |= {Result(at, name, False)}
        state.void -= {Result(at, name, False)}


def is_null(state: State, value: Result) -> None:
    """Record that a function has failed, and returned nothing."""
    reference = value._replace(tested=False)
    state.owned -= {reference}
    state.void |= {reference}


def give_up(state: State, value: Value) -> None:
    """Record that a value leaves this function's care, or may be one that does."""
    if type(value) is Result:
        state.owned -= {value._replace(tested=False)}
    elif type(value) not in (int, Label, Imported, Frame):
        state.owned = frozenset()


def see_count(state: State, memory: Memory) -> None:
    """Record that an object's reference count is read: immortal objects are not given back."""
    base = state.registers[memory.base] if 0 <= memory.base < 16 else None
    if type(base) is Result and memory.displacement in _COUNTS:
        give_up(state, base)


def let_go(state: State, memory: Memory, value: Value) -> None:
    """Record that a value is stored where others see it, or an object's count is changed."""
    base = state.registers[memory.base] if 0 <= memory.base < 16 else None
    if type(base) is Result or memory.displacement in _COUNTS:
        give_up(state, base)
    give_up(state, value)


def check_owned(walk: Walk, state: State, at: int) -> None:
    """Judge a return or a last jump: what is owned still, and is not what is returned, is lost."""
    result = state.registers[RAX]
    if not state.owned or type(result) not in (int, Imported, Result):
        return
    give_up(state, result)
    for lost in sorted(state.owned):
        what = (
            f"the function returns, and the new reference that {lost.name} returned is neither"
            " returned nor stored nor given back"
        )
        walk.report("reference-lost", at, what, state)


def check_turn(walk: Walk, state: State, blocks: Blocks, head: int) -> None:
    """Judge a loop that comes round with what it has to give back.

    A reference of this turn that nothing holds any more is lost; one from before the loop may be
    in a register or slot that the loop writes. A buffer is lost when every turn asks for another,
    and reaches that place without a release.
    """
    values = *state.registers, *state.stack.values(), *state.vectors.values()
    held = {value.at for value in values if type(value) is Result}
    for lost in sorted(state.owned):
        if lost.at not in held and blocks.is_inside(head, lost.at):
            what = f"the new reference that {lost.name} returned is lost in each turn of a loop"
            walk.report("reference-lost", lost.at, what, state)
    for at, key in walk.buffer_calls.items():
        if key not in state.buffers and key not in state.partly:
            continue
        released = [place for place, other in walk.releases.items() if other == key]
        if blocks.is_in_each_turn(head, at) and blocks.is_reached(head, at, released):
            walk.report("buffer-twice", at, _TWICE, state)


_TWICE = "a buffer is asked for in a Py_buffer that holds one: the first is never released"


def follow_buffer(walk: Walk, state: State, at: int, name: str) -> None:
    """Record that a buffer is asked for or released, and judge that."""
    register = RSI if name == "PyObject_GetBuffer" else RDI
    place = state.registers[register]
    if type(place) is not Frame:
        walk.buffer_calls.pop(at, None)  # known in the first turn of a loop only
        return
    key = stack_key(place.base, place.offset)
    if name == "PyBuffer_Release":
        owner = key + 8  # Py_buffer.obj, which says whether there is anything to release
        if place.base == 0 and is_unset(walk, state, owner):
            walk.report(
                "slot-unset",
                at,
                "a Py_buffer is released that not every path to here has filled or set to zero",
                state,
            )
        state.buffers -= {key}
        state.partly -= {key}
        walk.releases[at] = key
        return
    if key in state.buffers or key in state.partly:
        walk.report("buffer-twice", at, _TWICE, state)
        state.buffers -= {key}
        state.partly -= {key}
    walk.buffer_calls[at] = key
