"""NamedTuple of ours: what typing's does, and next to nothing when modules are loaded."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from asmsetup import named


def made(base: Any) -> Any:
    class Point(base):  # type: ignore[misc]
        """Somewhere."""

        x: int
        y: int | None = None
        """Up."""

        @property
        def doubled(self) -> int:
            return 2 * self.x

        @classmethod
        def at(cls, x: int) -> Any:
            return cls(x)

        @staticmethod
        def axes() -> str:
            return "xy"

        def __lt__(self, other: Any) -> bool:
            return bool(self.x > other.x)

    return Point


@pytest.mark.parametrize(
    "look",
    [
        lambda kind: (kind(1), kind(x=1, y=2), kind(1)._replace(y=3), kind.at(4)),
        lambda kind: [repr(kind(1)), kind(1)._asdict(), hash(kind(1))],
        lambda kind: (kind(1).doubled, kind.axes(), kind(1) < kind(2)),
        lambda kind: (kind._fields, kind._field_defaults, kind.__match_args__),
        lambda kind: (kind.__doc__, kind.__module__, kind.__name__, kind.__mro__[1:]),
        lambda kind: sorted(kind.__annotations__),
        lambda kind: hasattr(kind(1), "__dict__"),
    ],
)
def test_it_is_what_typing_makes(look: Any) -> None:
    assert look(made(named.NamedTuple)) == look(made(typing.NamedTuple))


@pytest.mark.parametrize("wrong", [{}, {"x": 1, "z": 2}])
def test_wrong_fields_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        made(named.NamedTuple)(**wrong)


def test_one_without_fields() -> None:
    class Nothing(named.NamedTuple):
        """Says by its type alone what it means."""

    assert (Nothing(), repr(Nothing())) == ((), "Nothing()")
