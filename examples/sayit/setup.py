from setuptools import Extension, setup

setup(ext_modules=[Extension("sayit", sources=["sayit.asm"])])
