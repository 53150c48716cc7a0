"""LDFLAGS: what a driver passes to its linker goes to ld, and nothing else, as drivers themselves show."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from asmsetup.link import flags

# Each is given to both compilers where they take it.
WORDS = r"""
--coverage
-coverage
-pie
-no-pie
-static-pie
-target x86_64-linux-gnu
--target=x86_64-linux-gnu
-Wl,-z,now
-Wl,-z,pack-relative-relocs
-Wl,-O1,--sort-common,--as-needed
-Wl,-Bsymbolic-functions
-Wl,-rpath,/opt/lib
-Wl,-rpath=$ORIGIN/lib
-Xlinker -Map=x,y
-L/opt/lib
-L /opt/lib
-lz
-l z
-u name
-z now
-s
-T x.ld
-rdynamic
-symbolic
-shared
-shared-libgcc
-static-libgcc
-static-libstdc++
-static-libasan
-pthread
-pipe
-pg
-p
-m64
-mavx2
-march=native
-mtune=generic
-O2
-g
-g3
-gdwarf-5
-Wall
-Werror=format-security
-w
-ansi
-pedantic
-std=c11
-x none
-D NAME
-DNAME=1
-U NAME
-I /opt/include
-I/opt/include
-isystem /opt/include
-idirafter /opt/include
-iquote /opt/include
-include x.h
-isysroot /opt
-MD
-MF x.d
-MMD
-B/opt/bin
-B /opt/bin
-Xassembler -g
-Xpreprocessor -DX
-Wa,--noexecstack
-Wp,-DX
-fPIC
-flto
-flto=auto
-ffat-lto-objects
-fno-lto
-fuse-ld=bfd
-fstack-protector-strong
-fstack-clash-protection
-fcf-protection
-fsanitize=address
-fsanitize=undefined
-fprofile-arcs
-ftest-coverage
-fprofile-generate
-ffile-prefix-map=/a=/b
-fdebug-prefix-map=/a=/b
-fno-plt
-fexceptions
-fvisibility=hidden
-fopenmp
-nostdlib
-nodefaultlibs
-nostartfiles
-nostdinc
-save-temps
-save-temps=obj
--param ssp-buffer-size=4
--param=ssp-buffer-size=4
-stdlib=libc++
-rtlib=compiler-rt
-unwindlib=libgcc
-Qunused-arguments
-mllvm -inline-threshold=5
-Xclang -O2
--gcc-toolchain=/usr
-no-canonical-prefixes
-v
-Q
""".strip().splitlines()


# gcc's collect2, which stands before ld, takes these out again.
_OF_COLLECT2 = re.compile(r"-f(lto|no-lto|use-ld)|-pie$")


@cache
def linker_words(driver: str, words: str, folder: Path) -> list[str] | None:
    """What ``driver`` passes to the linker for these words; None when it does not take them."""
    command = [driver, "-shared", "-###", "a.o", *shlex.split(words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    lines = [
        line for line in done.stderr.splitlines() if re.match(r'\s*"?/\S*(collect2|/ld)\b', line)
    ]
    return shlex.split(lines[-1])[1:] if lines else None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flags")
    (path / "a.o").touch()
    return path


@pytest.mark.parametrize("driver", ["gcc", "clang-14"])
@pytest.mark.parametrize("words", WORDS)
def test_what_a_driver_passes_on_and_nothing_else(driver: str, words: str, folder: Path) -> None:
    if shutil.which(driver) is None:
        pytest.skip(f"no {driver} on this machine")
    plain, given = linker_words(driver, "", folder), linker_words(driver, words, folder)
    assert plain is not None
    if given is None:
        pytest.skip(f"{driver} does not take it")

    taken = flags.for_ld(shlex.split(words))

    passed = [word for word in given if not _OF_COLLECT2.match(word)]
    # One hyphen or two, joined or not: ld takes them alike.
    joined = "".join(passed).replace("--", "-").replace("\\", "")
    assert "".join(taken).replace("--", "-") in joined
    if not taken:
        assert not [w for w in shlex.split(words) if w in passed and w not in plain]
