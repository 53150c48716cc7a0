"""PyDispatch finds the features that the kernel lists of the processor, and takes the last fit."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.abi.assembling import INCLUDE, INTERPRETERS, MODULES, UNIVERSAL, build, python

FEATURES = re.findall(
    r"^%define PyCPU_(\w+)", (INCLUDE / "python/layout/common.inc").read_text(), re.MULTILINE
)
assert len(FEATURES) == 30
# Linux's names where they are not ours in lower case: arch/x86/include/asm/cpufeatures.h.
LINUX_NAMES = {
    "SSE3": "pni",
    "SSE41": "sse4_1",
    "SSE42": "sse4_2",
    "SHA": "sha_ni",
    "AVX512VBMI2": "avx512_vbmi2",
    "AVX512VNNI": "avx512_vnni",
    "AVX512BITALG": "avx512_bitalg",
    "AVX512VPOPCNTDQ": "avx512_vpopcntdq",
}
(FLAGS,) = re.findall(r"\A.*?^flags\s*:(.*?)$", Path("/proc/cpuinfo").read_text(), re.M | re.S)
PRESENT = {name for name in FEATURES if LINUX_NAMES.get(name, name.lower()) in FLAGS.split()}
"""The features of this machine, as Linux tells."""

# For each feature a function that says whether PyDispatch sees it.
SOURCE = '%include "python.inc"\nPyModule features\n{}PyEndModule\nno: xor eax, eax\nret\nyes: mov eax, 1\nret\n'
FUNCTION = """\
PyDispatch has_{0}, no, PyCPU_{0}, yes
PyFunction {0}, METH_NOARGS
    call [rel has_{0}]
    mov edi, eax
    PyTailCall PyBool_FromLong
PyEndFunction
"""
ANY = next(iter(INTERPRETERS.values()))


def features_seen(folder: Path, without: str) -> set[str]:
    """The features that dispatch finds when some are not to be used."""
    source = folder / "features.asm"
    source.write_text(SOURCE.format("".join(map(FUNCTION.format, FEATURES))))
    build(source, folder / "features.so", UNIVERSAL | {"PY_CPU_WITHOUT": without})
    code = "import features; print(*(n for n, f in vars(features).items() if n[0] != '_' and f()))"
    return set(python(ANY, folder, "-c", code).split())


def test_features_are_those_of_the_kernel(tmp_path: Path) -> None:
    assert features_seen(tmp_path, "0") == PRESENT


@pytest.mark.parametrize("name", FEATURES)
def test_one_feature_left_out(name: str, tmp_path: Path) -> None:
    assert features_seen(tmp_path, f"PyCPU_{name}") == PRESENT - {name}


def test_all_features_left_out(tmp_path: Path) -> None:
    assert features_seen(tmp_path, "-1") == set()


LEVELS = [set(), {"SSE42"}, {"AVX2", "BMI2"}, {"AVX512F"}]
"""What each routine of `level' in macros.asm needs."""


@pytest.mark.parametrize(
    "without",
    [
        (),
        ("AVX512F",),
        ("AVX512F", "AVX2"),
        ("AVX512F", "BMI2"),
        ("AVX512F", "AVX2", "SSE42"),
        # The last one that fits, not the last before the first that does not.
        ("SSE42",),
        ("SSE42", "AVX2"),
    ],
)
def test_level(without: Collection[str], tmp_path: Path) -> None:
    names = " | ".join(f"PyCPU_{name}" for name in without) or "0"
    build(MODULES / "macros.asm", tmp_path / "macros.so", UNIVERSAL | {"PY_CPU_WITHOUT": names})
    usable = PRESENT.difference(without)
    fitting = [level for level, needed in enumerate(LEVELS) if needed <= usable]
    assert int(python(ANY, tmp_path, "-c", "import macros; print(macros.level())")) == fitting[-1]


def test_typed_functions_call_it(tmp_path: Path) -> None:
    source = tmp_path / "typed.asm"
    source.write_text(
        '%include "python.inc"\nPyDispatch seven, base, PyCPU_SSE3, base\nPyModule typed\n'
        'PyTypedFunction "seven() -> i64"\nPyTypedFunction "f() -> i64", calls seven, nogil\n'
        "PyEndModule\nbase: mov eax, 7\nret\n"
    )
    build(source, tmp_path / "typed.so")
    code = "import typed; print(typed.seven(), typed.f())"
    assert python(ANY, tmp_path, "-c", code) == "7 7\n"
