from setuptools.command.build_ext import build_ext


class Talking(build_ext):
    def build_extension(self, ext):
        print("the project's own command class builds", ext.name)
        super().build_extension(ext)
