from setuptools import Extension, setup

import asmsetup

setup(ext_modules=[Extension("hello", ["hello.asm"])], cmdclass={"build_ext": asmsetup.build_ext})
