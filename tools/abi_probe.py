"""Read one CPython's ABI out of its headers and its library, with gcc and the ELF symbol table.

What comes out is an `Abi`: struct layouts, integer constants, exported names. What
becomes of it is decided in abi_tables.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from elftools.dwarf.die import DIE
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section, SymbolTableSection

from tools.matrix.interpreters import Interpreter

Version = tuple[int, int]

# Headers that Python.h does not include but extensions do. The second group
# declares nothing under the limited API.
HEADERS = ("Python.h", "structmember.h")
FULL_API_HEADERS = ("frameobject.h", "datetime.h", "marshal.h", "structseq.h", "longintrepr.h")

# Object-like macros and enumerators that may be constants of the ABI.
CONSTANT_NAME = re.compile(
    r"(?:Py|PY|METH_|T_[A-Z]|CO_|SSTATE_|_Py_T_|_Py_\w*IMMORTAL|_Py_REF_|_PyLong_"
    r"|READONLY$|READ_RESTRICTED$|RESTRICTED$|WRITE_RESTRICTED$|NULL$|WAIT_LOCK$|NOWAIT_LOCK$)"
)
# These say which ABI is meant; python.inc has them from its user.
TARGET_MACROS = {"Py_LIMITED_API", "Py_TARGET_ABI3T", "Py_GIL_DISABLED", "Py_DEBUG", "Py_REF_DEBUG"}
# For programs that embed Python; and a debug build has one member more.
FOR_EMBEDDING = ("PyConfig", "PyPreConfig")
# Differ from one machine or patch release to the next, so no part of an ABI.
MACHINE_HEADERS = ("pyconfig.h", "patchlevel.h")
# PY_VERSION_HEX, where the API is not limited; kept without the patch release.
ABI_VERSION = "PyABIInfo_DEFAULT_ABI_VERSION"


@dataclass
class Abi:
    """The ABI that a module compiled for one kind of CPython may rely on.

    `sizes` and `fields` are in bytes, by struct and by `struct.member`; a field
    is (offset, width). `bits` gives (shift, width) of a bit-field within the
    innermost named member that holds it. `functions` and `data` are what the library
    exports, `public` those of them that are API. Of a limited API, `public` are all
    names its headers declare; the library is not asked.
    """

    release: str
    sizes: dict[str, int] = field(default_factory=dict)
    fields: dict[str, tuple[int, int]] = field(default_factory=dict)
    bits: dict[str, tuple[int, int]] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    data: set[str] = field(default_factory=set)
    public: set[str] = field(default_factory=set)
    debug_only: set[str] = field(default_factory=set)


def exported_names(path: Path) -> dict[str, str]:
    """Defined dynamic symbols of an ELF file: name to `STT_FUNC`, `STT_OBJECT` ..."""
    with path.open("rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return {}
        symbols = ELFFile(stream).get_section_by_name(".dynsym")
        if not isinstance(symbols, SymbolTableSection):
            return {}
        return {
            symbol.name: symbol["st_info"]["type"]
            for symbol in symbols.iter_symbols()
            if symbol["st_shndx"] != "SHN_UNDEF" and symbol.name
        }


@dataclass(frozen=True)
class Compiler:
    """gcc with the headers of one interpreter and the macros of one ABI."""

    include: Path
    macros: tuple[str, ...] = ()

    def run(self, *options: str, source: str) -> subprocess.CompletedProcess[str]:
        command = [
            *("gcc", "-x", "c", "-w", "-fmax-errors=0", f"-I{self.include}"),
            # Debian's pyconfig.h includes the one of the architecture beside it.
            *("-idirafter", str(self.include.parent)),
            *(f"-D{macro}" for macro in self.macros),
            *options,
            "-",
        ]
        return subprocess.run(command, input=source, capture_output=True, text=True, check=False)

    def preprocess(self, *options: str, source: str) -> str:
        result = self.run("-E", *options, source=source)
        result.check_returncode()
        return result.stdout


def c_includes(include: Path, limited: bool) -> str:
    names = HEADERS if limited else HEADERS + FULL_API_HEADERS
    return "".join(f"#include <{name}>\n" for name in names if (include / name).is_file())


def probe(interpreter: Interpreter, free_threaded: bool, limited: Version | None) -> Abi:
    """The ABI a module sees that is compiled with the headers of `interpreter`.

    `free_threaded` may be asked of GIL headers too: they are the same files, told
    by Py_GIL_DISABLED; what the library exports is then what its headers declare.
    """
    macros = ("Py_GIL_DISABLED=1",) if free_threaded and not limited else ()
    if limited:
        name = "Py_TARGET_ABI3T" if free_threaded else "Py_LIMITED_API"
        macros = (f"{name}=0x{limited[0]:02x}{limited[1]:02x}0000",)
    compiler = Compiler(interpreter.include_dir, macros)
    headers = c_includes(interpreter.include_dir, limited is not None)
    abi = Abi(".".join(map(str, interpreter.version)))
    read_layouts(compiler, headers, abi)
    abi.constants = read_constants(compiler, headers)
    if ABI_VERSION in abi.constants:
        abi.constants[ABI_VERSION] &= ~0xFFFF
    if limited:
        abi.public = declared_names(compiler, headers)
    else:
        read_symbols(interpreter, compiler, headers, free_threaded, abi)
        abi.aliases = read_aliases(compiler, headers, abi)
    return abi


# Layouts, from the debugging information gcc writes for every type it has seen.


def read_layouts(compiler: Compiler, headers: str, abi: Abi) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "types.o"
        options = ("-g", "-gdwarf-4", "-fno-eliminate-unused-debug-types", "-c", "-o", str(path))
        compiler.run(*options, source=headers).check_returncode()
        with path.open("rb") as stream:
            for unit in ELFFile(stream).get_dwarf_info().iter_CUs():
                read_structs(list(unit.iter_DIEs()), abi)


def read_structs(entries: list[DIE], abi: Abi) -> None:
    structs = {
        name_of(entry): strip(entry)
        for entry in entries
        if entry.tag == "DW_TAG_typedef" and name_of(entry).startswith("Py")
    }
    # Members of Py_complex are so few that C, too, names them through the whole path.
    known = {s.offset for name, s in structs.items() if is_complete(s) and name != "Py_complex"}
    for name, struct in structs.items():
        if is_complete(struct) and name not in FOR_EMBEDDING:
            abi.sizes[name] = struct.attributes["DW_AT_byte_size"].value
            read_members(struct, 0, name, known, abi)


def read_members(struct: DIE, base: int, prefix: str, known: set[int], abi: Abi) -> None:
    for member in struct.iter_children():
        if member.tag != "DW_TAG_member":
            continue
        if "DW_AT_bit_size" in member.attributes:
            read_bit_field(member, prefix, abi)
            continue
        location = member.attributes.get("DW_AT_data_member_location")
        offset = base + (location.value if location else 0)
        held = strip(member)
        if not name_of(member):  # an anonymous struct or union adds no name in C either
            read_members(held, offset, prefix, known, abi)
            continue
        name = f"{prefix}.{name_of(member)}"
        abi.fields[name] = (offset, size_of(held))
        # The members of a struct with a name of its own are found under that name.
        if is_complete(held) and held.offset not in known:
            read_members(held, offset, name, known, abi)


def read_bit_field(member: DIE, prefix: str, abi: Abi) -> None:
    attributes = member.attributes
    width = attributes["DW_AT_bit_size"].value
    if "DW_AT_data_bit_offset" in attributes:
        shift = attributes["DW_AT_data_bit_offset"].value
    else:  # DWARF 4 counts from the most significant bit of the storage unit
        unit = attributes["DW_AT_byte_size"].value * 8
        first = attributes["DW_AT_data_member_location"].value * 8
        shift = first + unit - attributes["DW_AT_bit_offset"].value - width
    if name_of(member):
        abi.bits[f"{prefix}.{name_of(member)}"] = (shift, width)


def name_of(entry: DIE) -> str:
    attribute = entry.attributes.get("DW_AT_name")
    return attribute.value.decode() if attribute else ""


def strip(entry: DIE) -> DIE:
    """The type of `entry` without typedefs and qualifiers; `entry` itself if it is void."""
    while "DW_AT_type" in entry.attributes:
        entry = entry.get_DIE_from_attribute("DW_AT_type")
        if entry.tag not in (
            "DW_TAG_typedef",
            "DW_TAG_const_type",
            "DW_TAG_volatile_type",
            "DW_TAG_atomic_type",
        ):
            break
    return entry


def is_complete(entry: DIE) -> bool:
    is_struct = entry.tag in ("DW_TAG_structure_type", "DW_TAG_union_type")
    return is_struct and "DW_AT_byte_size" in entry.attributes


def size_of(entry: DIE) -> int:
    """Size in bytes; of a flexible array, the size of one element."""
    if entry.tag != "DW_TAG_array_type":
        size: int = entry.attributes["DW_AT_byte_size"].value
        return size
    size = size_of(strip(entry))
    for bound in entry.iter_children():
        if "DW_AT_upper_bound" in bound.attributes:
            size *= bound.attributes["DW_AT_upper_bound"].value + 1
    return size


# Constants: gcc says which macros and enumerators are integers, and their values.


def read_constants(compiler: Compiler, headers: str) -> dict[str, int]:
    macros = object_macros(compiler, headers)
    enumerators = re.findall(r"\b[A-Za-z_]\w*\b", " ".join(enum_bodies(compiler, headers)))
    names = sorted(name for name in {*macros, *enumerators} if CONSTANT_NAME.match(name))
    return evaluate(compiler, headers, names)


def enum_bodies(compiler: Compiler, headers: str) -> list[str]:
    return re.findall(r"\benum\b[^;{]*\{([^}]*)\}", compiler.preprocess("-P", source=headers))


def object_macros(compiler: Compiler, headers: str) -> dict[str, str]:
    """Macros without parameters that the Python headers define: name to body."""
    machine = {
        name
        for header in MACHINE_HEADERS
        for name in re.findall(
            r"^#\s*(?:define|undef)\s+(\w+)",
            compiler.preprocess("-dD", source=f"#include <{header}>\n"),
            re.MULTILINE,
        )
        if name != "NULL" and not name.startswith("PYTHON_")
    }
    text = compiler.preprocess("-dM", source=headers)
    macros = dict(re.findall(r"^#define (\w+) (.+)$", text, re.MULTILINE))
    return {name: body for name, body in macros.items() if name not in machine | TARGET_MACROS}


def function_macros(compiler: Compiler, headers: str) -> set[str]:
    """Macros with parameters."""
    text = compiler.preprocess("-dM", source=headers)
    return set(re.findall(r"^#define (\w+)\(", text, re.MULTILINE))


def evaluate(compiler: Compiler, headers: str, names: list[str]) -> dict[str, int]:
    """The names that are integer constants, with their values."""
    while True:
        lines = [headers.count("\n") + index for index in range(1, len(names) + 1)]
        source = headers + "".join(f"enum {{ py_{name} = {integer(name)} }};\n" for name in names)
        # Preprocessed first, so that an error stands at the line of the name, not of its macro.
        result = compiler.run("-fsyntax-only", source=compiler.preprocess(source=source))
        wrong = {int(n) for n in re.findall(r"^<stdin>:(\d+):\d+: error", result.stderr, re.M)}
        if not wrong:
            result.check_returncode()
            break
        names = [name for name, line in zip(names, lines, strict=True) if line not in wrong]
    values = ", ".join(integer(name) for name in names)
    source += f"const long long py_values[] = {{ {values} }};\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.o"
        compiler.run("-c", "-o", str(path), source=source).check_returncode()
        return dict(zip(names, read_integers(path), strict=True))


def integer(name: str) -> str:
    """An expression that is a constant if `name` is an integer or a constant pointer."""
    floats = "".join(f"{kind}: (void)0, " for kind in ("float", "double", "long double"))
    return f"_Generic(({name}), {floats}default: (long long)({name}))"


def read_integers(path: Path) -> list[int]:
    with path.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".rodata")
        assert isinstance(section, Section)
        data = section.data()
    return [
        int.from_bytes(data[at : at + 8], "little", signed=True) for at in range(0, len(data), 8)
    ]


# Exported names.


def read_symbols(
    interpreter: Interpreter, compiler: Compiler, headers: str, free_threaded: bool, abi: Abi
) -> None:
    """Public names are those that the headers declare and the library exports, be the
    declaration hidden by a macro, as that of Py_CompileStringFlags is up to 3.13.

    The rest is private: it is recorded, because modules use it all the same, but
    may be gone in the next version. PyInit_ of the built-in modules is not even that.
    """
    exported = exported_names(interpreter.library)
    declared = declared_names(compiler, headers)
    documented = declared | function_macros(compiler, headers)
    if free_threaded and not interpreter.free_threaded:
        exported = guess_free_threaded_exports(interpreter, exported, declared, headers)
    for name, kind in exported.items():
        if re.match(r"_?Py(?!Init_)|PY_", name):
            (abi.data if kind == "STT_OBJECT" else abi.functions).add(name)
            if name in documented and name.startswith("Py"):
                abi.public.add(name)
    of_debug_build = Compiler(compiler.include, (*compiler.macros, "Py_DEBUG=1"))
    abi.debug_only = {
        name for name in declared_names(of_debug_build, headers) - declared if name[:3] == "_Py"
    }


def guess_free_threaded_exports(
    interpreter: Interpreter, exported: dict[str, str], declared: set[str], headers: str
) -> dict[str, str]:
    """Return the exports of a free-threaded library, as far as headers and the one with a GIL show them."""
    with_gil = declared_names(Compiler(interpreter.include_dir), headers)
    kept = {
        name: kind for name, kind in exported.items() if name in declared or name not in with_gil
    }
    return kept | dict.fromkeys(declared - with_gil, "STT_FUNC")


def declared_names(compiler: Compiler, headers: str) -> set[str]:
    """Names declared PyAPI_FUNC or PyAPI_DATA."""
    text = compiler.preprocess("-P", source=headers)
    return set(iter_declared(text))


def iter_declared(text: str) -> Iterator[str]:
    mark = r'__attribute__\s*\(\(visibility\s*\("default"\)\)\)'
    for declaration in re.findall(rf"{mark}([^;{{]*)", text):
        # the name of a function stands before its parameters; of data, at the end
        head = re.sub(r"__attribute__\s*\(\(.*?\)\)(?:\)|)", " ", declaration, flags=re.DOTALL)
        match = re.search(r"(_?Py\w+)\s*\)*\s*(?:\(|\[|$)", head.strip())
        if match:
            yield match[1]


def read_aliases(compiler: Compiler, headers: str, abi: Abi) -> dict[str, str]:
    """Macros that are another name of an exported symbol, such as Py_None of _Py_NoneStruct."""
    exported = abi.functions | abi.data
    aliases = {}
    for name, body in object_macros(compiler, headers).items():
        target = re.sub(r"[()&*\s]|_PyObject_CAST\b|PyObject\b", "", body)
        if name.startswith("Py") and name not in exported and target in exported:
            aliases[name] = target
    return aliases


# The stable ABI, from the list each CPython carries in its own test-suite.


def read_stable_list(path: Path) -> set[str]:
    """The names in a CPython's test_stable_abi_ctypes.py that exist on a release build on Linux."""
    tree = ast.parse(path.read_text())
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and name_assigned(node) == "SYMBOL_NAMES":
            names |= set(ast.literal_eval(node.value))
        elif isinstance(node, ast.If) and re.search(
            "HAVE_FORK|THREAD_NATIVE_ID", ast.unparse(node.test)
        ):
            names |= {name for part in node.body for name in strings_in(part)}
    return names


def name_assigned(node: ast.Assign) -> str:
    target = node.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def strings_in(node: ast.AST) -> Iterable[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
