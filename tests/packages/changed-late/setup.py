import time

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class Talking(build_ext):
    """Says what an extension is built with when its turn has come."""

    def build_extension(self, ext):
        print("the project's own command class builds", ext.name)
        time.sleep(0.5)  # as work of its own would take
        ext.define_macros.append(("NUMBER", "42"))
        super().build_extension(ext)


setup(ext_modules=[Extension("hello", ["hello.asm"])], cmdclass={"build_ext": Talking})
