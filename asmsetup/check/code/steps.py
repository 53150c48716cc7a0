"""The effect of single instructions on the state; calls and jumps are elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from iced_x86 import Mnemonic

from . import decode
from .arithmetic import add, mask, shift, subtract
from .control import load_control, save_control
from .decode import Decoded
from .halves import check_compared, check_half, check_second_byte, extended_half, lower_half
from .memory import enter, forget, leave, pop, push, store
from .places import (
    WORD,
    address_of,
    get_register,
    half_loaded,
    item_of,
    keep_limit,
    limit_of,
    may_change,
    place_of,
    set_register,
    word_of,
)
from .resources import let_go, pass_buffers, see_count
from .state import KNOWN, Flags, State
from .uses import check_memory, check_stale, check_stored
from .values import (
    KEPT,
    RAX,
    RCX,
    RSI,
    RSP,
    SMALL,
    Below,
    Copy,
    Entry,
    Frame,
    Imported,
    Item,
    Label,
    Low,
    Result,
    Sometimes,
    Value,
)
from .walk import Walk


def step(walk: Walk, state: State, decoded: Decoded) -> None:
    """Apply one instruction to the state."""
    operation = decoded.operation
    if operation.reads & state.stale:
        check_stale(walk, state, decoded)
    if operation.reads & state.intact and state.way is None:
        walk.reads |= operation.reads & state.intact
    if operation.reads_whole & state.half:
        check_half(walk, state, decoded)
    memory = operation.memory
    if memory is not None and operation.effect != decode.ADDRESS:
        check_memory(walk, state, decoded, memory)
        if state.owned:
            see_count(state, memory)
    if operation.dirties_upper:
        state.upper = True
    if operation.uses_mmx:
        state.mmx = True
    _EFFECTS[operation.effect](walk, state, decoded)
    writes = operation.writes
    if writes:
        walk.changes |= writes
        state.fresh &= ~writes
        state.intact &= ~writes
        if state.stale:
            state.stale &= ~writes
        if state.half and operation.effect not in (decode.MOVE, decode.LOAD, decode.EXCHANGE):
            state.half &= ~writes
    flags = state.flags
    if flags is not None and operation.effect not in _COMPARING:
        lost = (writes >> flags.register) & 1 if flags.register >= 0 else 0
        if (
            operation.changes_flags
            or lost
            or (flags.other >= 0 and writes >> flags.other & 1)
            or (flags.place is not None and may_change(flags.place, operation))
        ):
            state.flags = None
    if state.bounded is not None and operation.flow == decode.NEXT:
        keep_limit(state, operation)


def _repeat(walk: Walk, state: State, decoded: Decoded) -> None:
    pass_buffers(state, RSI)
    forget(walk, state, decoded)
    state.registers[RCX] = 0  # which compilers use as a zero


def _move(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    target, source = operation.target, operation.source
    if target < 0 or source < 0 or operation.target_size < 8 or operation.source_size < 8:
        value = get_register(state, source) if source >= 0 else None
        forget(walk, state, decoded)
        state.half &= ~(operation.writes)
        if target >= 0 and operation.target_size == 4 and type(value) is int:
            set_register(state, target, value & 0xFFFFFFFF)
        elif (
            target >= 0
            and operation.target_size == 4
            and (value is SMALL or type(value) in (Low, Below))
        ):
            set_register(state, target, value)
        elif target >= 0 and operation.target_size == 4:
            half = lower_half(value)
            set_register(state, target, half)
            if half is None and 0 <= source < 16 and target < 16:
                _share(state, decoded)
        return
    set_register(state, target, get_register(state, source))
    if source < 16 and target < 16 and state.registers[source] is None:
        _share(state, decoded)
    if state.half >> source & 1:
        state.half |= 1 << target
    else:
        state.half &= ~(1 << target)


def _share(state: State, decoded: Decoded) -> None:
    """Give two registers the same unknown number."""
    operation = decoded.operation
    value = Copy(decoded.at, operation.target_size)
    state.registers[operation.target] = value
    if state.registers[operation.source] is None:
        state.registers[operation.source] = value


def _load(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    memory, target = operation.memory, operation.target
    assert memory is not None
    state.half &= ~(1 << target)
    if operation.target_size < 8 or memory.size != 8:
        set_register(state, target, half_loaded(state, operation.target_size, memory))
        return
    place = address_of(state, memory)
    value = None
    if type(place) is Frame:
        value = state.slot(place)
        if type(value) is Sometimes or place.offset & 7:
            value = None
        if value is None or (type(value) is Entry and value.register not in KEPT):
            value = limit_of(state, memory) or value
    elif type(place) is Label:
        name = walk.image.slots.get(place.address)
        if name is not None:
            value = Imported(name)
        elif (pointer := walk.image.constant(place.address)) is not None:
            value = Label(pointer)
        else:
            value = walk.kept_in_data.get(place.address)
    if value is None:
        value = limit_of(state, memory) or word_of(state, memory)
    set_register(state, target, value)


def _load_part(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    value: Value = None
    if operation.memory is not None:
        memory = operation.memory
        value = limit_of(state, memory) or item_of(state, memory, memory.size)
    elif 0 <= operation.source < 16:
        source = state.registers[operation.source]
        value = source if type(source) in (Item, Below) or source is SMALL else None
        if type(source) is Result and operation.source_size == 4:
            value = extended_half(source)
    forget(walk, state, decoded)
    set_register(state, operation.target, value)


def _extend(walk: Walk, state: State, decoded: Decoded) -> None:
    value = state.registers[RAX]
    is_positive = type(value) is Below and value.limit < 1 << 31
    if type(value) is not Item and not is_positive:
        state.registers[RAX] = None


def _store(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    memory = operation.memory
    assert memory is not None
    place = address_of(state, memory)
    source = operation.source
    value: Value = None
    if state.owned and type(place) is not Frame:
        let_go(state, memory, get_register(state, source) if source >= 0 else 0)
    if source >= 0:
        if type(place) is not Frame:
            check_stored(walk, state, decoded, source)
            _keep_in_data(walk, state, place, source)
        elif memory.size == 8:
            value = get_register(state, source)
            if value is None and source < 16:
                value = state.registers[source] = Copy(decoded.at, 8)
    elif memory.size == 8:
        value = operation.number % WORD
    store(walk, state, decoded.at, place, memory.size, value)


def _keep_in_data(walk: Walk, state: State, place: Value, source: int) -> None:
    value = get_register(state, source)
    if type(place) is Label and type(value) is Entry and value.register in KEPT:
        walk.kept_in_data[place.address] = value


def _set(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    target, size, number = operation.target, operation.target_size, operation.number
    if size >= 4:
        number %= 1 << 8 * size
        is_address = number > 0xFFFF and walk.image.stretch(number) is not None
        set_register(state, target, Label(number) if is_address else number)
    else:
        set_register(state, target, Low(number & 0xFF) if size == 1 else None)


def _address(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    memory = operation.memory
    assert memory is not None
    value = address_of(state, memory) if operation.target_size == 8 else None
    set_register(state, operation.target, value)


def _zero(walk: Walk, state: State, decoded: Decoded) -> None:
    state.registers[decoded.operation.target] = 0


def _exchange(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    target, source = operation.target, operation.source
    half = state.half
    state.half &= ~operation.writes
    if target >= 0 and source >= 0 and operation.target_size == 8:
        registers = state.registers
        registers[target], registers[source] = registers[source], registers[target]
        state.half |= (half >> source & 1) << target | (half >> target & 1) << source
    elif operation.memory is not None:
        state.owned = frozenset()
        register = max(target, source)
        place = address_of(state, operation.memory)
        store(walk, state, decoded.at, place, operation.memory.size, None)
        set_register(state, register, None)
    else:
        forget(walk, state, decoded)


def _compare(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    state.flags = None
    if operation.memory is not None:
        place = address_of(state, operation.memory)
        if type(place) is Label and operation.target < 0 and operation.number == 0:
            name = walk.image.slots.get(place.address)
            if name is not None:
                state.flags = Flags(-1, 8, name, -1)
        elif operation.target < 0 and operation.source < 0:
            memory = operation.memory
            named = place_of(state, memory)
            state.flags = Flags(-2, memory.size, "", -1, operation.number, named)
    elif operation.target >= 0 and operation.source >= 0:
        number = get_register(state, operation.source)
        other = -1 if type(number) is int else operation.source
        known = number if type(number) is int else 0
        state.flags = Flags(operation.target, operation.target_size, "", other, known)
        check_compared(walk, state, decoded.at)
    elif operation.target >= 0:
        state.flags = Flags(operation.target, operation.target_size, "", -1, operation.number)
        check_compared(walk, state, decoded.at)
    elif not operation.number and operation.source < 0:
        check_second_byte(walk, state, decoded)


def _test(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    state.flags = None
    if operation.target >= 0 and operation.target == operation.source:
        state.flags = Flags(operation.target, operation.target_size, "", -1)
        check_compared(walk, state, decoded.at)
    elif operation.target == RSP and operation.source < 0:
        _test_alignment(walk, state, operation.number)
    elif operation.target == operation.source and not operation.number and not operation.memory:
        check_second_byte(walk, state, decoded)


def _test_self(walk: Walk, state: State, decoded: Decoded) -> None:
    target, size = decoded.operation.target, decoded.operation.target_size
    value = state.registers[target]
    _test(walk, state, decoded)
    if size == 4 and type(value) is not int:
        state.registers[target] = value if type(value) is Below else lower_half(value)


def _test_alignment(walk: Walk, state: State, mask: int) -> None:
    pointer = state.registers[RSP]
    if type(pointer) is Frame and pointer.base == 0 and not walk.is_public:
        walk.tests_alignment = True
    elif (known := walk.residue(pointer)) is not None and 0 < mask < known[0]:
        state.flags = Flags(KNOWN, 8, "", -1, known[1] & mask)


def _set_direction(walk: Walk, state: State, decoded: Decoded) -> None:
    state.backwards = decoded.operation.mnemonic == Mnemonic.STD


def _zero_upper(walk: Walk, state: State, decoded: Decoded) -> None:
    state.upper = False


def _empty_mmx(walk: Walk, state: State, decoded: Decoded) -> None:
    state.mmx = False


def _set_bit(walk: Walk, state: State, decoded: Decoded) -> None:
    target = decoded.operation.target
    if target < 0:
        forget(walk, state, decoded)
    elif decoded.operation.target_size == 1 and target < 16:
        value = state.registers[target]
        state.registers[target] = SMALL if value == 0 and type(value) is int else Low(1)


def _pop_flags(walk: Walk, state: State, decoded: Decoded) -> None:
    forget(walk, state, decoded)
    state.backwards = False


def _nothing(walk: Walk, state: State, decoded: Decoded) -> None:
    pass


_Effect = Callable[[Walk, State, Decoded], None]

_COMPARING = (decode.COMPARE, decode.TEST, decode.TEST_SELF, decode.SUBTRACT)
_EFFECTS: dict[int, _Effect] = {
    decode.OTHER: forget,
    decode.MOVE: _move,
    decode.LOAD: _load,
    decode.STORE: _store,
    decode.SET: _set,
    decode.ADDRESS: _address,
    decode.ADD: add,
    decode.SUBTRACT: subtract,
    decode.AND: mask,
    decode.ZERO: _zero,
    decode.PUSH: push,
    decode.POP: pop,
    decode.LEAVE: leave,
    decode.ENTER: enter,
    decode.EXCHANGE: _exchange,
    decode.COMPARE: _compare,
    decode.TEST: _test,
    decode.DIRECTION: _set_direction,
    decode.UPPER_ZERO: _zero_upper,
    decode.EMPTY_MMX: _empty_mmx,
    decode.SET_BIT: _set_bit,
    decode.LOAD_PART: _load_part,
    decode.NOTHING: _nothing,
    decode.EXTEND: _extend,
    decode.SHIFT: shift,
    decode.FLAGS_POP: _pop_flags,
    decode.REPEAT: _repeat,
    decode.TEST_SELF: _test_self,
    decode.CONTROL_LOAD: load_control,
    decode.CONTROL_SAVE: save_control,
}
