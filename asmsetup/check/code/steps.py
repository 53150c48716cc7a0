"""What single instructions do to the state, calls and jumps apart; and the rules they can break."""

from __future__ import annotations

from collections.abc import Callable

from iced_x86 import Mnemonic

from . import decode
from .decode import Decoded, Memory
from .state import Flags, State, is_plain, stack_key
from .values import (
    KEPT,
    NAMES,
    RAX,
    RBP,
    RSP,
    SMALL,
    XMM0,
    Below,
    Entry,
    Frame,
    Imported,
    Item,
    Label,
    Low,
    Multiple,
    Result,
    Scaled,
    Sometimes,
    Target,
    Value,
)
from .walk import Walk

_WORD = 1 << 64
RED_ZONE = 128


def step(walk: Walk, state: State, decoded: Decoded) -> None:
    """Let one instruction act on the state."""
    operation = decoded.operation
    if operation.reads & state.stale:
        _check_stale(walk, state, decoded)
    if operation.reads & state.intact and state.way is None:
        walk.reads |= operation.reads & state.intact
    if operation.reads_whole & state.half:
        _check_half(walk, state, decoded)
    memory = operation.memory
    if memory is not None and operation.effect != decode.ADDRESS:
        _check_memory(walk, state, decoded, memory)
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
        if state.half and operation.effect not in (decode.MOVE, decode.LOAD):
            state.half &= ~writes
    flags = state.flags
    if flags is not None and operation.effect not in (decode.COMPARE, decode.TEST):
        lost = (writes >> flags.register) & 1 if flags.register >= 0 else 0
        if operation.changes_flags or lost or (flags.other >= 0 and writes >> flags.other & 1):
            state.flags = None


def address_of(state: State, memory: Memory) -> Value:
    """Return the address that a memory operand means."""
    base = memory.base
    if base == decode.RIP:
        return Label(memory.displacement)
    if base < 0:
        index = state.registers[memory.index_register] if 0 <= memory.index_register < 16 else None
        if type(index) is Below and base == decode.NO_BASE and not memory.displacement:
            return Scaled(index.limit, memory.scale)
        return None
    value = state.registers[base] if base < 16 else None
    if memory.index_register >= 0:
        index = state.registers[memory.index_register] if memory.index_register < 16 else None
        return _sum(value, index, memory)
    if type(value) is Frame:
        return Frame(value.base, value.offset + memory.displacement)
    if type(value) is Label:
        return Label(value.address + memory.displacement)
    return None


def _sum(value: Value, index: Value, memory: Memory) -> Value:
    if type(index) is int and type(value) is Frame:
        return Frame(value.base, value.offset + memory.displacement + index * memory.scale)
    if memory.scale == 1 and not memory.displacement:
        return _target(value, index)
    return None


def _target(value: Value, other: Value) -> Value:
    """Return the sum of a table's item and the base it counts from."""
    if type(value) is Item and type(other) is Label:
        return Target(value.table, value.size, value.items, other.address)
    if type(other) is Item and type(value) is Label:
        return Target(other.table, other.size, other.items, value.address)
    return None


def item_of(state: State, memory: Memory, size: int) -> Value:
    """Return the item that is loaded when the operand names a table, else None."""
    registers = state.registers
    base = registers[memory.base] if 0 <= memory.base < 16 else None
    index = registers[memory.index_register] if 0 <= memory.index_register < 16 else None
    if type(base) is Label:
        return Item(base.address + memory.displacement, size, _count(index, memory.scale, size))
    if type(index) is Label and memory.scale == 1:
        return Item(index.address + memory.displacement, size, _count(base, 1, size))
    if memory.base == decode.NO_BASE and memory.index_register >= 0:
        return Item(memory.displacement, size, _count(index, memory.scale, size))
    return None


def _count(index: Value, scale: int, size: int) -> int:
    if type(index) is Scaled:
        return index.limit if index.by * scale == size else 0
    return index.limit if type(index) is Below and scale == size else 0


def set_register(state: State, register: int, value: Value) -> None:
    """Put a value into a register; those of vector registers are kept apart."""
    if register < 16:
        if register >= 0:
            state.registers[register] = value
    elif type(value) is Entry:
        state.vectors[register] = value
    else:
        state.vectors.pop(register, None)


def get_register(state: State, register: int) -> Value:
    """Return what a register holds."""
    return state.registers[register] if register < 16 else state.vectors.get(register)


def store(walk: Walk, state: State, at: int, place: Value, size: int, value: Value) -> None:
    """Write a value to an address."""
    if type(place) is not Frame:
        return
    _check_saved(walk, state, at, place, size)
    key = stack_key(place.base, place.offset)
    if size == 8 and not place.offset & 7:
        state.stack[key] = value
        return
    last = stack_key(place.base, place.offset + max(size, 1) - 1)
    for each in range(key, last + 8, 8):
        state.stack[each] = None


def _check_saved(walk: Walk, state: State, at: int, place: Frame, size: int) -> None:
    """A store from an aligned frame that reaches what the frame below it keeps."""
    above = walk.frames_above.get(place.base)
    if above is None:
        return
    top = above.offset + place.offset + (size or 8)
    saved = [
        key
        for key, value in state.stack.items()
        if is_plain(key) and key >= above.offset and type(value) is Entry
    ]
    if above.base == 0 and top > min([*saved, 0]):
        walk.report(
            "saved-overwritten",
            at,
            "a store into the aligned frame can reach the saved registers or the return address:"
            " the frame is too small for it",
            state,
        )


def _check_stale(walk: Walk, state: State, decoded: Decoded) -> None:
    bits = decoded.operation.reads & state.stale
    register = (bits & -bits).bit_length() - 1
    name = NAMES[register]
    if state.last is None:
        what = f"{name} is read, and nothing was passed in it: this function gets fewer arguments"
        walk.report("unset-register", decoded.at, what, state)
    else:
        what = f"{name} is read, and {state.last.name} may have changed it since it was set"
        walk.report("clobbered-register", decoded.at, what, state)
    state.stale &= ~bits


def _check_half(walk: Walk, state: State, decoded: Decoded) -> None:
    bits = decoded.operation.reads_whole & state.half
    operation = decoded.operation
    if operation.effect in (decode.MOVE, decode.PUSH, decode.STORE, decode.LOAD):
        return
    register = (bits & -bits).bit_length() - 1
    walk.report("int-result", decoded.at, half_sentence(state, register), state)
    state.half &= ~bits


def half_sentence(state: State, register: int) -> str:
    """Return the sentence for a use of 64 bits of an int."""
    source = state.registers[register]
    name = source.name if type(source) is Result else "the function called before"
    low = "eax" if register == RAX else "the lower half"
    return (
        f"64 bits of {NAMES[register]} are used, and {name} returns an int: only {low} is defined"
    )


def _check_memory(walk: Walk, state: State, decoded: Decoded, memory: Memory) -> None:
    base = memory.base
    if 0 <= base < 16:
        pointer = state.registers[base]
        if type(pointer) is Result and not pointer.tested and memory.index_register < 0:
            _check_null(walk, state, decoded.at, pointer)
        elif type(pointer) is Frame:
            _check_frame_access(walk, state, decoded, memory)


def _check_null(walk: Walk, state: State, at: int, pointer: Result) -> None:
    if walk.may_be_null(pointer.name):
        walk.report(
            "null-untested",
            at,
            f"the result of {pointer.name} is used as an address, and was not tested for NULL",
            state,
        )


def _check_frame_access(walk: Walk, state: State, decoded: Decoded, memory: Memory) -> None:
    place = address_of(state, memory)
    if type(place) is not Frame:
        return
    if memory.aligned and memory.size in (16, 32, 64):
        known = walk.residue(place)
        if known is not None and known[1] % min(memory.size, known[0]):
            walk.report(
                "misaligned-move",
                decoded.at,
                f"the address is not a multiple of {memory.size}, and this instruction faults",
                state,
            )
    pointer = state.registers[RSP]
    if type(pointer) is Frame and place.base == pointer.base and place.offset < pointer.offset:
        _check_below(walk, state, decoded, memory, pointer.offset - place.offset, place)
    elif memory.read and not memory.written and decoded.operation.effect == decode.LOAD:
        _check_unset(walk, state, decoded, place, memory.size)


def _check_below(
    walk: Walk, state: State, decoded: Decoded, memory: Memory, below: int, place: Frame
) -> None:
    if below > RED_ZONE and decoded.operation.effect not in (decode.PUSH, decode.OTHER):
        what = f"memory {below} bytes below rsp is used: signals overwrite what is more than 128"
        walk.report("below-stack", decoded.at, what, state)
    elif (
        memory.read
        and not memory.written
        and state.last is not None
        and stack_key(place.base, place.offset) not in state.stack
    ):
        what = f"memory below rsp is read, which {state.last.name} has overwritten"
        walk.report("below-stack", decoded.at, what, state)


def _check_unset(walk: Walk, state: State, decoded: Decoded, place: Frame, size: int) -> None:
    """A kept register that is restored from a slot which was not, or not always, written."""
    key = stack_key(place.base, place.offset)
    if size != 8 or place.base != 0 or not is_unset(walk, state, key):
        return
    target = decoded.operation.target
    held = state.stack.get(key)
    if held != Sometimes(Entry(target)):
        return  # not what the register held at entry: another value, for a purpose of its own
    if target in KEPT:
        register = NAMES[target]
        what = (
            f"{register} is loaded from a place of the stack that no path, or not every path, wrote"
        )
        walk.report("slot-unset", decoded.at, what, state)
        state.stack[key] = Entry(target)  # so that the return is not reported, too


def is_unset(walk: Walk, state: State, key: int) -> bool:
    """Return whether a path to here leaves a slot of the frame unwritten, for certain."""
    if key in state.stack:
        return type(state.stack[key]) is Sometimes
    is_given = walk.escaped is not None and key >= walk.escaped
    return not state.is_set(key) and not is_given


# The effects. Each changes the registers and slots it can follow; `writes` has the rest.


def _forget(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    writes = operation.writes
    registers = state.registers
    pointer = registers[RSP]
    rest = writes & 0xFFFF
    while rest:
        low = rest & -rest
        registers[low.bit_length() - 1] = None
        rest ^= low
    if writes >> RSP & 1:
        moved = operation.stack_change
        if moved and type(pointer) is Frame:
            registers[RSP] = Frame(pointer.base, pointer.offset + moved)
    if state.vectors:
        for register in [n for n in state.vectors if writes >> n & 1]:
            del state.vectors[register]
    memory = operation.memory
    if memory is not None and memory.written:
        store(walk, state, decoded.at, address_of(state, memory), memory.size, None)


def _move(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    target, source = operation.target, operation.source
    if target < 0 or source < 0 or operation.target_size < 8 or operation.source_size < 8:
        value = get_register(state, source) if source >= 0 else None
        _forget(walk, state, decoded)
        state.half &= ~(operation.writes)
        if target >= 0 and operation.target_size == 4 and type(value) is int:
            set_register(state, target, value & 0xFFFFFFFF)
        elif target >= 0 and operation.target_size == 4 and _fits_half(value):
            set_register(state, target, value)
        return
    set_register(state, target, get_register(state, source))
    if state.half >> source & 1:
        state.half |= 1 << target
    else:
        state.half &= ~(1 << target)


def _fits_half(value: Value) -> bool:
    return value is SMALL or type(value) in (Low, Below)


def _load(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    memory, target = operation.memory, operation.target
    assert memory is not None
    state.half &= ~(1 << target)
    if operation.target_size < 8 or memory.size != 8:
        set_register(state, target, _half_loaded(state, operation.target_size, memory))
        return
    place = address_of(state, memory)
    value = None
    if type(place) is Frame:
        value = state.slot(place)
        if type(value) is Sometimes or place.offset & 7:
            value = None
    elif type(place) is Label:
        name = walk.image.slots.get(place.address)
        if name is not None:
            value = Imported(name)
        elif place.address in walk.image.pointers and not _may_change(walk, place.address):
            value = Label(walk.image.pointers[place.address])
    if value is None:
        value = item_of(state, memory, 8)
    set_register(state, target, value)


def _half_loaded(state: State, size: int, memory: Memory) -> Value:
    if size != 4:
        return None
    if state.bounded is not None:
        place, limit = state.bounded
        state.bounded = None
        if limit > 0 and address_of(state, memory) == place:
            return Below(limit)
    return item_of(state, memory, memory.size)


def _may_change(walk: Walk, address: int) -> bool:
    stretch = walk.image.stretch(address)
    return stretch is not None and stretch.writable and not stretch.name.startswith(".got")


def _load_part(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    value: Value = None
    if operation.memory is not None:
        value = item_of(state, operation.memory, operation.memory.size)
    elif 0 <= operation.source < 16:
        source = state.registers[operation.source]
        value = source if type(source) in (Item, Below) or source is SMALL else None
    _forget(walk, state, decoded)
    set_register(state, operation.target, value)


def _extend(walk: Walk, state: State, decoded: Decoded) -> None:
    value = state.registers[RAX]
    state.registers[RAX] = value if type(value) is Item else None


def _store(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    memory = operation.memory
    assert memory is not None
    place = address_of(state, memory)
    source = operation.source
    value: Value = None
    if source >= 0:
        if type(place) is not Frame:
            _check_stored(walk, state, decoded, source)
        elif memory.size == 8:
            value = get_register(state, source)
    elif memory.size == 8:
        value = operation.number % _WORD
    store(walk, state, decoded.at, place, memory.size, value)


def _check_stored(walk: Walk, state: State, decoded: Decoded, source: int) -> None:
    bit = 1 << source
    if bit & state.stale and state.last is not None:
        what = (
            f"{NAMES[source]} is stored, and {state.last.name} may have changed it since it was set"
        )
        walk.report("clobbered-register", decoded.at, what, state)
    if bit & state.intact and state.way is None:
        walk.reads |= bit


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


def _add(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    target = operation.target
    if target < 0 or operation.target_size != 8:
        _forget(walk, state, decoded)
        return
    sign = 1 if operation.effect == decode.ADD else -1
    value = state.registers[target]
    amount: Value = operation.number * sign
    if operation.source >= 0:
        amount = state.registers[operation.source]
        if type(amount) is int:
            amount *= sign
    elif operation.memory is not None:
        amount = None
    result: Value = None
    if type(amount) is int:
        result = _moved(value, amount)
    elif sign > 0:
        result = _target(value, amount)
    if target == RSP and result is None:
        result = _new_base(walk, decoded.at, value, amount)
    state.registers[target] = result


def _moved(value: Value, amount: int) -> Value:
    if type(value) is Frame:
        signed = amount - _WORD if amount >= 1 << 63 else amount
        return Frame(value.base, value.offset + signed)
    if type(value) is int:
        return (value + amount) % _WORD
    if type(value) is Label:
        return Label(value.address + amount)
    return None


def _new_base(walk: Walk, at: int, value: Value, amount: Value) -> Value:
    """Return rsp after it was moved by an unknown distance: a frame of its own."""
    known = walk.residue(value)
    if known is not None and type(amount) is Multiple:
        walk.bases[at] = min(known[0], amount.of), known[1] % min(known[0], amount.of)
    else:
        walk.bases[at] = 1, 0
    return Frame(at, 0)


def _and(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    target, number = operation.target, operation.number
    is_mask = operation.source < 0 and operation.memory is None and -number & (-number - 1) == 0
    if target < 0 or operation.target_size != 8 or not is_mask or number >= 0:
        _forget(walk, state, decoded)
        is_number = operation.source < 0 and operation.memory is None
        if 0 <= target < 16 and is_number and 0 < number < 256 and operation.target_size >= 4:
            state.registers[target] = Below(number + 1)
        return
    value = state.registers[target]
    known = walk.residue(value)
    if type(value) is Frame and known is not None and -number <= known[0]:
        state.registers[target] = Frame(value.base, value.offset - known[1] % -number)
    elif type(value) is Frame or target == RSP:
        walk.bases[decoded.at] = -number, 0
        if type(value) is Frame:
            walk.frames_above[decoded.at] = value
        state.registers[target] = Frame(decoded.at, 0)
    else:
        state.registers[target] = Multiple(-number)


def _shift(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    _forget(walk, state, decoded)
    is_whole = 0 <= operation.target < 16 and operation.target_size == 8
    if is_whole and operation.source < 0 and 0 < operation.number < 16:
        state.registers[operation.target] = Multiple(1 << operation.number)


def _zero(walk: Walk, state: State, decoded: Decoded) -> None:
    state.registers[decoded.operation.target] = 0


def _push(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    registers = state.registers
    value: Value = None
    if operation.target >= 0:
        value = registers[operation.target] if operation.target_size == 8 else None
    elif operation.memory is not None:
        place = address_of(state, operation.memory)
        value = state.slot(place) if type(place) is Frame else None
    else:
        value = operation.number % _WORD
    pointer = registers[RSP]
    if type(pointer) is Frame:
        new = Frame(pointer.base, pointer.offset - 8)
        registers[RSP] = new
        state.stack[stack_key(new.base, new.offset)] = value
    else:
        registers[RSP] = None


def _pop(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    registers = state.registers
    pointer = registers[RSP]
    value: Value = None
    if type(pointer) is Frame:
        key = stack_key(pointer.base, pointer.offset)
        if operation.target in KEPT and pointer.base == 0:
            _check_unset(walk, state, decoded, pointer, 8)
        value = state.slot(pointer)
        if type(value) is Sometimes:
            value = None
        if key:
            state.stack.pop(key, None)
        registers[RSP] = Frame(pointer.base, pointer.offset + 8)
    else:
        registers[RSP] = None
    if operation.target >= 0:
        set_register(state, operation.target, value if operation.target_size == 8 else None)
    elif operation.memory is not None:
        place = address_of(state, operation.memory)
        store(walk, state, decoded.at, place, 8, value)


def _leave(walk: Walk, state: State, decoded: Decoded) -> None:
    registers = state.registers
    frame = registers[RBP]
    if type(frame) is Frame:
        registers[RBP] = state.slot(frame)
        registers[RSP] = Frame(frame.base, frame.offset + 8)
    else:
        registers[RBP] = registers[RSP] = None


def _exchange(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    target, source = operation.target, operation.source
    if target >= 0 and source >= 0 and operation.target_size == 8:
        registers = state.registers
        registers[target], registers[source] = registers[source], registers[target]
    elif operation.memory is not None:
        register = max(target, source)
        place = address_of(state, operation.memory)
        store(walk, state, decoded.at, place, operation.memory.size, None)
        set_register(state, register, None)
    else:
        _forget(walk, state, decoded)


def _compare(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    state.flags = None
    if operation.memory is not None:
        place = address_of(state, operation.memory)
        if type(place) is Label and operation.target < 0 and operation.number == 0:
            name = walk.image.slots.get(place.address)
            if name is not None:
                state.flags = Flags(-1, 8, name, -1)
        elif type(place) is Frame and operation.target < 0 and operation.source < 0:
            state.flags = Flags(-2, 4, "", -1, operation.number, place)
    elif operation.target >= 0 and operation.source >= 0:
        state.flags = Flags(operation.target, operation.target_size, "", operation.source)
    elif operation.target >= 0:
        state.flags = Flags(operation.target, operation.target_size, "", -1, operation.number)


def _test(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    state.flags = None
    if operation.target >= 0 and operation.target == operation.source:
        state.flags = Flags(operation.target, operation.target_size, "", -1)


def _set_direction(walk: Walk, state: State, decoded: Decoded) -> None:
    state.backwards = decoded.operation.mnemonic == Mnemonic.STD


def _zero_upper(walk: Walk, state: State, decoded: Decoded) -> None:
    state.upper = False


def _empty_mmx(walk: Walk, state: State, decoded: Decoded) -> None:
    state.mmx = False


def _set_bit(walk: Walk, state: State, decoded: Decoded) -> None:
    target = decoded.operation.target
    if decoded.operation.target_size == 1 and 0 <= target < 16:
        value = state.registers[target]
        state.registers[target] = SMALL if value == 0 and type(value) is int else Low(1)


def _pop_flags(walk: Walk, state: State, decoded: Decoded) -> None:
    _forget(walk, state, decoded)
    state.backwards = False


def _load_mxcsr(walk: Walk, state: State, decoded: Decoded) -> None:
    state.mxcsr = not state.mxcsr


def _nothing(walk: Walk, state: State, decoded: Decoded) -> None:
    pass


_Effect = Callable[[Walk, State, Decoded], None]
_EFFECTS: dict[int, _Effect] = {
    decode.OTHER: _forget,
    decode.MOVE: _move,
    decode.LOAD: _load,
    decode.STORE: _store,
    decode.SET: _set,
    decode.ADDRESS: _address,
    decode.ADD: _add,
    decode.SUBTRACT: _add,
    decode.AND: _and,
    decode.ZERO: _zero,
    decode.PUSH: _push,
    decode.POP: _pop,
    decode.LEAVE: _leave,
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
    decode.SHIFT: _shift,
    decode.FLAGS_POP: _pop_flags,
    decode.MXCSR_LOAD: _load_mxcsr,
}


def refine(walk: Walk, state: State, condition: int) -> None:
    """Take in what it says of the values that a condition of decode.py is true."""
    flags = state.flags
    if flags is None:
        return
    if flags.place is not None:
        if condition in (decode.BELOW, decode.NOT_ABOVE):
            state.bounded = flags.place, flags.number + (condition == decode.NOT_ABOVE)
    elif flags.register < 0:
        if condition == decode.NOT_EQUAL:
            state.present |= {flags.name}
    elif flags.other >= 0:
        if condition == decode.EQUAL:
            _are_equal(state, flags)
    elif flags.register < XMM0:
        _compares(walk, state, flags, condition)


NEGATED = {
    decode.ANY: decode.ANY,
    decode.EQUAL: decode.NOT_EQUAL,
    decode.NOT_EQUAL: decode.EQUAL,
    decode.BELOW: decode.NOT_BELOW,
    decode.NOT_BELOW: decode.BELOW,
    decode.ABOVE: decode.NOT_ABOVE,
    decode.NOT_ABOVE: decode.ABOVE,
}
"""The condition that holds where a branch is not taken."""


def _are_equal(state: State, flags: Flags) -> None:
    if flags.size == 8 and RSP in (flags.register, flags.other):
        other = flags.other if flags.register == RSP else flags.register
        if type(state.registers[other]) is Frame:
            state.registers[RSP] = state.registers[other]


def _compares(walk: Walk, state: State, flags: Flags, condition: int) -> None:
    value = state.registers[flags.register]
    if condition in (decode.BELOW, decode.NOT_ABOVE):
        limit = flags.number + (condition == decode.NOT_ABOVE)
        if limit > 0 and (value is None or type(value) in (Result, Below)):
            state.registers[flags.register] = Below(limit)
    elif flags.number:
        return
    elif condition == decode.EQUAL:
        if type(value) is Result and value.at in walk.buffer_calls:
            state.buffers |= {walk.buffer_calls[value.at]}
        _is_zero(state, flags, value)
    elif condition == decode.NOT_EQUAL:
        if type(value) is Imported:
            state.present |= {value.name}
        elif type(value) is Result and not value.tested:
            _replace(state, value, value._replace(tested=True))


def _is_zero(state: State, flags: Flags, value: Value) -> None:
    if flags.size == 8 and type(value) is Result:
        _replace(state, value, 0)
    elif flags.size >= 4:
        # What was saved from entry stays that: it is both.
        if type(value) is not Entry or flags.register not in KEPT:
            state.registers[flags.register] = 0
    elif flags.size == 1:
        state.registers[flags.register] = Low(0)


def _replace(state: State, old: Value, new: Value) -> None:
    registers = state.registers
    for number in range(16):
        if registers[number] == old and type(registers[number]) is type(old):
            registers[number] = new
    for key, value in state.stack.items():
        if value == old and type(value) is type(old):
            state.stack[key] = new
