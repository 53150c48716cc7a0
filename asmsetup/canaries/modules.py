"""Puts trampolines around a module: into its global offset table before it runs, into its tables after.

The module is loaded as the import will load it. Addresses come from the file and from the
process's own map (proc(5)); RELRO is made writable, and stays so.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import os
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

from ..errors import AsmsetupError
from ..facts import elf
from ..link.linker import entry_points
from ..named import NamedTuple
from . import results
from .tables import Tables, pointer, set_pointer
from .trampoline import Trampoline

_GLOB_DAT, _JUMP_SLOT = 6, 7
_PAGE = 4096
_READ, _WRITE = 1, 2


class Function(NamedTuple):
    """A function that CPython calls through a trampoline."""

    module: Module
    name: str
    target: int


class Api(NamedTuple):
    """A function that a module calls through a trampoline."""

    module: Module
    name: str


class Module:
    """A module in memory."""

    def __init__(self, name: str, path: str) -> None:
        """Load the module, without running anything of it but constructors.

        Raises AsmsetupError when the file is not a module for this machine.
        """
        self.name = name
        self.path = path
        self.facts = elf.read(path)
        self.library = ctypes.PyDLL(path)  # kept loaded: what it holds points to trampolines
        first = next(each for each in self.facts.segments if each.type == "LOAD")
        self.base = _mapped(path) - first.address // _PAGE * _PAGE
        self._code = [
            (self.base + each.address, self.base + each.address + each.memory_size)
            for each in self.facts.segments
            if each.type == "LOAD" and "E" in each.flags
        ]

    def has_code_at(self, address: int) -> bool:
        """Return whether the address is in the module's own code."""
        return any(start <= address < end for start, end in self._code)

    def make_writable(self) -> None:
        """Make writable what RELRO protects. Raises AsmsetupError when the system refuses."""
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for each in self.facts.segments:
            if each.type == "GNU_RELRO":
                start = (self.base + each.address) // _PAGE * _PAGE
                end = -(-(self.base + each.address + each.memory_size) // _PAGE) * _PAGE
                if protect(start, end - start, _READ | _WRITE):
                    reason = os.strerror(ctypes.get_errno())
                    raise AsmsetupError(f"{self.path}: its tables cannot be changed: {reason}")

    def imports(self) -> Iterator[tuple[str, int]]:
        """Yield the name and the place of each address that the loader fills in from outside."""
        for each in self.facts.relocations:
            if each.type in (_GLOB_DAT, _JUMP_SLOT) and not each.symbol.defined:
                yield each.symbol.name, self.base + each.offset


class Wrapper:
    """Wraps modules as they are imported, and knows afterwards what each thunk stands for."""

    def __init__(self, wanted: Callable[[str, str], bool]) -> None:
        """``wanted`` is asked with a module's name and its file."""
        self._wanted = wanted
        self.modules: list[Module] = []
        self.functions: list[Function] = []
        self.apis: list[Api] = []
        self.errors: list[BaseException] = []
        self._known: dict[tuple[int, str], int] = {}
        self.trampoline = Trampoline(self._before_api)
        interface = self.trampoline.interface
        self._tables = Tables(interface.slots_begin, interface.slots_end, interface.layout)

    def install(self) -> None:
        """Wrap each wanted module that is imported from here on."""
        loader = importlib.machinery.ExtensionFileLoader
        create = loader.create_module

        def create_module(
            self: importlib.machinery.ExtensionFileLoader, spec: importlib.machinery.ModuleSpec
        ) -> ModuleType:
            wrapper._before_import(spec)
            return create(self, spec)

        wrapper = self
        loader.create_module = create_module  # type: ignore[method-assign]

    def _before_import(self, spec: importlib.machinery.ModuleSpec) -> None:
        path = spec.origin
        if path is None or any(each.path == path for each in self.modules):
            return
        if self._wanted(spec.name, path):
            self.wrap(spec.name, path)

    def wrap(self, name: str, path: str) -> None:
        """Load a module and wrap what it calls; its own functions follow when it is imported.

        Raises AsmsetupError when that cannot be done.
        """
        module = Module(name, path)
        self.modules.append(module)
        module.make_writable()
        executable = list(_executable())
        for called, place in module.imports():
            target = pointer(place)
            # Data is not called, nor are weak names that are not defined.
            is_code = any(start <= target < end for start, end in executable)
            if is_code and not module.has_code_at(target) and results.is_wrapped(called):
                self._wrap_api(module, called, place, target)
        self._wrap_exported_slots(module)

    def _wrap_api(self, module: Module, name: str, place: int, target: int) -> None:
        thunks = self.trampoline.apis
        number = thunks.add(
            target,
            result=results.returns(name),
            flags=results.flags(name),
            hook=len(self.apis),
        )
        self.apis.append(Api(module, name))
        set_pointer(place, thunks.address(number))

    def _wrap_exported_slots(self, module: Module) -> None:
        """Wrap the slots of PyModExport_, which CPython 3.15 calls without a call of ours."""
        _, name = entry_points(module.name)
        if sys.version_info >= (3, 15) and module.facts.defined(name):
            export = module.library[name]
            export.restype = ctypes.c_void_p
            self._tables.wrap_module_slots(export(), module.name, self._wrap_in(module))

    def _before_api(self, number: int, arguments: int) -> None:
        """Wrap the tables that a function of CPython is about to be given."""
        try:
            api = self.apis[number]
            self._wrap_tables(api, [pointer(arguments + 8 * index) for index in range(4)])
        except BaseException as error:  # called from assembly, which cannot catch it
            self.errors.append(error)

    def _wrap_tables(self, api: Api, arguments: list[int]) -> None:
        tables, module, wrap = self._tables, api.module.name, self._wrap_in(api.module)
        match api.name:
            case "PyModuleDef_Init" | "PyModule_Create2" | "PyModule_FromDefAndSpec2":
                tables.wrap_module(arguments[0], module, wrap)
            case "PyModule_AddFunctions":
                tables.wrap_methods(arguments[1], module, wrap)
            case "PyType_FromSpec" | "PyType_FromSpecWithBases":
                tables.wrap_spec(arguments[0], module, wrap)
            case "PyType_FromModuleAndSpec":
                tables.wrap_spec(arguments[1], module, wrap)
            case "PyType_FromMetaclass":
                tables.wrap_spec(arguments[2], module, wrap)
            case "PyType_FromSlots":
                tables.wrap_type_slots(arguments[0], module, wrap)
            case "PyType_Ready":
                tables.wrap_type(arguments[0], module, wrap)
            case "PyModule_AddType":
                tables.wrap_type(arguments[1], module, wrap)
            case _:  # PyCFunction_New, PyCFunction_NewEx, PyCMethod_New
                tables.wrap_method(arguments[0], module, wrap)

    def _wrap_in(self, module: Module) -> Callable[[int, str, bytes, int], None]:
        def wrap(place: int, name: str, letters: bytes, result: int) -> None:
            target = pointer(place)
            if (api := self.trampoline.apis.target_of(target)) is not None:
                set_pointer(place, api)  # CPython compares some of them with its own
            elif module.has_code_at(target):
                set_pointer(place, self._thunk(module, name, target, letters, result))

        return wrap

    def _thunk(self, module: Module, name: str, target: int, letters: bytes, result: int) -> int:
        key = target, name
        if key not in self._known:
            self._known[key] = self.trampoline.entries.add(target, letters, result)
            self.functions.append(Function(module, name, target))
        return self.trampoline.entries.address(self._known[key])


class Mapping(NamedTuple):
    """A line of the process's map."""

    start: int
    end: int
    flags: str
    path: str


def mappings() -> Iterator[Mapping]:
    """Yield what is mapped into the process (proc(5))."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            span, flags, _, _, _, *path = line.rstrip("\n").split(None, 5)
            start, end = (int(word, 16) for word in span.split("-"))
            yield Mapping(start, end, flags, "".join(path))


def _executable() -> Iterator[tuple[int, int]]:
    return ((each.start, each.end) for each in mappings() if "x" in each.flags)


def _mapped(path: str) -> int:
    """Return the lowest address at which the file is mapped."""
    real = os.path.realpath(path)
    return min(each.start for each in mappings() if each.path == real)
