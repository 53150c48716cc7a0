"""From the declarations in a source to the file of bindings that the macros include."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator

from .declarations import Declaration
from .emit import Binding
from .lines import escaped, op, quoted
from .prototype import prototype
from .signature import Signature, SignatureError, parse
from .slots import expect_function, slot_of
from .table import table
from .written import text_signature

_RULE = ";" + "=" * 71

# Each begins with letters, which are searched for much faster than a choice is.
_CALLED = re.compile(rf"{op('call', '_py_')}(\w+)")
_READ = re.compile(r"\[\.\.@py_(\w+)")
_ERROR = re.compile(r"_py_error_(\d+)")

_CALLS = {
    "as_double": {"minus_one", "check_error"},
    "as_u32": {"as_unsigned", "set_error"},
    "bind_behind_rest": {"bind_arguments"},
    "bind_here": {"bind_arguments"},
    "bind_positional": {"raise_wrong_number"},
    "bind_tuple": {"bind_arguments"},
    "check_i32": {"check_error", "set_error"},
    "find_null": {"set_error"},
    "raise_if_not_str": {"raise_bad_argument"},
}
"""The routines that a routine of the runtime calls, by its name."""

_FLAGS = {"noargs": 4, "o": 8, "fastcall": 0x80, "keywords": 0x82, "tuple": 0, "pair": 0}
"""METH_ flags (CPython, Include/methodobject.h)."""
_METH_CLASS = 0x10

_FACT_FUNCTION, _FACT_PROTOTYPE, _ROLE_PROVED = 1, 6, 3
"""Kinds and a role of records in .debug_asmsetup; see check/code/marks.py."""
_ADDRESS = 8
"""The bytes of an address in such a record, which NASM writes."""


def bindings(declarations: Iterable[Declaration]) -> str:
    """Return the text of the bindings file: for each declaration what its macro writes.

    A wrong signature becomes the error that its macro ends with, at its line.
    """
    declarations = list(declarations)
    shared: _Shared = {}
    pieces = ["\n".join(_piece(n, each, shared)) for n, each in enumerate(declarations, 1)]
    needed = {name for piece in pieces for each in (_CALLED, _READ) for name in each.findall(piece)}
    if any(each.macro == "PyArguments" for each in declarations):
        needed |= {"bind_here", "bind_positional"}
    if any("%define _py_part_" in piece for piece in pieces):
        needed.add("parts")
    needed = needed.union(*(_CALLS.get(name, ()) for name in needed))
    frames = {int(size) for piece in pieces for size in _ERROR.findall(piece)}
    if frames:
        needed.add("error")
    head = [
        _RULE,
        "; Bindings of typed functions, made by asmsetup from the signatures in the source.",
        "; Include it before the source: nasm -P. python/typed.inc says what is what.",
        _RULE,
        f"%assign _py_pieces {len(pieces)}",
        *(f"%define _py_needs_{name}" for name in sorted(needed)),
        *([f"%define _py_frames {', '.join(map(str, sorted(frames)))}"] if frames else []),
    ]
    return "\n".join(["\n".join(head), *pieces]) + "\n"


_Shared = dict[object, int]
"""The number of the binding that defines a macro, by what the macro is made from."""


def _piece(number: int, declaration: Declaration, shared: _Shared) -> Iterator[str]:
    typed = declaration.macro == "PyTypedFunction"
    yield ""
    yield f"%define _py_signature_key_{number} {quoted(declaration.key)}"
    try:
        signature = parse(declaration.signature, typed=typed)
        if not typed:
            yield from _arguments(number, signature)
            return
        slot = slot_of(signature) if declaration.in_type else None
        if not declaration.in_type:
            expect_function(signature.name)
        if declaration.nogil:
            _expect_no_object(signature)
    except SignatureError as error:
        yield f"%define _py_refusal_{number} {quoted(f'{declaration.macro}{error}')}"
        return
    binding = Binding(signature, nogil=declaration.nogil, slot=slot)
    yield from _binding(number, binding, shared)
    size = _ADDRESS + len(declaration.signature.encode()) + 1
    head = escaped(struct.pack("<BH", _FACT_PROTOTYPE, size))
    yield f"%define _py_signature_{number} {head}"


def _binding(number: int, binding: Binding, shared: _Shared) -> Iterator[str]:
    signature, slot = binding.signature, binding.slot
    yield f"%define _py_typed_name_{number} {quoted(signature.name)}"
    text = escaped(f"{text_signature(signature)}\n--\n\n".encode())
    yield f"%define _py_signature_text_{number} {text}"
    in_class = signature.receiver == "cls" and slot is None
    flags = _FLAGS[binding.form] | _METH_CLASS * in_class
    yield f"%define _py_typed_flags_{number} {flags:#x}"
    yield f"%define _py_routine_label_{number} {signature.name}"
    if in_class:
        yield f"%define _py_is_class_{number}"
    if signature.receiver:
        yield f"%define _py_receiver_{number} {quoted(signature.receiver)}"
    if slot is not None and slot.part:
        yield f"%define _py_part_{number} {slot.part}"
    elif slot is not None:
        yield f"%define _py_typed_slots_{number} {', '.join(slot.ids)}"
    if binding.layout.views:
        yield f"%define _py_has_buffers_{number}"
    if binding.form == "keywords":
        yield from _held_names(number, signature)
    yield from _facts(number, signature, flags)
    yield _macro(f"_py_data_{number} 0", binding.data())
    yield f"; {prototype(signature)}"
    yield from _code(number, binding, shared)


def _code(number: int, binding: Binding, shared: _Shared) -> Iterator[str]:
    """Yield the macros of the code and its table for unwinding, or what other ones these are."""
    same = shared.setdefault(_shape(binding), number)
    if same != number:
        yield f"%define _py_code_{number} _py_code_{same}"
        yield f"%define _py_unwinding_{number} _py_unwinding_{same}"
        return
    yield _macro(f"_py_code_{number} 1", binding.code("%1"))
    rows = binding.unwinding()
    same = shared.setdefault(tuple(rows), number)
    if same != number:
        yield f"%define _py_unwinding_{number} _py_unwinding_{same}"
    else:
        yield _macro(f"_py_unwinding_{number} 0", rows)


def _shape(binding: Binding) -> object:
    """Return what the code depends on: all but the names, which only its comments have."""
    signature = binding.signature._replace(
        text="",
        name="",
        receiver="self" if binding.signature.receiver else "",
        parameters=(),
        rest="rest" if binding.signature.rest else "",
    )
    parameters = tuple((each.type, each.default) for each in binding.signature.parameters)
    return signature, parameters, binding.nogil, binding.slot


def _facts(number: int, signature: Signature, flags: int) -> Iterator[str]:
    """Yield the record of the function for `asmsetup check`, around its addresses."""
    fact = struct.pack("<BI", _ROLE_PROVED, flags) + signature.name.encode() + b"\0"
    head = struct.pack("<BH", _FACT_FUNCTION, 2 * _ADDRESS + len(fact))
    yield f"%define _py_fact_head_{number} {escaped(head)}"
    yield f"%define _py_fact_{number} {escaped(fact)}"


def _arguments(number: int, signature: Signature) -> Iterator[str]:
    count = len(signature.parameters)
    yield f"%define _py_typed_name_{number} {quoted(signature.name)}"
    yield f"%assign _py_parameter_count_{number} {count}"
    yield f"%assign _py_takes_keywords_{number} {int(signature.takes_keywords)}"
    if count:
        yield _macro(f"_py_data_{number} 0", table(signature))
    names = [
        op("_py_define_local", f"{each.name}, _py_bound - {8 * k}, 8")
        for k, each in enumerate(signature.parameters)
    ]
    if signature.rest:
        yield f"%define _py_has_rest_{number}"
        for k, name in enumerate((signature.rest, f"{signature.rest}_count"), count):
            names.append(op("_py_define_local", f"{name}, _py_bound - {8 * k}, 8"))
    yield _macro(f"_py_places_{number} 0", names)


def _held_names(number: int, signature: Signature) -> Iterator[str]:
    names = [each.name for each in signature.parameters[signature.positional_only :]]
    texts = "".join(f"{name}\0" for name in names)
    yield f"%define _py_keywords_{number} {escaped(texts.encode())}"
    yield f"%assign _py_keyword_count_{number} {len(names)}"


def _macro(head: str, lines: Iterable[str]) -> str:
    return "\n".join((f"%macro {head}.nolist", *lines, "%endmacro"))


def _expect_no_object(signature: Signature) -> None:
    types = (signature.result, *(each.type for each in signature.parameters))
    if signature.rest or any(each.kind == "object" for each in types):
        raise SignatureError(
            f" {signature.name}: `nogil' and `object' exclude each other, "
            "as nothing may touch an object without the GIL"
        )
