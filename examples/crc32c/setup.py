from setuptools import Extension, setup

setup(ext_modules=[Extension("crc32c", sources=["crc32c.asm"])])
