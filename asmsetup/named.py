"""NamedTuple as in typing, for a sixth of what its classes cost to make.

A build makes some sixty before its first NASM starts, and typing compiles the annotation of
every field. collections, which makes the class there and here, does not look at them.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:

    class _ClassOfFields(type):
        def __new__(cls, name, bases, body):
            fields = body.pop("__annotations__", {})
            defaults = [body.pop(field) for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body.pop("__module__"))
            made.__annotations__ = fields
            for attribute, value in body.items():
                setattr(made, attribute, value)
            return made

    NamedTuple = type.__new__(_ClassOfFields, "NamedTuple", (), {})
