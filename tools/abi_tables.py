"""The names that each target of python.inc has and lacks, from what was read in the headers.

Pure: texts in, tables out. The facts of each ABI are kept as text under tools/abi/,
so that one new header does not need all the others at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from asmsetup.versions import ABI3T_SINCE, FREE_THREADED_SINCE, VERSIONS
from tools.abi_probe import ABI_VERSION, Abi, Version

Defines = dict[str, str]


def dotted(version: Version) -> str:
    return "{}.{}".format(*version)


LIMITED_VERSIONS = tuple(map(dotted, VERSIONS))
FULL_TARGETS = (
    *LIMITED_VERSIONS,
    *(f"{dotted(each)}t" for each in VERSIONS if each >= FREE_THREADED_SINCE),
)
# CPython carries a list of its stable ABI from 3.11 on (in its test-suite).
LISTED_VERSIONS = LIMITED_VERSIONS[1:]
# Facts of the limited API are kept under these names; the last are abi3t (PEP 803).
LIMITED_FACTS = (
    *(f"{version}-limited" for version in LIMITED_VERSIONS),
    *(f"{dotted(each)}t-limited" for each in VERSIONS if each >= ABI3T_SINCE),
)
UNIVERSAL = "universal"

# Declared by python.inc itself; the others wait in python/more.inc, for whom
# they are worth their price.
STRUCTS = frozenset(
    (
        "PyObject",
        "PyVarObject",
        "PyMethodDef",
        "PyModuleDef_Base",
        "PyModuleDef",
        "PyModuleDef_Slot",
        "PyType_Slot",
        "PyType_Spec",
        "PyMemberDef",
        "PyGetSetDef",
        "Py_buffer",
        "PyTypeObject",
        "PyNumberMethods",
        "PySequenceMethods",
        "PyMappingMethods",
        "PyAsyncMethods",
        "PyBufferProcs",
        "PyHeapTypeObject",
        "PyLongObject",
        "PyFloatObject",
        "PyComplexObject",
        "Py_complex",
        "PyTupleObject",
        "PyListObject",
        "PyBytesObject",
        "PyByteArrayObject",
        "PyASCIIObject",
        "PyCompactUnicodeObject",
        "PyUnicodeObject",
        "PyDictObject",
        "PySetObject",
        "PySliceObject",
        "PyCFunctionObject",
        "PyCMethodObject",
        "PyMemoryViewObject",
        "PyCellObject",
        "PyMethodObject",
        "PyBaseExceptionObject",
        "PyWeakReference",
        "PyMutex",
        "PyCriticalSection",
        "PyCriticalSection2",
        "PyStructSequence_Field",
        "PyStructSequence_Desc",
        "PySlot",
        "PyABIInfo",
    )
)
CONSTANTS = re.compile(
    r"METH_|Py_TPFLAGS_|Py_TP_USE_SPEC|Py_(?:am|bf|mod|mp|nb|slot|sq|tp)_|Py_MOD_|PyBUF_|_?Py_T_|T_"
    r"|Py_CONSTANT_|PySlot_|PyABIInfo_|PYGEN_|Py_ASNATIVEBYTES_|Py_(?:LT|LE|EQ|NE|GT|GE)$"
    r"|PyLong_(?:SHIFT|BASE|MASK)$|_PyLong_|PyUnicode_\dBYTE_KIND$|PY_SSIZE_T_M|PYTHON_A.I_VERSION$"
    r"|PY_VECTORCALL_ARGUMENTS_OFFSET$|Py_(?:eval|file|single)_input$|PyGILState_|Py_PRINT_RAW$"
    r"|READ|RESTRICTED|WRITE_RESTRICTED|P[Yy]_AUDIT_READ|PY_WRITE_RESTRICTED|Py_READONLY"
    r"|Py_RELATIVE_OFFSET|Py_CLEANUP_SUPPORTED|SSTATE_|_Py_\w*IMMORTAL|_Py_REF_|NULL$"
)
HEXADECIMAL = re.compile(
    r"METH_|Py_TPFLAGS_|PyBUF_|Py_PRINT|.*IMMORTAL|PY_VECTORCALL|PyABIInfo_DEFAULT_ABI"
)
# In the limited API, but of another size in a free-threaded build.
OPEN_STRUCTS = frozenset(("PyObject", "PyVarObject", "PyModuleDef_Base", "PyModuleDef"))
# Numbers that older versions understand, under the names of 3.12 (types of PyMember) and of
# 3.13 (PyModuleSlot leaves out what a version lacks): every target has them.
UNDERSTOOD = re.compile(r"Py_T_|Py_MOD_\w*(?:GIL|INTERPRETERS)|Py_READONLY$|Py_AUDIT_READ$")
# The features of PyDispatch, from bit 0 on; python/dispatch.inc says where CPUID tells of each.
FEATURES = (
    *("SSE3", "PCLMULQDQ", "SSSE3", "SSE41", "SSE42", "MOVBE", "POPCNT", "AES", "SHA", "BMI1"),
    *("BMI2", "ADX", "GFNI"),
    # Needs the operating system to save the YMM registers, too,
    *("FMA", "AVX", "F16C", "AVX2", "VAES", "VPCLMULQDQ"),
    # and the ZMM and mask registers.
    *("AVX512F", "AVX512DQ", "AVX512IFMA", "AVX512CD", "AVX512BW", "AVX512VL", "AVX512VBMI"),
    *("AVX512VBMI2", "AVX512VNNI", "AVX512BITALG", "AVX512VPOPCNTDQ"),
)
# What the inline reference counting of the headers calls, besides the stable ABI.
HELPERS = frozenset(("_Py_MergeZeroLocalRefcount", "_Py_DecRefShared"))


# Facts: one ABI as text.


def dump(abi: Abi) -> str:
    """The facts of one ABI, one a line, sorted: what is committed under tools/abi/."""
    lines = [f"release {abi.release}"]
    lines += [f"struct {name} {size}" for name, size in sorted(abi.sizes.items())]
    lines += [f"field {name} {at} {width}" for name, (at, width) in sorted(abi.fields.items())]
    lines += [f"bits {name} {at} {width}" for name, (at, width) in sorted(abi.bits.items())]
    lines += [f"constant {name} {value}" for name, value in sorted(abi.constants.items())]
    lines += [f"alias {name} {target}" for name, target in sorted(abi.aliases.items())]
    lines += [f"function {name}" for name in sorted(abi.functions)]
    lines += [f"data {name}" for name in sorted(abi.data)]
    lines += [f"public {name}" for name in sorted(abi.public)]
    lines += [f"debug {name}" for name in sorted(abi.debug_only)]
    return "\n".join(lines) + "\n"


def load(text: str) -> Abi:
    """The inverse of `dump`."""
    abi = Abi("")
    for line in text.splitlines():
        kind, name, *values = line.split()
        numbers = [int(value) for value in values if kind != "alias"]
        if kind == "release":
            abi.release = name
        elif kind == "struct":
            abi.sizes[name] = numbers[0]
        elif kind == "field":
            abi.fields[name] = (numbers[0], numbers[1])
        elif kind == "bits":
            abi.bits[name] = (numbers[0], numbers[1])
        elif kind == "constant":
            abi.constants[name] = numbers[0]
        elif kind == "alias":
            abi.aliases[name] = values[0]
        else:
            name_sets = {
                "function": abi.functions,
                "data": abi.data,
                "public": abi.public,
                "debug": abi.debug_only,
            }
            name_sets[kind].add(name)
    return abi


# The stable ABI.


def stable_since(
    lists: Mapping[Version, Collection[str]], facts: Mapping[str, Abi]
) -> dict[str, Version]:
    """When each name entered the stable ABI; (3, 10) stands for then or before.

    `lists` are the names in each version's own list, the first being that of 3.11.
    The headers of 3.10 show what is older, under the limited API, and where
    the headers of 3.11 declare nothing (names for old binaries), by its library.
    """
    since: dict[str, Version] = {}
    for version in sorted(lists):
        for name in lists[version]:
            since.setdefault(name, version)
    in_3_10 = facts["3.10-limited"].public
    exported = facts["3.10"].functions | facts["3.10"].data
    undeclared = set(lists[3, 11]) - facts["3.11-limited"].public
    for name in since:
        if name in in_3_10 or name in undeclared & exported:
            since[name] = (3, 10)
    return since


def version_of(name: str) -> Version:
    """Return the version of `3.13`, `3.13t` or `3.13-limited`."""
    major, minor = re.findall(r"\d+", name)[:2]
    return int(major), int(minor)


# Targets: what a module is assembled for.


@dataclass
class Target:
    """The definitions that NASM reads when it assembles for one ABI.

    `defines` are there from the start, `more` and `widths` on demand; `names` are
    declared EXTERN.
    """

    name: str
    file: str
    title: str
    defines: Defines
    more: Defines
    widths: Defines
    names: set[str]
    debug_names: set[str]
    is_limited: bool = False


def full_target(name: str, abi: Abi, since: Mapping[str, Version]) -> Target:
    version = version_of(name)
    exported = abi.functions | abi.data
    defines = defines_of(abi, is_core) | abi.aliases
    if ABI_VERSION in defines:
        defines[ABI_VERSION] = "PY_VERSION_HEX"
    return Target(
        name=name,
        file="cp" + name.replace(".", ""),
        title=f"CPython {version[0]}.{version[1]}{', free-threaded' * name.endswith('t')}",
        defines=defines,
        more=defines_of(abi, lambda name: not is_core(name)),
        widths=widths_of(abi),
        names=abi.public | (exported & (since.keys() | HELPERS)),
        debug_names=abi.debug_only,
    )


def limited_target(name: str, abi: Abi, since: Mapping[str, Version], aliases: Defines) -> Target:
    version = version_of(name)
    kind = "abi3t" if "t-" in name else "abi3"
    return Target(
        name=name,
        file=f"{kind}-{version[0]}{version[1]}",
        title=f"the limited API of CPython {version[0]}.{version[1]} ({kind})",
        defines=defines_of(abi, is_core) | aliases,
        more=defines_of(abi, lambda name: not is_core(name)),
        widths=widths_of(abi),
        names={name for name, first in since.items() if first <= version},
        debug_names=set(),
        is_limited=True,
    )


_ACCEPTED_OLD = re.compile(r"Py_(mod|bf|mp)_")


def universal_target(
    facts: Mapping[str, Abi], since: Mapping[str, Version], aliases: Defines
) -> Target:
    """One module for every CPython from 3.10: what is the same everywhere.

    Slots come with the number of the oldest version that has them, which all later versions
    accept (3.15 too, in a PyModuleDef or PyType_Spec); other constants that differ do not.
    """
    merged = Abi("")
    for name in reversed(LIMITED_FACTS):
        merged.constants |= facts[name].constants
        merged.sizes |= facts[name].sizes
        merged.fields |= facts[name].fields
    merged.constants = {
        name: value
        for name, value in merged.constants.items()
        if _ACCEPTED_OLD.match(name)
        or all(facts[one].constants.get(name, value) == value for one in LIMITED_FACTS)
    }
    sizes_seen = {
        struct: {abi.sizes[struct] for abi in facts.values() if struct in abi.sizes}
        for struct in merged.sizes
    }
    merged.sizes = {name: n for name, n in merged.sizes.items() if len(sizes_seen[name]) == 1}
    merged.fields = {
        name: field for name, field in merged.fields.items() if struct_of(name) in merged.sizes
    }
    target = limited_target(LIMITED_FACTS[0], merged, since, aliases)
    # Names that every one of them exports and that have become stable count from the start.
    everywhere = set.intersection(*(facts[one].functions | facts[one].data for one in FULL_TARGETS))
    return replace(
        target,
        name=UNIVERSAL,
        file=UNIVERSAL,
        title="every CPython from 3.10 on",
        names=since.keys() & everywhere,
    )


def version_hex(version: Version) -> str:
    """As PY_VERSION_HEX and Py_LIMITED_API have it."""
    return f"0x{version[0]:02x}{version[1]:02x}0000"


def struct_of(name: str) -> str:
    return name.split(".")[0]


def is_core(name: str) -> bool:
    """Return whether python.inc declares a struct or a constant that no source mentions."""
    return name in STRUCTS or bool(CONSTANTS.match(name))


def defines_of(abi: Abi, wanted: Callable[[str], bool]) -> Defines:
    """Constants, then struct by struct the fields in their order and the size."""
    defines = {
        name: spell(name, value) for name, value in sorted(abi.constants.items()) if wanted(name)
    }
    for struct, size in sorted(abi.sizes.items()):
        if not wanted(struct):
            continue
        members = [(at, name) for name, (at, _) in abi.fields.items() if struct_of(name) == struct]
        defines |= {name: str(at) for at, name in sorted(members)}
        for name, (shift, width) in sorted(abi.bits.items(), key=lambda item: item[1]):
            if struct_of(name) == struct:
                defines[f"{name}_shift"] = str(shift)
                defines[f"{name}_mask"] = hex(((1 << width) - 1) << shift)
        defines[f"{struct}_size"] = str(size)
    return defines


def spell(name: str, value: int) -> str:
    if HEXADECIMAL.match(name) and not -10 < value < 10:
        return f"0x{value & (1 << 64) - 1:x}"
    return str(value)


def widths_of(abi: Abi) -> Defines:
    return {f"{name}_width": str(width) for name, (_, width) in sorted(abi.fields.items())}


# What a target lacks, and the sentence that says so.


def absence(name: str, target: Target, having: Iterable[str], since: Mapping[str, Version]) -> str:
    """The definition of `name` for a `target` that lacks it, while those called `having` have it.

    It is a macro of DIRECTIVES, which makes an undefined symbol of the name and the
    reason; nasm prints that at the user's line. In `%??` NASM has the name itself.
    """
    if target.is_limited:
        limited = [version_of(one) for one in having if one in LIMITED_FACTS]
        if name in since:
            return because("since", since[name])
        if struct_of(name).removesuffix("_size") in OPEN_STRUCTS and target.file == UNIVERSAL:
            return because("varies")
        promised = (3, 10) if target.file == UNIVERSAL else version_of(target.name)
        if limited and min(limited) > promised:
            return because("since", min(limited))
        if limited and target.file == UNIVERSAL:
            return because("varies")
        return because("outside")
    version, threaded = version_of(target.name), target.name.endswith("t")
    full = [one for one in having if one in FULL_TARGETS]
    alike = sorted(version_of(one) for one in full if one.endswith("t") == threaded)
    if not alike:
        return because("not_threaded" if threaded else "threaded_only")
    if alike[0] > version:
        return because("new", alike[0])
    return because("last", alike[-1])


def because(reason: str, version: Version | None = None) -> str:
    return (
        f"_py_{reason}(%??)" if version is None else f"_py_{reason}(%??,{version[0]}.{version[1]})"
    )


def absences(
    tables: Mapping[str, Collection[str]],
    targets: Mapping[str, Target],
    since: Mapping[str, Version],
) -> dict[str, Defines]:
    """By target: each name that another target has, defined as an error."""
    having: dict[str, list[str]] = {}
    for target in targets.values():
        for name in tables[target.file]:
            having.setdefault(name, []).append(target.name)
    return {
        file: {
            name: absence(name, target, having[name], since)
            for name in sorted(having.keys() - set(tables[file]))
        }
        for file, target in targets.items()
    }


# Layers: what many targets share is written once.


def make_targets(facts: Mapping[str, Abi], since: Mapping[str, Version]) -> dict[str, Target]:
    aliases = [set(facts[name].aliases.items()) for name in FULL_TARGETS]
    everywhere = dict(sorted(set.intersection(*aliases)))
    everywhere_defined = sizes_of_both_builds(facts) | additions(facts)
    targets = [full_target(name, facts[name], since) for name in FULL_TARGETS]
    targets += [limited_target(name, facts[name], since, everywhere) for name in LIMITED_FACTS]
    targets.append(universal_target(facts, since, everywhere))
    for target in targets:
        target.defines |= everywhere_defined
    return {target.file: target for target in targets}


def sizes_of_both_builds(facts: Mapping[str, Abi]) -> Defines:
    """Sizes with the GIL and without, for a module that holds an object of each kind."""
    defines = {}
    for struct in sorted(OPEN_STRUCTS):
        for prefix, free_threaded in (("GIL", False), ("FT", True)):
            names = [name for name in FULL_TARGETS if name.endswith("t") == free_threaded]
            (size,) = {facts[name].sizes[struct] for name in names}
            defines[f"PY__{prefix}_{struct}_size"] = str(size)
    return defines


def additions(facts: Mapping[str, Abi]) -> Defines:
    """Return the names that every target has besides those of its own headers."""
    constants = facts[FULL_TARGETS[len(LIMITED_VERSIONS) - 1]].constants
    defines = {
        name: spell(name, value)
        for name, value in sorted(constants.items())
        if UNDERSTOOD.match(name)
    }
    return defines | {f"PyCPU_{name}": hex(1 << bit) for bit, name in enumerate(FEATURES)}


def choose(table: Defines, wanted: Callable[[str], bool]) -> Defines:
    return {name: value for name, value in table.items() if wanted(name)}
