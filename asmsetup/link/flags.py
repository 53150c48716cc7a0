"""Which words of LDFLAGS and extra_link_args are for the linker, as compiler drivers decide it.

People write them for a driver. What a driver keeps for itself is left out of a bare ld, as
`gcc -###` and `clang -###` show it (the tests compare); whatever no driver knows is taken for
one of ld's own words.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from ..errors import LinkError
from ..files import open_regular

_DRIVER_WORDS = frozenset(
    [
        *(
            "-pthread",
            "-pthreads",
            "-pipe",
            "-pie",
            "-no-pie",
            "-nopie",
            "-static-pie",
            "-pg",
            "-p",
        ),
        *("-shared", "-shared-libgcc", "-ansi", "-w", "-v", "-Q", "-dynamic", "-###", "-C", "-CC"),
        *("-nostdlib", "-nostdlib++", "-nodefaultlibs", "-nostartfiles", "-nolibc", "-nostdinc"),
        *("-nostdinc++", "--coverage", "-coverage", "-undef", "-remap", "-Qunused-arguments"),
        *("-no-canonical-prefixes", "-integrated-as", "-no-integrated-as", "-H", "-P", "--verbose"),
        *(
            "-rdynamic",
            "-symbolic",
            "-Qy",
            "-Qn",
            "-time",
            "-frtlib-add-rpath",
            "-print-search-dirs",
            "-pass-exit-codes",
        ),
    ]
)
_DRIVER_WORDS_WITH_ARGUMENT = frozenset(
    [
        *("-target", "--param", "-arch", "-include", "-imacros", "-isystem", "-idirafter"),
        *("-isysroot", "-iquote", "-iprefix", "-iwithprefix", "-iwithprefixbefore", "-imultilib"),
        *("-cxx-isystem", "-Xassembler", "-Xpreprocessor", "-Xclang", "-mllvm", "-resource-dir"),
        *("-wrapper", "-MF", "-MT", "-MQ", "-D", "-U", "-I", "-B", "-x", "-specs", "--specs"),
        *("-aux-info", "-dumpdir", "-dumpbase", "-dumpbase-ext", "-Xarch_host", "--config"),
        *("-gcc-toolchain", "--gcc-toolchain", "-ivfsoverlay", "-working-directory", "-o"),
    ]
)
_LD_WORDS_WITH_ARGUMENT = frozenset(
    [
        *("-z", "-l", "-L", "-T", "-u", "-e", "-h", "-m", "-R", "-rpath", "-rpath-link", "-soname"),
        *("-plugin", "-plugin-opt", "-init", "-fini", "-dynamic-linker", "-Map", "-script", "-y"),
        *("-version-script", "-dynamic-list", "-entry", "-defsym", "-wrap", "-unresolved-symbols"),
        *("-exclude-libs", "-section-start", "-oformat", "-output", "-retain-symbols-file", "-f"),
        # Apple's linker's, which some projects set for every system.
        *("-framework", "-undefined", "-install_name", "-current_version"),
    ]
)
"""With one hyphen; ld takes the longer ones with two as well."""
# Joined to what follows: -march=native, -Wall, -I/x, -flto=auto.
_DRIVER_PREFIXES = (
    *("-f", "-W", "-O", "-g", "-D", "-I", "-U", "-std=", "-specs=", "--specs=", "-x", "-M"),
    *(
        "-i",
        "-B",
        "-pedantic",
        "-traditional",
        "-print-",
        "-save-temps",
        "--save-temps",
        "-static-lib",
    ),
    *(
        "-rtlib=",
        "--rtlib=",
        "-unwindlib=",
        "--unwindlib=",
        "-stdlib=",
        "--stdlib=",
        "-Wa,",
        "-Wp,",
    ),
    *(
        "--param=",
        "--target=",
        "--gcc-toolchain=",
        "--gcc-install-dir=",
        "--gcc-triple=",
        "--config=",
    ),
    *("-no-canonical", "-dumpdir", "-dump", "-tune", "-A", "-resource-dir="),
    # The module's own comes last for a driver, and holds.
    *("-o", "-ld-path=", "--ld-path="),
)
# ld's own words that begin as a driver's, and which no driver takes in this spelling.
_LD_WORDS = (
    *("-Map", "-Bsymbolic", "-Bstatic", "-Bdynamic", "-Bgroup", "-Bno-symbolic", "-Bshareable"),
    *("-init=", "-fini=", "-melf", "-dynamic-list"),
)
_BEFORE_LDS = ("-Xlinker", "--for-linker")
"""The word that follows is for ld."""
_NOT_A_MODULE = {
    **dict.fromkeys(("-m32", "-mx32", "-m16"), "makes code that is not 64-bit"),
    **dict.fromkeys(
        ("-r", "-i", "-Ur", "--relocatable"), "asks for an object in the place of a module"
    ),
    **dict.fromkeys(("--help", "--version", "--target-help"), "has nothing linked"),
}
_DRIVERS_OTHER_WORK = frozenset(
    ("-c", "-###", "-fsyntax-only", "-dumpversion", "-dumpmachine", "-dumpspecs")
)
_OUTPUT = r"-o(?!format)|--output(=|$)"
"""For ld, which takes it in the place of the module's."""
_FOREIGN_TARGET = r"(?!x86_64|amd64)[\w.]+-[\w.-]+"


def for_ld(flags: Iterable[str]) -> list[str]:
    """Return flags written for a compiler driver (LDFLAGS) as plain ld takes them."""
    return list(_for_ld(_expanded(flags)))


def _for_ld(flags: Iterator[str]) -> Iterator[str]:
    for flag in flags:
        if flag.startswith("-Wl,"):
            yield from flag.split(",")[1:]
        elif flag in _BEFORE_LDS:
            yield from _next(flags)
        elif flag in _DRIVER_WORDS_WITH_ARGUMENT:
            _next(flags)
        elif flag == "-m":  # ld's emulation; a driver's -m... is one word
            yield from (flag, *_next(flags))
        elif not _is_for_driver(flag):
            yield flag


def _expanded(flags: Iterable[str], depth: int = 0) -> Iterator[str]:
    """Yield flags with the words of each file that is named as @file in its place."""
    for flag in flags:
        # A file may name itself.
        words = _in_file(flag[1:]) if flag.startswith("@") and depth < 10 else None
        if words is None:
            yield flag
        else:
            yield from _expanded(words, depth + 1)


def _in_file(path: str) -> list[str] | None:
    try:
        with open_regular(path) as file:
            return shlex.split(file.readall().decode(errors="surrogateescape"))
    except (OSError, ValueError):
        return None  # a driver takes it for a word like any other


def takes_an_argument(words: Sequence[str]) -> bool:
    """Return whether the word after these, with which an option begins, is its argument."""
    parts = [part for word in words if word not in _BEFORE_LDS for part in _linker_parts(word)]
    if words[-1] in _BEFORE_LDS:
        return True
    if len(parts) != 1:
        return False
    word = parts[0].removeprefix("-") if parts[0].startswith("--") else parts[0]
    return parts[0] in _DRIVER_WORDS_WITH_ARGUMENT or word in _LD_WORDS_WITH_ARGUMENT


def linker_named(flags: Iterable[str]) -> str | None:
    """Return the linker that a driver is asked to use (-fuse-ld=, --ld-path=), if any."""
    named = None
    for flag in flags:
        option, is_set, value = flag.partition("=")
        if is_set and option in ("-fuse-ld", "--ld-path"):
            named = value
    return named


def _next(flags: Iterator[str]) -> tuple[str, ...]:
    return tuple(flag for flag in (next(flags, None),) if flag is not None)


def _is_for_driver(flag: str) -> bool:
    if flag.startswith(_LD_WORDS):
        return False
    return flag in _DRIVER_WORDS or flag.startswith((*_DRIVER_PREFIXES, "-m"))


def require_possible(flags: Sequence[str], origin: str) -> None:
    """Raise LinkError for a word that cannot lead to a module; ``origin`` is where it stands."""
    flags = list(_expanded(flags))
    for before, flag in zip(("", *flags), flags, strict=False):
        is_for_ld = flag.startswith("-Wl,") or before in _BEFORE_LDS
        reasons = [_why_impossible(word, is_for_ld=is_for_ld) for word in _linker_parts(flag)]
        target = flag if before == "-target" else flag.partition("--target=")[2]
        if re.fullmatch(_FOREIGN_TARGET, target):
            flag = f"{before} {flag}" if before == "-target" else flag
            reasons = ["is another machine or system than x86-64 Linux"]
        if why := next(filter(None, reasons), None):
            raise LinkError(f"{origin} has `{flag}', which {why}", f"take it out of {origin}")


def _why_impossible(word: str, *, is_for_ld: bool) -> str | None:
    if is_for_ld and re.match(_OUTPUT, word):
        return "names another file than the module"
    if not is_for_ld and word in _DRIVERS_OTHER_WORK:
        return "has nothing linked"
    return _NOT_A_MODULE.get(word)


def asks_for_definitions(ld_args: Sequence[str]) -> bool:
    """Return whether every name must be defined at link time (-z defs), CPython's own included."""
    pairs = zip(ld_args, (*ld_args[1:], ""), strict=False)
    return any(
        word in ("--no-undefined", "-no-undefined", "-zdefs")
        or (word, following) == ("-z", "defs")
        or "unresolved-symbols=report-all" in (word.lstrip("-"), f"{word}={following}".lstrip("-"))
        for word, following in pairs
    )


_RUN_PATH = r"(?:-rpath|--rpath|-R)(?:=|$|(?=/|\$))"


def run_paths(words: Sequence[str]) -> set[str]:
    """Return the folders that the words of a link command add to a module's run path."""
    return {folder for _, folder in _run_path_words(words)}


def without_run_paths(words: Sequence[str], folders: set[str]) -> list[str]:
    """Return a driver's command without the words that add these folders to the run path."""
    dropped = {
        at for places, folder in _run_path_words(words) if folder in folders for at in places
    }
    kept: list[str] = []
    for index, word in enumerate(words):
        parts = _linker_parts(word)
        left = [part for at, part in enumerate(parts) if (index, at) not in dropped]
        if len(left) == len(parts):
            kept.append(word)
        elif left:
            kept.append(",".join(("-Wl", *left)))
        elif word != "-Wl" and kept and kept[-1] == "-Xlinker":
            kept.pop()
    return kept


def _linker_parts(word: str) -> list[str]:
    return word.split(",")[1:] if word.startswith("-Wl,") else [word]


def _run_path_words(words: Sequence[str]) -> Iterator[tuple[list[tuple[int, int]], str]]:
    """Yield (where the words stand, folder) of each run path, in whatever spelling."""
    parts = [
        ((index, at), part)
        for index, word in enumerate(words)
        if word != "-Xlinker"
        for at, part in enumerate(_linker_parts(word))
    ]
    for number, (place, part) in enumerate(parts):
        if found := re.match(_RUN_PATH, part):
            folder, places = part[found.end() :], [place]
            if not folder and number + 1 < len(parts):
                places.append(parts[number + 1][0])
                folder = parts[number + 1][1]
            for each in folder.split(":"):
                yield places, each
