"""Projects whose own command classes change sources, arguments or the compiler object."""

from __future__ import annotations

import re

from tests.projects import Project

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
