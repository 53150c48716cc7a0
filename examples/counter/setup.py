from setuptools import Extension, setup

setup(ext_modules=[Extension("counter", sources=["counter.asm"])])
