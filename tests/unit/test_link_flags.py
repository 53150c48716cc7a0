"""LDFLAGS: what of it goes to ld, what cannot work, and run paths of the interpreter's own."""

from __future__ import annotations

import pytest

from asmsetup.errors import LinkError
from asmsetup.link import flags


def test_words_that_are_lds_own_pass() -> None:
    words = ["--gc-sections", "-Map=m.map", "-Bsymbolic", "-m", "elf_x86_64", "-export-dynamic"]

    assert flags.for_ld(words) == words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-O2", "-m32"], "LDFLAGS has `-m32', which makes code that is not 64-bit"),
        (["-Wl,-r"], "LDFLAGS has `-Wl,-r', which asks for an object in the place of a module"),
        (["--target=aarch64-linux-gnu"], "LDFLAGS has `--target=aarch64-linux-gnu', which is"),
        (
            ["-target", "riscv64-linux-gnu"],
            "LDFLAGS has `-target riscv64-linux-gnu', which is another machine",
        ),
    ],
)
def test_what_cannot_work_is_named_with_its_variable(words: list[str], said: str) -> None:
    with pytest.raises(LinkError) as refused:
        flags.require_possible(words, "LDFLAGS")

    assert str(refused.value).startswith(said)
    assert "take it out of LDFLAGS" in str(refused.value)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("gcc -shared -L/opt -Wl,-rpath,/opt", "gcc -shared -L/opt"),
        ("gcc -shared -Wl,-rpath=/opt -lz", "gcc -shared -lz"),
        ("gcc -Wl,-rpath -Wl,/opt -lz", "gcc -lz"),
        ("gcc -Xlinker -rpath -Xlinker /opt -lz", "gcc -lz"),
        ("gcc -Xlinker -rpath=/opt -lz", "gcc -lz"),
        ("gcc -Wl,-O1,-rpath,/opt,--as-needed", "gcc -Wl,-O1,--as-needed"),
        ("gcc -Wl,-R,/opt -Wl,-R/opt -lz", "gcc -lz"),
        ("gcc -Wl,-rpath,/mine -Wl,-rpath-link,/opt", "gcc -Wl,-rpath,/mine -Wl,-rpath-link,/opt"),
        # On its command line twice, as pyenv has it.
        ("gcc -Wl,-rpath,/opt -L/opt -Wl,-rpath,/opt", "gcc -L/opt"),
    ],
)
def test_the_interpreters_run_paths_are_left_out(words: str, left: str) -> None:
    assert flags.without_run_paths(words.split(), {"/opt"}) == left.split()


def test_run_paths() -> None:
    words = [
        "gcc",
        "-Wl,-rpath,/a:/b",
        "-Wl,-R/c",
        "-Xlinker",
        "-rpath",
        "-Xlinker",
        "$ORIGIN",
        "-L/d",
    ]

    assert flags.run_paths(words) == {"/a", "/b", "/c", "$ORIGIN"}
