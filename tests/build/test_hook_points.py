"""Whoever changes sources, arguments or the compiler object, and wherever: what reaches the compiler is built."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.projects import PYPROJECT, Project, Python, installed_aside

MIXED = """
#include <Python.h>
extern long number(void);
static PyObject *answer(PyObject *self, PyObject *unused) {{ return PyLong_FromLong(number()); }}
static PyMethodDef methods[] = {{{{"answer", answer, METH_NOARGS, NULL}}, {{0}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", NULL, -1, methods}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"""
NUMBER = "section .text\nglobal number:function hidden\nnumber: mov eax, 42\n ret\n"
GENERATED = '%include "module.inc"\\nMODULE hello, 42\\n'

SETUP = """
import os
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

def generate(path, text={text!r}):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text.replace("\\\\n", chr(10)))

{body}

setup(name="hello", py_modules=[], ext_modules=ext_modules, cmdclass=cmdclass)
"""

HOOKS = {
    "a source written in build_extension": """
        class Own(build_ext):
            def build_extension(self, ext):
                generate("gen/hello.asm")
                super().build_extension(ext)
        ext_modules = [Extension("hello", ["gen/hello.asm"])]
        """,
    "a source written in build_extensions": """
        class Own(build_ext):
            def build_extensions(self):
                generate("gen/hello.asm")
                super().build_extensions()
        ext_modules = [Extension("hello", ["gen/hello.asm"])]
        """,
    "a source written in run": """
        class Own(build_ext):
            def run(self):
                generate("gen/hello.asm")
                super().run()
        ext_modules = [Extension("hello", ["gen/hello.asm"])]
        """,
    "a source written by build_py, which runs build_ext": """
        class Own(build_ext): pass
        class Before(build_py):
            def run(self):
                generate("gen/hello.asm")
                super().run()
                self.run_command("build_ext")
        ext_modules = [Extension("hello", ["gen/hello.asm"])]
        """,
    "an include written late": """
        class Own(build_ext):
            def build_extension(self, ext):
                if ext.name == "hello":
                    generate("gen/number.inc", "%define NUMBER 42")
                super().build_extension(ext)
        ext_modules = [
            Extension("first", ["first.asm"], include_dirs=["gen"]),
            Extension("hello", ["late.asm"], include_dirs=["gen"]),
        ]
        """,
    "a stale source written anew": """
        class Own(build_ext):
            def build_extension(self, ext):
                if ext.name == "hello":
                    generate("stale/hello.asm")
                super().build_extension(ext)
        ext_modules = [Extension("first", ["first.asm"]), Extension("hello", ["stale/hello.asm"])]
        """,
    "assembly appended to C in build_extension": """
        class Own(build_ext):
            def build_extension(self, ext):
                if ext.name == "hello":
                    ext.sources.append("number.asm")
                super().build_extension(ext)
        ext_modules = [Extension("hello", ["mixed.c"]), Extension("first", ["first.asm"])]
        """,
    "assembly appended to C in finalize_options": """
        class Own(build_ext):
            def finalize_options(self):
                super().finalize_options()
                self.extensions[0].sources.append("number.asm")
        ext_modules = [Extension("hello", ["mixed.c"]), Extension("first", ["first.asm"])]
        """,
    "a copy of the extension, with another source": """
        import copy
        class Own(build_ext):
            def build_extension(self, ext):
                other = copy.copy(ext)
                other.sources = ["gen/hello.asm"]
                generate("gen/hello.asm")
                super().build_extension(other)
        ext_modules = [Extension("hello", ["gone.asm"])]
        """,
    "sources filtered in finalize_options": """
        class Own(build_ext):
            def finalize_options(self):
                super().finalize_options()
                for ext in self.extensions:
                    ext.sources = [source for source in ext.sources if "arm" not in source]
        ext_modules = [Extension("hello", ["plain.asm", "kernel-arm.asm"])]
        """,
    "extensions taken out in run": """
        class Own(build_ext):
            def run(self):
                self.extensions = [ext for ext in self.extensions if ext.name == "hello"]
                super().run()
        ext_modules = [Extension("hello", ["plain.asm"]), Extension("gone", ["gone.asm"])]
        """,
    "an include folder set in finalize_options, as numpy's users do": """
        class Own(build_ext):
            def finalize_options(self):
                super().finalize_options()
                self.include_dirs.append("inc")
        ext_modules = [Extension("hello", ["included.asm"])]
        """,
    "a macro defined on the compiler object": """
        class Own(build_ext):
            def build_extensions(self):
                self.compiler.define_macro("NUMBER", "42")
                super().build_extensions()
        ext_modules = [Extension("hello", ["numbered.asm"])]
        """,
    "_compile replaced, with keys of one's own, as torch does": """
        class Own(build_ext):
            def build_extensions(self):
                self.compiler.src_extensions = [*self.compiler.src_extensions, ".cu"]
                compile_one = self.compiler._compile
                def own(obj, src, ext, cc_args, extra_postargs, pp_opts):
                    print("own compile of", src)
                    compile_one(obj, src, ext, cc_args, extra_postargs["cxx"], pp_opts)
                self.compiler._compile = own
                super().build_extensions()
        args = {"cxx": ["-O1"], "nvcc": ["-O3"]}
        ext_modules = [Extension("hello", ["mixed.c", "number.asm"], extra_compile_args=args)]
        """,
    "compile replaced, and the old one called": """
        class Own(build_ext):
            def build_extensions(self):
                before = self.compiler.compile
                def own(sources, *args, **options):
                    print("own compile of", *sources)
                    return before(sources, *args, **options)
                self.compiler.compile = own
                super().build_extensions()
        ext_modules = [Extension("hello", ["mixed.c", "number.asm"])]
        """,
    "compile replaced by one that knows no assembly": """
        class Own(build_ext):
            def build_extensions(self):
                def own(sources, output_dir=None, **options):
                    print("own compile of", *sources)
                    objects = self.compiler.object_filenames(sources, output_dir=output_dir)
                    for source, path in zip(sources, objects):
                        includes = [f"-I{folder}" for folder in self.include_dirs]
                        self.spawn(["cc", "-fPIC", *includes, "-c", source, "-o", path])
                    return objects
                self.compiler.compile = own
                super().build_extensions()
        ext_modules = [Extension("hello", ["mixed.c", "number.asm"])]
        """,
    "link_shared_object replaced, and the old one called": """
        class Own(build_ext):
            def build_extensions(self):
                before = self.compiler.link_shared_object
                def own(objects, output, *args, **options):
                    print("own link")
                    return before(objects, output, *args, **options)
                self.compiler.link_shared_object = own
                super().build_extensions()
        ext_modules = [Extension("hello", ["mixed.c", "number.asm"])]
        """,
    "another compiler object": """
        from distutils.ccompiler import new_compiler
        from distutils.sysconfig import customize_compiler
        class Own(build_ext):
            def build_extensions(self):
                self.compiler = new_compiler()
                customize_compiler(self.compiler)
                self.compiler.set_include_dirs(self.include_dirs)
                super().build_extensions()
        ext_modules = [Extension("hello", ["mixed.c", "number.asm"])]
        """,
    "C and assembly compiled by hand, and linked": """
        class Own(build_ext):
            def build_extension(self, ext):
                c = self.compiler.compile(["mixed.c"], self.build_temp, include_dirs=self.include_dirs)
                asm = self.compiler.compile(["number.asm"], output_dir=self.build_temp)
                self.compiler.link_shared_object([*c, *asm], self.get_ext_fullpath(ext.name))
        ext_modules = [Extension("hello", ["mixed.c", "number.asm"])]
        """,
    "assembly compiled by hand for an extension without sources": """
        class Own(build_ext):
            def build_extension(self, ext):
                if ext.sources:
                    return super().build_extension(ext)
                made = self.compiler.compile(["plain.asm"], output_dir=self.build_temp)
                self.compiler.link_shared_object(made, self.get_ext_fullpath(ext.name))
        ext_modules = [Extension("first", ["first.asm"]), Extension("hello", [], extra_compile_args="-O2")]
        """,
    "the compiler asked what it can do": """
        class Own(build_ext):
            def build_extensions(self):
                from setuptools.errors import CompileError
                generate("gen/flag.c", "int main(void) { return 0; }")
                self.compiler.compile(["gen/flag.c"], output_dir="gen", extra_postargs=["-O1"])
                try:
                    self.compiler.compile(["gen/flag.c"], extra_postargs=["-fno-such-flag-here"])
                except CompileError:
                    print("no such flag")
                assert not self.compiler.has_function("no_such_function_anywhere")
                assert self.compiler.find_library_file(["gen"], "none") is None
                super().build_extensions()
        ext_modules = [Extension("hello", ["plain.asm"])]
        """,
    "extensions built in threads of one's own": """
        from concurrent.futures import ThreadPoolExecutor
        class Own(build_ext):
            def build_extensions(self):
                with ThreadPoolExecutor(2) as pool:
                    list(pool.map(self.build_extension, self.extensions))
        ext_modules = [Extension("first", ["first.asm"]), Extension("hello", ["mixed.c", "number.asm"])]
        """,
    "sources compiled in a thread of one's own": """
        from concurrent.futures import ThreadPoolExecutor
        class Own(build_ext):
            def build_extension(self, ext):
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(super().build_extension, ext).result()
        ext_modules = [Extension("hello", ["mixed.c", "number.asm"])]
        """,
    "the compiler's own words changed for one extension": """
        class Own(build_ext):
            def build_extension(self, ext):
                if ext.name == "hello":
                    self.compiler.compiler_so = [*self.compiler.compiler_so, "-DRIGHT=1"]
                super().build_extension(ext)
        ext_modules = [Extension("first", ["first.asm"]), Extension("hello", ["right.c", "number.asm"])]
        """,
}


def write(project: Project, hook: str) -> Project:
    body = re.sub(r"^        ", "", HOOKS[hook].strip("\n"), flags=re.MULTILINE).rstrip()
    classes = '{"build_ext": Own' + (', "build_py": Before}' if "Before" in body else "}")
    module = '%include "module.inc"\n'
    return project.write(
        {
            "setup.py": SETUP.format(text=GENERATED, body=f"{body}\ncmdclass = {classes}"),
            "mixed.c": MIXED.format(name="hello"),
            "right.c": "#if !RIGHT\n#error wrong\n#endif\n" + MIXED.format(name="hello"),
            "number.asm": NUMBER,
            "plain.asm": f"{module}MODULE hello, 42\n",
            "first.asm": f"{module}MODULE first, 1\n",
            "late.asm": f'{module}%include "number.inc"\nMODULE hello, NUMBER\n',
            "gen/number.inc": "%define NUMBER 41\n",
            "stale/hello.asm": f"{module}MODULE hello, 41\n",
            "included.asm": f'{module}%include "folder.inc"\nMODULE hello, NUMBER\n',
            "inc/folder.inc": "%define NUMBER 42\n",
            "numbered.asm": f"{module}MODULE hello, NUMBER\n",
        }
    )


@pytest.mark.parametrize("hook", HOOKS)
def test_a_command_class_that(project: MakeProject, hook: str) -> None:
    built = write(project(), hook)

    said = []
    for _ in range(2):  # the second time with what the first has left
        before = ("build_py",) if "build_py" in hook else ()
        said.append(built.setup(*before, "build_ext", "--build-lib", ".").output)

        assert built.answer() == "42"
    assert ("own " in said[0]) == ("replaced" in hook)


ONLY_LATE = """
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

class Own(build_ext):
    def build_extension(self, ext):
        {body}

setup(name="hello", version="1", py_modules=[], ext_modules=[Extension("hello", {sources})], cmdclass={{"build_ext": Own}})
"""


@pytest.mark.parametrize(
    ("sources", "body"),
    [
        (["mixed.c"], 'ext.sources.append("number.asm"); super().build_extension(ext)'),
        ([], 'ext.sources.append("plain.asm"); super().build_extension(ext)'),
        (
            [],
            'made = self.compiler.compile(["plain.asm"], output_dir=self.build_temp);'
            " self.compiler.link_shared_object(made, self.get_ext_fullpath(ext.name))",
        ),
    ],
)
def test_the_only_assembly_comes_late_where_asmsetup_is_required(
    project: MakeProject, sources: list[str], body: str
) -> None:
    built = write(project(), "compile replaced, and the old one called")
    built.write(
        {
            "setup.py": ONLY_LATE.format(sources=sources, body=body),
            "pyproject.toml": PYPROJECT.replace('"asmsetup"', '"AsmSetup >= 0.1"'),
        }
    )

    wheel = built.wheel()

    assert wheel.tag.endswith("-manylinux1_x86_64.manylinux_2_5_x86_64")
    assert built.answer(path=wheel.unpacked()) == "42"


def test_an_argument_of_the_compilers_that_is_no_list(project: MakeProject) -> None:
    body = 'self.compiler.compile(["plain.asm"], include_dirs="inc")'
    built = write(project(), "compile replaced, and the old one called")
    built.write({"setup.py": ONLY_LATE.format(sources=["first.asm"], body=body)})

    assert built.refused() == (
        "the compiler was asked to compile with include_dirs='inc'\n  it must be a list of strings"
    )


def test_sources_that_setuptools_itself_would_not_take(project: MakeProject) -> None:
    built = project()
    text = (built.folder / "hello.asm").read_text()
    for number, suffix in enumerate((".ASM", ".nasm", ".nas", ".yasm", ".Asm")):
        (built.folder / "hello.asm").unlink(missing_ok=True)
        source = f"s{number}{suffix}"
        built.write({source: text}).extension("hello", [source]).build_ext("--force")
        assert built.answer() == "42"


@pytest.mark.parametrize("where", ["libraries", "Library"])
def test_a_static_library_of_assembly(project: MakeProject, where: str) -> None:
    """What setuptools makes of C: an archive that the extensions beside it are linked with."""
    built = write(project(), "compile replaced, and the old one called")
    library = {
        "libraries": "libraries=[('n', {'sources': ['number.asm', 'more.c']})]",
        "Library": "",
    }
    ext = "Library('n', ['number.asm']), " if where == "Library" else ""
    built.write(
        {
            "more.c": "int more;\n",
            "setup.py": "from setuptools import Extension, setup\n"
            "from setuptools.extension import Library\n"
            f"setup(py_modules=[], {library[where]}{', ' if library[where] else ''}"
            f"ext_modules=[{ext}Extension('hello', ['mixed.c'], extra_link_args=LINK)])\n",
        }
    )
    archive = "build/libn.cpython-*.a" if where == "Library" else "*/libn.a"
    args = "__import__('glob').glob('**/libn*.a', recursive=True)" if where == "Library" else "[]"
    text = (built.folder / "setup.py").read_text()
    # What Library archives is linked by name, in a second build.
    if where == "Library":
        first = re.sub(r", Extension\(.*\)\]", "]", text)
        built.write({"setup.py": first}).setup("build_ext", "--build-lib", "build")
    built.write({"setup.py": text.replace("LINK", args)})

    built.setup("build_clib", "build_ext", "-i") if where == "libraries" else built.build_ext()

    assert built.answer() == "42"
    assert list(built.folder.rglob(Path(archive).name))
    assert "GNU_STACK" in built.run("-c", STACK, str(built.module())).output


STACK = """
import subprocess, sys
said = subprocess.run(["readelf", "-lW", sys.argv[1]], capture_output=True, text=True).stdout
(line,) = (line for line in said.splitlines() if "GNU_STACK" in line)
assert "RWE" not in line
print(line)
"""


FAILURES = {
    "an error of NASM's": ({"bad.asm": "bogus eax\n"}, ["bad.asm"], {}),
    "a source that is missing": ({}, ["gone.asm"], {}),
    "a source listed twice": ({"bad.asm": ""}, ["bad.asm", "bad.asm"], {}),
    "an include that is missing": ({"bad.asm": '%include "gone.inc"\n'}, ["bad.asm"], {}),
    "a module that would not import": ({"bad.asm": "section .text\n ret\n"}, ["bad.asm"], {}),
    "a library that is missing": (
        {"bad.asm": '%include "module.inc"\nMODULE bad, 1\n'},
        ["bad.asm"],
        {"libraries": ["no-such-library"]},
    ),
    "a library that is missing, mixed": (
        {"bad.c": MIXED.format(name="bad")},
        ["bad.c", "number.asm"],
        {"libraries": ["no-such-library"]},
    ),
    "an error of C": ({"bad.c": "int bad(\n"}, ["bad.c", "number.asm"], {}),
    "an option that must be a list": ({}, ["number.asm"], {"extra_objects": "x.o"}),
    "an unknown language": ({}, ["number.asm"], {"extra_compile_args": {"nsam": []}}),
    "a name of no module": ({}, ["number.asm"], {"export_symbols": ["x"]}),
}
FALLBACK = """
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from {home} import {names}

class Own(build_ext):
    def {method}
        except ({names}) as error:
            print("falls back:", str(error).splitlines()[0])

setup(
    py_modules=[],
    cmdclass={{"build_ext": Own}},
    ext_modules=[
        Extension("first", ["first.asm"]),
        Extension({name!r}, {sources}, **{keywords}),
        Extension("hello", ["plain.asm"]),
    ],
)
"""
ONE = """build_extension(self, ext):
        try:
            super().build_extension(ext)"""
ALL = """build_extensions(self):
        try:
            super().build_extensions()"""


@pytest.mark.parametrize("kind", FAILURES)
def test_each_kind_of_failure_is_caught_where_projects_catch_it(
    project: MakeProject, kind: str
) -> None:
    files, sources, keywords = FAILURES[kind]
    built = write(project(), "compile replaced, and the old one called").write(files)
    name = "a/../../b" if kind == "a name of no module" else "bad"
    setup = FALLBACK.format(
        home="setuptools.errors",
        names="CompileError, PlatformError",
        method=ONE,
        name=name,
        sources=sources,
        keywords=keywords,
    )
    built.write({"setup.py": setup})

    said = built.setup("build_ext", "--build-lib", ".").output

    assert said.count("falls back:") == 1
    assert [built.answer(each) for each in ("first", "hello")] == ["1", "42"]
    assert not list(built.folder.rglob("b.exports"))


@pytest.mark.parametrize(
    ("home", "names"),
    [
        ("setuptools.errors", "CompileError, PlatformError"),
        ("distutils.errors", "CompileError, DistutilsPlatformError"),
        ("setuptools.errors", "CCompilerError, ExecError, PlatformError"),
    ],
)
@pytest.mark.parametrize(
    "environment",
    [{"NASM": "/no/nasm"}, {"LD": "/no/ld"}, {"ASMSETUP_STRICT": "perhaps"}],
    ids=lambda env: next(iter(env)),
)
def test_a_package_with_a_fallback_installs_without_the_tools(
    project: MakeProject, home: str, names: str, environment: dict[str, str]
) -> None:
    built = write(project(), "compile replaced, and the old one called")
    setup = FALLBACK.format(
        home=home, names=names, method=ALL, name="also", sources=["plain.asm"], keywords={}
    )
    built.write({"setup.py": setup})

    said = built.setup("build_ext", ok=True, **environment).output

    assert said.count("falls back:") == 1
    assert not list(built.folder.rglob("*.so"))


def test_one_source_of_c_in_two_mixed_modules_with_other_macros(project: MakeProject) -> None:
    """One object for a source and a command; what is known of one is not believed of the other."""
    text = MIXED.format(name="NAME").replace('"NAME"', '"n"').replace("PyInit_NAME", "INIT")
    macros = [[("INIT", f"PyInit_m{bits}"), ("BITS", str(bits))] for bits in (8, 10)]
    built = project().write(
        {"m.c": text, "number.asm": NUMBER.replace("42", "BITS"), "setup.py": ""}
    )
    built.extensions(
        ("m8", ["m.c", "number.asm"], {"define_macros": macros[0]}),
        ("m10", ["m.c", "number.asm"], {"define_macros": macros[1]}),
    )

    for jobs in ((), ("-j2",), ("--force",)):
        built.build_ext(*jobs)
        assert [built.answer(name) for name in ("m8", "m10")] == ["8", "10"]
    assert " -c " not in built.build_ext().output


def test_cffi_makes_its_own_c(project: MakeProject, python: Python) -> None:
    built = project().beside(installed_aside(python, "cffi==1.17.1"))
    built.write(
        {
            "number.asm": NUMBER,
            "build_number.py": "from cffi import FFI\n"
            "builder = FFI()\n"
            "builder.cdef('long number(void);')\n"
            "builder.set_source('_number', 'long number(void);', sources=['number.asm'])\n",
            "setup.py": "from setuptools import setup\n"
            "setup(name='n', version='1', py_modules=[], cffi_modules=['build_number.py:builder'])\n",
        }
    )

    for _ in range(2):
        built.build_ext()

    said = built.run("-c", "import _number; print(_number.lib.number())").output
    assert said == "42\n"
