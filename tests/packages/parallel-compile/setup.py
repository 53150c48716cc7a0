from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import Extension, setup

ParallelCompile(default=2).install()

setup(
    ext_modules=[
        Extension("hello", ["hello.asm"]),
        Pybind11Extension("bound", ["bound.cpp", "more.cpp", "number.asm"]),
    ],
    cmdclass={"build_ext": build_ext},
)
