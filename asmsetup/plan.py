"""The plan of a build: from a recipe to the objects it needs, their commands and their places.

Reads the text of sources; runs nothing and writes nothing but a folder of links to includes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from .assemble import nasm, own
from .assemble.includes import INCLUDE_DIR, Reader, search_path
from .assemble.nasm import AssemblerOptions, Macro, ObjectFile
from .config import Settings
from .errors import SourceError
from .facts.target import Target
from .files import unreadable
from .named import NamedTuple


class Recipe(NamedTuple):
    """The assembly sources of one extension or library, and how to assemble them."""

    name: str
    """The module's full name, with its packages; empty for a library's objects."""
    sources: tuple[str, ...]
    options: AssemblerOptions
    limited_api: tuple[int, int] | None = None
    """The lowest Python of a module for the stable ABI."""
    universal: bool = False
    """One module for every CPython, free-threaded ones included."""
    kind: str = "Extension"
    """The class that it is declared with: Extension or Library."""

    @property
    def named_by(self) -> str:
        """The extension or library, as an error calls it."""
        return f"{self.kind} {self.name!r}" if self.name else "a library"


class Planner:
    """Plans the objects of one build."""

    def __init__(self, settings: Settings, target: Target, folder: str) -> None:
        """``folder`` takes the objects."""
        self._settings = settings
        self._target = target
        self._folder = folder
        self._own_dirs: dict[tuple[str, ...], str] = {}
        """The folder of our own includes, by the folders that are searched before it; for one recipe."""

    def objects(
        self,
        recipe: Recipe,
        reader: Reader,
        planned: Callable[[list[ObjectFile]], object] = list,
    ) -> list[ObjectFile]:
        """Return the objects a recipe asks for, one a source, in the sources' order.

        ``reader`` looks into the sources. ``planned`` gets the objects, the largest sources'
        first, a few at a time. Raises SourceError for each source that does not exist, cannot
        be read or is listed twice.
        """
        self._own_dirs.clear()
        self._require_sources(recipe, reader)
        objects: dict[str, ObjectFile] = {}
        sources = sorted(recipe.sources, key=reader.size, reverse=True)
        for few in _growing(sources):
            for source in few:
                objects[source] = self._object(recipe, source, reader)
            planned([objects[source] for source in few])
        return [objects[source] for source in recipe.sources]

    def _require_sources(self, recipe: Recipe, reader: Reader) -> None:
        doubtful = (source for source in recipe.sources if not reader.can_read(source))
        unfit = {source: why for source in doubtful if (why := unreadable(source))}
        if unfit:
            raise SourceError(
                "\n".join(f"{source}: {no_source(source, why)}" for source, why in unfit.items()),
                f"{recipe.named_by} names it; paths start from {os.getcwd()}",
            )
        # The shortest of its spellings is what people know a file by.
        counted = Counter(map(os.path.abspath, recipe.sources))
        if len(counted) == len(recipe.sources):
            return
        shortest = sorted(recipe.sources, key=len, reverse=True)
        names = {os.path.abspath(each): each for each in shortest}
        if twice := [names[path] for path, count in counted.items() if count > 1]:
            raise SourceError(
                "\n".join(f"{recipe.named_by} lists {each} twice" for each in twice),
                "name each source once",
            )

    def _object(self, recipe: Recipe, source: str, reader: Reader) -> ObjectFile:
        options = self._options(recipe, source, reader)
        return ObjectFile(source, self._object_path(source, options), options)

    def _options(self, recipe: Recipe, source: str, reader: Reader) -> AssemblerOptions:
        searched = search_path(source, recipe.options.include_dirs)
        if searched not in self._own_dirs:
            self._own_dirs[searched] = own.include_dir(searched, self._folder)
        include_dirs = (*searched, self._own_dirs[searched])
        warnings_as_errors = ("-w+error",) if self._settings.strict else ()
        args = (*warnings_as_errors, *self._settings.nasm_args, *recipe.options.args)
        # Only macros that the source mentions are defined, so that its object is the same for
        # every Python unless it really depends on one.
        macros = recipe.options.define
        mentioned = reader.closure(source, include_dirs, args, macros).text.mentioned
        facts = [macro for macro in self._target_macros(recipe) if macro[0] in mentioned]
        return recipe.options._replace(
            include_dirs=include_dirs,
            define=(*facts, *recipe.options.define),
            args=args,
        )

    def _target_macros(self, recipe: Recipe) -> list[Macro]:
        """Return the macros that describe the target, under the names CPython's headers use."""
        if recipe.universal:
            return [("PY_UNIVERSAL", "1")]
        facts: list[Macro] = [("PY_VERSION_HEX", f"0x{self._target.version_hex:08X}")]
        if self._target.free_threaded:
            facts.append(("Py_GIL_DISABLED", "1"))
        if self._target.debug:
            facts.append(("Py_DEBUG", "1"))
        if recipe.limited_api is not None:
            major, minor = recipe.limited_api
            facts.append(("Py_LIMITED_API", f"0x{major:02X}{minor:02X}0000"))
        return facts

    def _object_path(self, source: str, options: AssemblerOptions) -> str:
        """Return where the object goes: named by its source and by a hash of its command.

        So x.c and x.asm, a/x.asm and b/x.asm, and one source with two sets of macros never
        share an object, and two extensions that need the same object do.
        """
        # asmsetup's own folder has another path in each isolated build; a fixed name stands for it.
        own = tuple("<asmsetup>" if d == INCLUDE_DIR else d for d in options.include_dirs)
        command = nasm.command("nasm", source, "", options._replace(include_dirs=own))
        digest = hashlib.blake2b(json.dumps(command).encode(), digest_size=8).hexdigest()
        # A file name has 255 bytes at most, and a letter up to four.
        return os.path.join(self._folder, f"{os.path.basename(source)[-40:]}.{digest}.o")


def _growing(sources: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield all sources in groups: small ones first, so that the first NASM starts early."""
    start, size = 0, 2
    while start < len(sources):
        yield sources[start : start + size]
        start, size = start + size, min(2 * size, 64)


def no_source(path: str, why: str) -> str:
    """Return what is wrong with a source, given why it cannot be read."""
    if os.path.lexists(path):
        return f"this source cannot be read: {why}"
    return "there is no such source file"
