"""Nothing is reported about code that is in order: large assembly libraries, compilers' objects."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from asmsetup.check import CheckedObject, ModuleContext, check_objects, report
from asmsetup.facts import cpython_abi, elf
from asmsetup.link import libraries
from tests.projects import CACHE

C_SOURCE = """\
#include <Python.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

__thread int counter;
static __thread long local_counter;
int shared_table[64];
const char *const names[] = {"one", "two", "three"};
extern int elsewhere(int) __attribute__((weak));
__attribute__((visibility("hidden"))) int hidden(int x) { return x + (int)local_counter++; }
static int (*const operations[])(int) = {hidden, abs};

int dispatch(int x)
{
    switch (x) {
    case 0: return 7; case 1: return hidden(3); case 2: return errno; case 3: return puts(names[x]);
    case 4: return operations[x & 1](x); case 5: return shared_table[x]; case 6: return counter++;
    case 7: return elsewhere ? elsewhere(x) : 0; case 8: return (int)sin(x);
    default: return fprintf(stderr, "%d", x);
    }
}

static PyObject *answer(PyObject *self, PyObject *ignored) { return PyLong_FromLong(dispatch(42)); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "plain", NULL, -1, methods};
PyMODINIT_FUNC PyInit_plain(void) { return PyModule_Create(&definition); }
"""

CPP_SOURCE = """\
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

struct Shape { virtual ~Shape() {} virtual double area() const = 0; };
template <class T> struct Box : Shape { T side; Box(T s) : side(s) {} double area() const override { return side * side; } };
static std::map<std::string, std::unique_ptr<Shape>> shapes;
static thread_local std::string last;
inline int &instance() { static int value = 7; return value; }

extern "C" double area(const char *name)
{
    try {
        if (shapes.empty()) { shapes["int"] = std::make_unique<Box<int>>(3); shapes["double"] = std::make_unique<Box<double>>(.5); }
        last = name;
        return shapes.at(name)->area() + instance();
    } catch (const std::out_of_range &error) {
        std::cerr << error.what() << std::endl;
        throw std::runtime_error(last);
    }
}
"""


def context(name: str) -> ModuleContext:
    c_library = libraries.c_library_files()
    return ModuleContext(name, (f"PyInit_{name}",), (3, 11), c_library=c_library)


def compiled(compiler: str, source: Path, *arguments: str) -> Path:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    object_ = source.with_suffix(".o")
    command = [compiler, "-c", *arguments, "-o", str(object_), str(source)]
    subprocess.run(command, check=True)
    return object_


def python_include() -> str:
    import sysconfig

    return sysconfig.get_path("include")


def clang() -> str:
    found = [name for name in ("clang", "clang-19", "clang-14") if shutil.which(name)]
    return found[0] if found else "clang"


FLAGS = [
    ("-O0",),
    ("-O2", "-g"),
    ("-O3", "-fno-plt", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"),
    ("-O2", "-mcmodel=large"),
]


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
@pytest.mark.parametrize("compiler", ["gcc", clang()])
def test_c(compiler: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    source = tmp_path / "plain.c"
    source.write_text(C_SOURCE)
    object_ = compiled(compiler, source, "-fPIC", f"-I{python_include()}", *flags)

    objects = [CheckedObject("plain.o", elf.read(object_))]
    assert report(check_objects(objects, context("plain"), cpython_abi)) == ""


@pytest.mark.parametrize("flags", FLAGS[1:3], ids=" ".join)
@pytest.mark.parametrize("compiler", ["g++", clang().replace("clang", "clang++")])
def test_cpp(compiler: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "plain.c").write_text(C_SOURCE)
    (tmp_path / "shapes.cpp").write_text(CPP_SOURCE)
    shapes = compiled(compiler, tmp_path / "shapes.cpp", "-fPIC", *flags)
    # The same templates and inline functions, in a second object.
    more = tmp_path / "more.o"
    subprocess.run(["objcopy", "--redefine-sym", "area=more", shapes, more], check=True)
    plain = compiled("gcc", tmp_path / "plain.c", "-fPIC", f"-I{python_include()}")
    objects = [plain, shapes, more]

    checked = [CheckedObject(path.name, elf.read(path)) for path in objects]
    assert report(check_objects(checked, context("plain"), cpython_abi)) == ""


def test_c_without_fpic_is_told_to_use_it(tmp_path: Path) -> None:
    source = tmp_path / "plain.c"
    source.write_text('const char *names[] = {"one"}; int first(void) { return names[0][0]; }')
    source.write_text(
        "extern int there; int first(void) { return there; }\n__thread int t; int second(void) { return t; }"
    )
    object_ = compiled("gcc", source, "-fno-pic", "-O1")

    objects = [CheckedObject("plain.o", elf.read(object_))]
    findings = check_objects(objects, context("plain"), cpython_abi)

    assert [finding.rule for finding in findings] == [
        "data-without-got",
        "entry-point-missing",
        "thread-local",
    ]
    assert findings[0].ways_out == ("compile it with -fPIC",)
    assert findings[2].ways_out == ("compile it with -fPIC",)


@pytest.fixture(scope="session")
def isal_sources() -> Path:
    """The ISA-L folder inside the isal sdist, fetched once by pip."""
    folder = CACHE / "sources"
    if not list(folder.glob("isal-*.tar.gz")):
        folder.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "isal", "isal"]
        done = subprocess.run(pip, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"pip could not download isal: {done.stderr.strip()[-300:]}")
    archive = sorted(folder.glob("isal-*.tar.gz"))[-1]
    unpacked = folder / archive.name.removesuffix(".tar.gz")
    if not unpacked.is_dir():
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    return next(unpacked.glob("src/isal/isa-l*/igzip")).parent


# The library's own parts; their sources ending so are programs and templates, not objects.
ISAL_UNITS = ("igzip", "crc", "erasure_code", "raid", "mem")
ISAL_TEMPLATES = frozenset(
    [
        *("data_struct2.asm", "inflate_data_structs.asm", "lz0a_const.asm", "options.asm"),
        *("igzip_update_histogram.asm", "igzip_decode_block_stateless.asm"),
    ]
)
# The names for machines without assembly; programs are recognised by their main.
ISAL_ASIDE = ("_base_aliases.c", "proc_heap_base.c")


def test_isal(isal_sources: Path, tmp_path: Path) -> None:
    checked = []
    includes = [f"-I{folder}/" for folder in ("include", *ISAL_UNITS)]
    for unit in ISAL_UNITS:
        for source in sorted((isal_sources / unit).glob("*.asm")):
            if source.name in ISAL_TEMPLATES:
                continue
            object_ = tmp_path / f"{source.name}.o"
            command = ["nasm", "-f", "elf64", "-DHAVE_AS_KNOWS_AVX512", "-DAS_FEATURE_LEVEL=10"]
            command += [*includes, f"{unit}/{source.name}", "-o", str(object_)]
            subprocess.run(command, cwd=isal_sources, check=True)
            checked.append(CheckedObject(object_.name, elf.read(object_), source.name))
        for source in sorted((isal_sources / unit).glob("*.c")):
            if source.name.endswith(ISAL_ASIDE) or "main(" in source.read_text():
                continue
            object_ = tmp_path / f"{source.name}.o"
            command = ["gcc", "-c", "-w", "-O1", "-fPIC", *includes, f"{unit}/{source.name}"]
            subprocess.run([*command, "-o", str(object_)], cwd=isal_sources, check=True)
            checked.append(CheckedObject(object_.name, elf.read(object_)))

    assert sum(object_.source is not None for object_ in checked) > 150
    (tmp_path / "entry.c").write_text("void *PyInit_isal(void) { return 0; }\n")
    entry = compiled("gcc", tmp_path / "entry.c", "-fPIC")
    checked.append(CheckedObject("entry.o", elf.read(entry)))
    assert report(check_objects(checked, context("isal"), cpython_abi)) == ""
