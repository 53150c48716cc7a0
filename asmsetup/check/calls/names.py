"""Judges the names of attributes: Python finds special methods in slots of a type. Pure."""

from __future__ import annotations

from .call import Call, MisuseError

_CALLED = ("PyFunction", "PyMethod")


def judge_attribute(call: Call, text: str) -> None:
    """Raise MisuseError for a special method that Python finds in a slot of a type, or never."""
    from ...bind import slots  # what reads signatures, which few builds need

    macro, name = call.arguments[0], text.strip("\"'`")
    in_type = call.target.head is not None
    place = slots.place_of(name)
    if place and in_type:
        raise MisuseError(
            f"Python looks for {name} in a slot of the type, and not among its methods; write"
            f" PyRoutine and PyTypeSlot {place}"
        )
    if place and not slots.is_of_modules(name):
        raise MisuseError(
            f"{macro}: Python looks for {name} in a type, and never in a module; write"
            f" PyRoutine and, in a PyType, PyTypeSlot {place}"
        )
    if not in_type and macro in _CALLED and (meant := slots.meant_in_module(name)):
        raise MisuseError(f"{macro}: Python never calls {name}; did you mean {meant}?")
    if in_type and macro in _CALLED and (meant := slots.meant(name)):
        raise MisuseError(
            f"{macro}: Python never calls {name}; if {meant} is meant, write PyRoutine and"
            f" PyTypeSlot {slots.place_of(meant)}"
        )
