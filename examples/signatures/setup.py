from setuptools import Extension, setup

setup(ext_modules=[Extension("signatures", sources=["signatures.asm"])])
