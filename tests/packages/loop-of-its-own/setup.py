from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class Talking(build_ext):
    """Adds to each extension and builds them in an order of its own, as many projects do."""

    def build_extensions(self):
        for ext in reversed(self.extensions):
            print("the project's own command class builds", ext.name)
            ext.define_macros.append(("NUMBER", "42"))
            self.build_extension(ext)


setup(ext_modules=[Extension("hello", ["hello.asm"])], cmdclass={"build_ext": Talking})
