from setuptools import Extension, setup

import asmsetup


class Talking(asmsetup.build_ext):
    def build_extension(self, ext):
        print("the project's own command class builds", ext.name)
        super().build_extension(ext)


setup(ext_modules=[Extension("hello", ["hello.asm"])], cmdclass={"build_ext": Talking})
