"""Builds on machines that assembly is not for: its sources are left out, and setuptools does the rest.

Which machine this is, ``facts.target`` knows; whether it counts, [tool.asmsetup] ``elsewhere`` says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from setuptools import Extension

from ..facts import target
from ..files import atomic_write, write_text
from ..link.linker import version_script
from ..suffixes import is_assembly, is_gas
from . import c_objects, declared
from .compiler import COMPILE, plain
from .flags import other_calls

MACRO = ("ASMSETUP", "1")
"""Defined for C and C++ where assembly is in, so that a portable path can be chosen in C."""


def with_macro(given: Mapping[str, Any], ext: Extension | None) -> dict[str, Any]:
    """Return the arguments of ``compile`` with MACRO if there is assembly beside the sources.

    On another machine, that is assembly for GAS.
    """
    macros = list(given.get("macros") or ())
    if not any(macro[0] == MACRO[0] for macro in macros):
        macros.append(MACRO)
    sources = [*given["sources"], *(ext.sources if ext is not None else ())]
    has_assembly = any(is_assembly(source) or is_gas(source) for source in sources)
    return {**given, "macros": macros} if has_assembly else dict(given)


def compile_rest(
    chosen: Any, below: Callable[..., list[str]], ext: Extension | None, given: Mapping[str, Any]
) -> list[str]:
    """Have the wrapped compiler object compile all sources but those for NASM.

    Raises SourceError for wrong keys of extra_compile_args.
    """
    given = plain(given)
    rest = [source for source in given["sources"] if not is_assembly(source)]
    if any(map(is_gas, rest)):
        given = with_macro({**given, "sources": rest}, None)
        chosen.src_extensions = c_objects.accept_gas(chosen).src_extensions
    objects: list[str] = []
    for number, call in enumerate(other_calls(chosen, ext, given)):
        options = {name: call[name] for name in COMPILE if name in call and name != "sources"}
        if number:  # one source may be compiled twice
            options["output_dir"] = os.path.join(given.get("output_dir") or "", str(number))
        objects += below(call["sources"], **options)
    return objects


def export_only(library: declared.Library, folder: str) -> None:
    """Have a library's linker export what the library names, and nothing else.

    Linkers of other systems than Linux take no such script, and export everything.
    """
    if not target.platform_name().endswith("-linux"):
        return
    path = os.path.join(folder, f"{library.name}.exports")
    with atomic_write(path) as partial:
        write_text(partial, version_script(library.export_symbols))
    library.extra_link_args = [*(library.extra_link_args or ()), f"-Wl,--version-script={path}"]
