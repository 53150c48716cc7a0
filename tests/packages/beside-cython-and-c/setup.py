from Cython.Build import cythonize
from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension("hello", ["hello.asm"]),
        Extension("plain", ["plain.c"]),
        *cythonize(
            [Extension("fast", ["fast.pyx"]), Extension("both", ["both.pyx", "number.asm"])]
        ),
    ]
)
