from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class Talking(build_ext):
    def run(self):
        build_ext.run(self)

    def build_extensions(self):
        build_ext.build_extensions(self)

    def build_extension(self, ext):
        print("the project's own command class builds", ext.name)
        build_ext.build_extension(self, ext)


setup(ext_modules=[Extension("hello", ["hello.asm"])], cmdclass={"build_ext": Talking})
