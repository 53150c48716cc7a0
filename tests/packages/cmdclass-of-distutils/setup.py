from setuptools import Extension, setup  # isort: skip (it brings its distutils)
from distutils.command.build_ext import build_ext


class Talking(build_ext):
    def build_extension(self, ext):
        print("the project's own command class builds", ext.name)
        build_ext.build_extension(self, ext)


setup(ext_modules=[Extension("hello", ["hello.asm"])], cmdclass={"build_ext": Talking})
