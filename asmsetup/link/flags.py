"""Which words of LDFLAGS and extra_link_args are for the linker, as compiler drivers decide it.

People write them for a driver. What a driver keeps for itself is left out of a bare ld, as
`gcc -###` and `clang -###` show it (the tests compare); whatever no driver knows is taken for
one of ld's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..errors import LinkError

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
        *("-gcc-toolchain", "--gcc-toolchain", "-ivfsoverlay", "-working-directory"),
    ]
)
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
)
# ld's own words that begin as a driver's, and which no driver takes in this spelling.
_LD_WORDS = (
    *("-Map", "-Bsymbolic", "-Bstatic", "-Bdynamic", "-Bgroup", "-Bno-symbolic", "-Bshareable"),
    *("-init=", "-fini=", "-melf", "-dynamic-list"),
)
_NOT_A_MODULE = {
    **dict.fromkeys(("-m32", "-mx32", "-m16"), "makes code that is not 64-bit"),
    **dict.fromkeys(("-r", "-Ur", "--relocatable"), "asks for an object in the place of a module"),
}
_FOREIGN_TARGET = re.compile(r"(?!x86_64|amd64)[\w.]+-[\w.-]+")


def for_ld(flags: Iterable[str]) -> list[str]:
    """Return flags written for a compiler driver (LDFLAGS) as plain ld takes them."""
    return list(_for_ld(iter(flags)))


def _for_ld(flags: Iterator[str]) -> Iterator[str]:
    for flag in flags:
        if flag.startswith("-Wl,"):
            yield from flag.split(",")[1:]
        elif flag in ("-Xlinker", "--for-linker"):
            yield from _next(flags)
        elif flag in _DRIVER_WORDS_WITH_ARGUMENT:
            _next(flags)
        elif flag == "-m":  # ld's emulation; a driver's -m... is one word
            yield from (flag, *_next(flags))
        elif not _is_for_driver(flag):
            yield flag


def _next(flags: Iterator[str]) -> tuple[str, ...]:
    return tuple(flag for flag in (next(flags, None),) if flag is not None)


def _is_for_driver(flag: str) -> bool:
    if flag.startswith(_LD_WORDS):
        return False
    return flag in _DRIVER_WORDS or flag.startswith((*_DRIVER_PREFIXES, "-m"))


def require_possible(flags: Sequence[str], origin: str) -> None:
    """Raise LinkError for a word that cannot lead to a module; ``origin`` is where it stands."""
    for index, flag in enumerate(flags):
        words = flag.split(",")[1:] if flag.startswith("-Wl,") else [flag]
        for word in words:
            why = _NOT_A_MODULE.get(word)
            if flag.startswith("--target=") or (flag == "-target" and flags[index + 1 :]):
                target = flag.partition("=")[2] or flags[index + 1]
                if _FOREIGN_TARGET.fullmatch(target):
                    why = "is another machine or system than x86-64 Linux"
            if why is not None:
                raise LinkError(f"{origin} has `{flag}', which {why}", f"take it out of {origin}")


def asks_for_definitions(ld_args: Sequence[str]) -> bool:
    """Return whether every name must be defined at link time (-z defs), CPython's own included."""
    pairs = zip(ld_args, (*ld_args[1:], ""), strict=True)
    return any(
        word in ("--no-undefined", "-no-undefined", "-zdefs") or (word, following) == ("-z", "defs")
        for word, following in pairs
    )


_RUN_PATH = re.compile(r"(?:-rpath|--rpath|-R)(?:=|$|(?=/|\$))")


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
        if found := _RUN_PATH.match(part):
            folder, places = part[found.end() :], [place]
            if not folder and number + 1 < len(parts):
                places.append(parts[number + 1][0])
                folder = parts[number + 1][1]
            for each in folder.split(":"):
                yield places, each
