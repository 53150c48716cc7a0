"""Judges the base of a type: whether Python makes a class from it, and whose fields lie where. Pure."""

from __future__ import annotations

from .call import Call, MisuseError
from .expressions import UNKNOWN, ExpressionError, evaluate
from .types import struc_of

FINAL = frozenset(
    f"Py{name}_Type"
    for name in [
        "AsyncGen",
        "Bool",
        "CFunction",
        "CMethod",
        "Capsule",
        "Cell",
        "ClassMethodDescr",
        "Code",
        "Context",
        "ContextToken",
        "ContextVar",
        "Coro",
        "DictItems",
        "DictKeys",
        "DictProxy",
        "DictValues",
        "Ellipsis",
        "Frame",
        "Function",
        "Gen",
        "GetSetDescr",
        "InstanceMethod",
        "MemberDescr",
        "MemoryView",
        "Method",
        "MethodDescr",
        "ModuleDef",
        "PickleBuffer",
        "Range",
        "Slice",
        "TraceBack",
        "WrapperDescr",
    ]
)
"""CPython's types without Py_TPFLAGS_BASETYPE."""
_BASETYPE = 1 << 10
_OR_NO_FIELDS = "0 bytes for a type without fields of its own"
_BEGIN = "that of the base (PyObject_HEAD Base_object)"


def judge_base(call: Call, base: str) -> None:
    """Raise MisuseError unless ``base`` can be that of the type that was declared last."""
    _expect_extensible(call, base)
    if base == "PyBaseObject_Type" or not call.types:
        return
    name = list(call.types)[-1]
    size = call.target.size
    struc, below = struc_of(size), struc_of(call.types.get(base, ("",))[0])
    if struc is None:
        _expect_no_bytes(call, name, base)
    elif struc == below:
        return
    elif call.names(f"{struc}.PyObject_HEAD_of_a_struc") == UNKNOWN:
        raise MisuseError(
            f"PyType {name}: the fields of {struc} would lie over those of its base {base}; begin"
            f" the struc with {_BEGIN}, or give {_OR_NO_FIELDS}"
        )
    elif below and call.names(f"{struc}.PyObject_HEAD_of_{below}") == UNKNOWN:
        raise MisuseError(
            f"PyType {name}: {struc} does not begin with the fields of {below}, which are those of"
            f" its base {base}; write PyObject_HEAD {below}"
        )


def _expect_extensible(call: Call, base: str) -> None:
    if base in FINAL:
        raise MisuseError(
            f"PyTypeSlot: Python makes no class from {base}; take another base, or keep such an"
            " object in a field"
        )
    declared = call.types.get(base, ())
    flags = _number(call, declared[1]) if len(declared) > 1 else 0 if declared else None
    if flags is not None and not flags & _BASETYPE:
        raise MisuseError(
            f"PyTypeSlot: the type {base} lacks Py_TPFLAGS_BASETYPE, without which Python makes no"
            " class from it; add it to the flags of its PyType: Py_TPFLAGS_DEFAULT |"
            " Py_TPFLAGS_BASETYPE"
        )


def _expect_no_bytes(call: Call, name: str, base: str) -> None:
    """Raise MisuseError for a number of bytes in which the base's fields need not be.

    A negative one is that of fields behind the base's.
    """
    size = _number(call, call.target.size) or 0
    declared = call.types.get(base)
    least = _number(call, declared[0]) if declared else None
    if size > 0 and (declared is None or (least is not None and size < least)):
        raise MisuseError(
            f"PyType {name}: {size} bytes do not say how its objects go with those of its base"
            f" {base}; give {_OR_NO_FIELDS}, or the size of a struc that begins with {_BEGIN}"
        )


def _number(call: Call, text: str) -> int | None:
    try:
        return evaluate(text, call.names).number
    except ExpressionError:  # PyType is refused for it
        return None
