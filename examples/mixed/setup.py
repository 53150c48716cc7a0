from setuptools import Extension, setup

setup(ext_modules=[Extension("mixed", sources=["mixed.c", "dot.asm"])])
