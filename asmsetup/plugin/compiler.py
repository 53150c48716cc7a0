"""The compiler object that everything below a command uses: setuptools' own, with assembly before it.

All ways of building, a user's or another plugin's command class included, come
down to calls of that object. Sources for NASM are taken out of ``compile``; what
holds their objects is linked by ``link_shared_object`` and archived by
``create_static_lib``. Everything else is the wrapped object's.
"""

from __future__ import annotations

import copy
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from ..suffixes import is_assembly, is_gas

if TYPE_CHECKING:
    from .run import BuildRun

COMPILE = (
    *("sources", "output_dir", "macros", "include_dirs", "debug"),
    *("extra_preargs", "extra_postargs", "depends"),
)
LINK = (
    *("objects", "output_filename", "output_dir", "libraries", "library_dirs"),
    *("runtime_library_dirs", "export_symbols", "debug", "extra_preargs"),
    *("extra_postargs", "build_temp", "target_lang"),
)
ARCHIVE = ("objects", "output_libname", "output_dir", "debug", "target_lang")
"""The parameters of distutils' Compiler.compile, link_shared_object and create_static_lib."""


class Compiler:
    """Wraps the compiler object that setuptools chose.

    What is read from it or set on it, the four methods below excepted, is the
    wrapped object's. A method that was replaced there is called for
    all that is not assembly; one that was read before stands for what it was then.
    """

    def __init__(self, chosen: Any, run: Callable[[], BuildRun]) -> None:
        """``run`` returns what the command that uses this object is building."""
        self.__dict__.update(asmsetup_wraps=chosen, asmsetup_run=run)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        # setuptools asserts that the object is one of its compilers.
        return type(self.__dict__["asmsetup_wraps"])

    def __getattr__(self, name: str) -> Any:
        if "asmsetup_wraps" not in self.__dict__:  # while it is copied
            raise AttributeError(name)
        return getattr(self.asmsetup_wraps, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.asmsetup_wraps, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.asmsetup_wraps, name)

    def __copy__(self) -> Compiler:
        return Compiler(copy.copy(self.asmsetup_wraps), self.asmsetup_run)

    @property
    def compile(self) -> Callable[..., Any]:
        """Compiler.compile, with NASM for its sources: one object a source, in their order."""
        return partial(_compile, self, self.asmsetup_wraps.compile)

    @property
    def link_shared_object(self) -> Callable[..., None]:
        """Compiler.link_shared_object, with ld for a module of nothing but assembly."""
        return partial(_link_shared_object, self, self.asmsetup_wraps.link_shared_object)

    @property
    def create_static_lib(self) -> Callable[..., None]:
        """Compiler.create_static_lib, for objects of NASM's as well."""
        return partial(_create_static_lib, self, self.asmsetup_wraps.create_static_lib)

    def object_filenames(
        self,
        source_filenames: Iterable[str | os.PathLike[str]],
        strip_dir: bool = False,
        output_dir: str | os.PathLike[str] | None = "",
    ) -> list[str]:
        """Compiler.object_filenames; for assembly, the names that ``create_static_lib`` takes.

        Where such an object really lies is for ``compile`` to return.
        """
        return [
            _object_name(source, strip_dir, output_dir or "")
            if is_assembly(source) or is_gas(source)
            else self.asmsetup_wraps.object_filenames([source], strip_dir, output_dir)[0]
            for source in source_filenames
        ]


# No methods: the wrapped object's own _compile is to be found under its name.
def _compile(compiler: Compiler, below: Callable[..., Any], *args: Any, **options: Any) -> Any:
    given = _named(COMPILE, args, options)
    run = compiler.asmsetup_run()
    if run.concerns(given.get("sources") or ()):
        return run.compile(compiler.asmsetup_wraps, below, given)
    return below(*args, **options)


def _link_shared_object(
    compiler: Compiler, below: Callable[..., None], *args: Any, **options: Any
) -> None:
    given = _named(LINK, args, options)
    run = compiler.asmsetup_run()
    if run.is_to_link(given.get("objects") or ()):
        run.link(compiler.asmsetup_wraps, below, given)
    else:
        below(*args, **options)


def _create_static_lib(
    compiler: Compiler, below: Callable[..., None], *args: Any, **options: Any
) -> None:
    given = _named(ARCHIVE, args, options)
    run = compiler.asmsetup_run()
    if run.is_to_link(given.get("objects") or ()):
        run.archive(compiler.asmsetup_wraps, below, given)
    else:
        below(*args, **options)


def _named(
    parameters: Sequence[str], args: Sequence[Any], options: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a call by their names."""
    return {**dict(zip(parameters, args, strict=False)), **options}


def _object_name(
    source: str | os.PathLike[str], strip_dir: bool, output_dir: str | os.PathLike[str]
) -> str:
    path = os.fspath(source).lstrip(os.sep)
    return os.path.join(output_dir, (os.path.basename(path) if strip_dir else path) + ".o")


_PATHS = (
    *("sources", "include_dirs", "depends", "objects", "library_dirs", "runtime_library_dirs"),
    *("extra_preargs",),
)


def plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's arguments with strings where they have paths."""
    lists: dict[str, Any] = {
        name: [*map(os.fspath, given[name] or ())] for name in _PATHS if name in given
    }
    if not isinstance(args := given.get("extra_postargs"), dict):
        lists["extra_postargs"] = [*map(os.fspath, args or ())]
    if given.get("macros"):
        # distutils takes a number for a value as well.
        lists["macros"] = [
            (each[0], each[1] if each[1] is None else str(each[1])) if len(each) == 2 else each
            for each in given["macros"]
        ]
    return {**given, **lists}


def is_stock(chosen: Any) -> bool:
    """Return whether several threads may compile with copies of a compiler object.

    Not when a method of the object itself was replaced: what that does with the
    object, and in which order, cannot be known.
    """
    replaced = {name for name, value in vars(chosen).items() if callable(value)}
    # setuptools replaces this one itself, for a Library.
    return chosen.compiler_type == "unix" and replaced <= {"link_shared_object"}


def added_include_dirs(chosen: Any) -> list[str]:
    """Return the include folders that a compiler object was given besides Python's own."""
    own = pythons_include_dirs()
    return [folder for folder in chosen.include_dirs or () if folder not in own]


@cache
def pythons_include_dirs() -> frozenset[str]:
    """Return the folders of Python's headers, which hold nothing for NASM."""
    paths = sysconfig.get_paths()
    return frozenset(
        (paths["include"], paths["platinclude"], os.path.join(sys.exec_prefix, "include"))
    )
