"""Which methods CPython keeps in slots of a type, and how it calls them there."""

from __future__ import annotations

from collections.abc import Iterable

from ..named import NamedTuple
from .signature import Signature, SignatureError


class Slot(NamedTuple):
    """A place in a type for a method with a name such as ``__len__``."""

    ids: tuple[str, ...]
    """The slots that the method is entered in."""
    arguments: int
    """How many objects are passed after the instance; -1 for a tuple and a dict."""
    result: str
    """object, size (a Py_ssize_t), hash, truth (an int), or done (an int that is 0)."""

    may_not_fit: bool = False
    """NotImplemented is returned for an argument of another type."""
    part: str = ""
    """It is called by a function in a slot that several methods share; its name there."""

    @property
    def failed(self) -> str:
        """The slot's result when an exception is set."""
        return "0" if self.result == "object" else "-1"


def _slots(
    arguments: int, result: str, names: str, *, may_not_fit: bool = False
) -> dict[str, Slot]:
    """Return the slots of names such as ``repr=tp_repr``."""
    pairs = (name.split("=") for name in names.split())
    return {
        f"__{name}__": Slot(
            tuple(f"Py_{each}" for each in ids.split("+")), arguments, result, may_not_fit
        )
        for name, ids in pairs
    }


def _parts(
    arguments: int, result: str, names: Iterable[str], *, may_not_fit: bool = False
) -> dict[str, Slot]:
    """Return the slots of methods that share one with others."""
    return {f"__{name}__": Slot((), arguments, result, may_not_fit, name) for name in names}


BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "matmul": "matrix_multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "divmod": "divmod",
    "pow": "power",
    "lshift": "lshift",
    "rshift": "rshift",
    "and": "and",
    "or": "or",
    "xor": "xor",
}
"""The slots Py_nb_... of operators by the names of their methods."""

_IN_PLACE = " ".join(f"i{name}=nb_inplace_{BINARY[name]}" for name in BINARY if name != "divmod")
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")

SLOTS = {
    **_slots(0, "object", "repr=tp_repr str=tp_str iter=tp_iter next=tp_iternext"),
    **_slots(0, "object", "neg=nb_negative pos=nb_positive abs=nb_absolute invert=nb_invert"),
    **_slots(0, "object", "int=nb_int float=nb_float index=nb_index"),
    **_slots(0, "object", "await=am_await aiter=am_aiter anext=am_anext"),
    **_slots(0, "size", "len=sq_length+mp_length"),
    **_slots(0, "hash", "hash=tp_hash"),
    **_slots(0, "truth", "bool=nb_bool"),
    **_slots(1, "object", "getitem=mp_subscript"),
    **_slots(1, "truth", "contains=sq_contains"),
    **_slots(-1, "object", "call=tp_call new=tp_new"),
    **_slots(-1, "done", "init=tp_init"),
    **_slots(1, "object", _IN_PLACE, may_not_fit=True),
    **_parts(1, "object", _COMPARISONS, may_not_fit=True),
    **_parts(1, "object", [*BINARY, *(f"r{name}" for name in BINARY)], may_not_fit=True),
    **_parts(2, "done", ["setitem", "setattr", "set"]),
    **_parts(1, "done", ["delitem", "delattr", "delete"]),
    **_parts(1, "object", ["getattr", "getattribute"]),
    **_parts(2, "object", ["get"]),
}
"""The slots that a typed function can fill."""

_SHARED = {
    **dict.fromkeys(_COMPARISONS, "Py_tp_richcompare"),
    **{name: f"Py_nb_{slot}" for name, slot in BINARY.items()},
    **{f"r{name}": f"Py_nb_{slot}" for name, slot in BINARY.items()},
    **dict.fromkeys(("setitem", "delitem"), "Py_mp_ass_subscript"),
    **dict.fromkeys(("setattr", "delattr"), "Py_tp_setattro"),
    **dict.fromkeys(("getattr", "getattribute"), "Py_tp_getattro"),
    **dict.fromkeys(("set", "delete"), "Py_tp_descr_set"),
    "get": "Py_tp_descr_get",
}
"""The slots that several methods share, by their parts."""
_BY_HAND = {
    "__del__": "Py_tp_finalize",
    "__buffer__": "Py_bf_getbuffer",
    "__release_buffer__": "Py_bf_releasebuffer",
}
_FORMER = {
    "nonzero": "bool",
    "div": "truediv",
    "rdiv": "rtruediv",
    "idiv": "itruediv",
    "long": "int",
    "unicode": "str",
    "cmp": "eq",
    "getslice": "getitem",
    "setslice": "setitem",
    "delslice": "delitem",
    "length": "len",
    "string": "str",
    "not": "bool",
    "inv": "invert",
    "negate": "neg",
}
"""Names that Python 2 had, and those of the operator module or of other languages."""
_OTHER_METHODS = """
enter exit aenter aexit reduce reduce_ex getstate setstate getnewargs getnewargs_ex copy deepcopy
replace sizeof dir format bytes complex round trunc floor ceil reversed length_hint missing
class_getitem init_subclass subclasshook set_name instancecheck subclasscheck prepare fspath
mro_entries array array_ufunc array_function array_interface array_struct array_priority
array_wrap array_finalize dlpack dlpack_device doc rich html
"""
"""Methods that Python and well-known packages look for among a type's own."""
_TYPES = {
    **dict.fromkeys(("__repr__", "__str__"), ("str", {"str", "cstr", "object"})),
    **dict.fromkeys(("__int__", "__index__"), ("i64", {"signed", "unsigned", "object"})),
    "__float__": ("float", {"real", "object"}),
    **dict.fromkeys(("__iter__", "__await__", "__aiter__"), ("object", {"object"})),
}
"""By method: the result to declare, and the kinds of results that Python accepts from it."""
_RESULTS = {
    "size": ("i64", {"signed", "unsigned"}),
    "hash": ("i64", {"signed", "unsigned"}),
    "truth": ("bool", {"bool"}),
    "done": ("None", {"none"}),
}


def place_of(name: str) -> str | None:
    """Return the slot of a type that Python calls a method from; None for other methods."""
    slot = SLOTS.get(name)
    if slot is None:
        return _BY_HAND.get(name)
    return slot.ids[-1] if slot.ids else _SHARED[slot.part]


_OF_MODULES = ("__getattr__", "__dir__")
"""The functions that Python calls of a module (PEP 562)."""


def is_of_modules(name: str) -> bool:
    """Return whether Python calls a module's function of that name."""
    return name in _OF_MODULES


def slot_of(signature: Signature) -> Slot | None:
    """Return the slot that a method belongs in, None for a plain method.

    Raises SignatureError for a method that Python would look for in a slot and not find, and
    for a signature that does not fit the slot.
    """
    name = signature.name
    if name in _BY_HAND:
        place = _BY_HAND[name]
        raise SignatureError(
            f" {name}: Python looks for it in a slot of the type; "
            f"write a PyRoutine, and enter it with PyTypeSlot in {place}"
        )
    slot = SLOTS.get(name)
    if slot is not None:
        _expect_fit(signature, slot)
    elif near := meant(name):
        raise SignatureError(f" {name}: Python never calls it; did you mean {near}?")
    return slot


def expect_function(name: str) -> None:
    """Raise SignatureError for a function of a module whose name is that of a type's method."""
    if place_of(name) and not is_of_modules(name):
        raise SignatureError(
            f" {name}: Python looks for it in a type, and never in a module; "
            "write it between PyType and PyEndType"
        )
    if near := meant_in_module(name):
        raise SignatureError(f" {name}: Python never calls it; did you mean {near}?")


def meant(name: str) -> str:
    """Return the method that a name such as ``__lenght__`` may mean; empty for its own name."""
    bare = name.strip("_").lower()
    if not name.endswith("_") or name.strip("_") in _OTHER_METHODS.split():
        return ""
    known = {each.strip("_") for each in SLOTS.keys() | _BY_HAND.keys()}
    if bare in known:
        return f"__{bare}__"
    import difflib  # slow to import, and needed for few names

    near = difflib.get_close_matches(bare, sorted(known | _FORMER.keys()), n=1, cutoff=0.8)
    return f"__{_FORMER.get(near[0], near[0])}__" if near else ""


def meant_in_module(name: str) -> str:
    """Return the function of a module that ``__getatr__`` may mean; empty for its own name."""
    if name in _OF_MODULES or not (name.startswith("__") and name.endswith("_")):
        return ""
    import difflib  # slow to import, and needed for few names

    return next(iter(difflib.get_close_matches(name, _OF_MODULES, n=1, cutoff=0.85)), "")


def _expect_fit(signature: Signature, slot: Slot) -> None:
    count, name = len(signature.parameters), signature.name
    if signature.rest:
        why = "cannot take" if slot.arguments < 0 else "is passed no"
        raise SignatureError(f" {name}: a method in a slot {why} `*{signature.rest}'")
    given = "cls" if name == "__new__" else "self"
    if signature.receiver not in ("", given):
        raise SignatureError(f" {name}: the routine gets `{given}', not `{signature.receiver}'")
    if slot.arguments >= 0 and (count != slot.arguments or signature.least != count):
        arguments = ("no argument", "one argument", "two arguments")[slot.arguments]
        raise SignatureError(f" {name}: Python passes {arguments} to it, without a default")
    example, kinds = _TYPES.get(name) or _RESULTS.get(slot.result, ("", set()))
    if kinds and signature.result.kind not in kinds:
        raise SignatureError(
            f" {name}: its result is `{example}', not `{signature.result.written}'"
        )
