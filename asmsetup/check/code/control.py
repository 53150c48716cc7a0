"""The control bits of MXCSR and of the x87 FPU: where they were saved, and whether they are back."""

from __future__ import annotations

from iced_x86 import Mnemonic

from .decode import Decoded
from .memory import store
from .places import address_of
from .state import MXCSR, X87, Control, State
from .values import Frame, Label
from .walk import Walk

_SIZE = {MXCSR: 4, X87: 2}
_OF_X87 = (Mnemonic.FLDCW, Mnemonic.FNSTCW, Mnemonic.FSTCW, Mnemonic.FNINIT, Mnemonic.FINIT)


def save_control(walk: Walk, state: State, decoded: Decoded) -> None:
    """Apply an instruction that stores a control word."""
    memory, kind = decoded.operation.memory, _kind(decoded)
    assert memory is not None
    place = address_of(state, memory)
    store(walk, state, decoded.at, place, _SIZE[kind], None)
    if type(place) is Frame or type(place) is Label:
        is_old = not state.changed_control & kind
        state.controls |= {Control(kind, place, _SIZE[kind], is_old)}


def load_control(walk: Walk, state: State, decoded: Decoded) -> None:
    """Apply an instruction that loads a control word.

    Nothing is known of one that was not saved here. It changes the control bits as long as they
    are those of the function's entry; once they were changed, it is taken to restore them.
    """
    memory, kind = decoded.operation.memory, _kind(decoded)
    if memory is None:  # fninit: what the C ABI has at entry
        state.changed_control &= ~kind
        return
    place = address_of(state, memory)
    known = [each for each in state.controls if each.kind == kind and each.place == place]
    if known:
        is_old = known[0].is_old
    else:
        is_old = bool(state.changed_control & kind) and not _is_constant(walk, place)
    if is_old:
        state.changed_control &= ~kind
    else:
        state.changed_control |= kind
    if not known and (type(place) is Frame or type(place) is Label):
        state.controls |= {Control(kind, place, _SIZE[kind], is_old)}


def _kind(decoded: Decoded) -> int:
    return X87 if decoded.operation.mnemonic in _OF_X87 else MXCSR


def _is_constant(walk: Walk, place: object) -> bool:
    stretch = walk.image.stretch(place.address) if type(place) is Label else None
    return stretch is not None and not stretch.writable
