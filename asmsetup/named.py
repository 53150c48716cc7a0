"""NamedTuple as in typing, for a tenth of what its classes cost to make.

A build makes some sixty before its first NASM starts. typing compiles the annotation of every
field, and collections a ``__new__`` for every class; here one is compiled for each number of
fields, and its parameters are named after the fields.
"""

from __future__ import annotations

from collections import _tuplegetter  # type: ignore[attr-defined]
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    _FUNCTION = type(lambda: None)
    _GLOBALS = {"tuple_new": tuple.__new__, "__builtins__": {}}
    _CODES = {}
    """The code of ``__new__`` by the number of fields."""

    def _new(name, fields, defaults):
        if len(fields) not in _CODES:
            names = "".join(f"field{number}, " for number in range(len(fields)))
            written = f"lambda cls, {names}: tuple_new(cls, ({names}))"
            _CODES[len(fields)] = eval(written).__code__  # noqa: S307 (ours alone)
        code = _CODES[len(fields)].replace(co_varnames=("cls", *fields))
        made = _FUNCTION(code, _GLOBALS, "__new__", defaults)
        made.__qualname__ = f"{name}.__new__"  # what a TypeError calls it
        return made

    def _make(cls, values):
        return cls(*values)

    def _replace(self, /, **changes):
        made = type(self)(*map(changes.pop, self._fields, self))
        if changes:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(changes)}")
        return made

    def _asdict(self):
        return dict(zip(self._fields, self, strict=True))

    def _repr(self):
        shown = (f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({', '.join(shown)})"

    def _values(self):
        return tuple(self)

    _METHODS = {
        "_make": classmethod(_make),
        "_replace": _replace,
        "_asdict": _asdict,
        "__repr__": _repr,
        "__getnewargs__": _values,
    }

    class _ClassOfFields(type):
        def __new__(cls, name, bases, body):
            annotations = body.pop("__annotations__", {})
            fields = tuple(annotations)
            defaults = {field: body.pop(field) for field in fields if field in body}
            getters = {field: _tuplegetter(at, None) for at, field in enumerate(fields)}
            own = {
                "__slots__": (),
                "__new__": _new(name, fields, tuple(defaults.values())),
                "__match_args__": fields,
                "_fields": fields,
                "_field_defaults": defaults,
            }
            made = type(name, (tuple,), {**own, **_METHODS, **getters, **body})
            made.__annotations__ = annotations
            return made

    NamedTuple = type.__new__(_ClassOfFields, "NamedTuple", (), {})
