"""Every error a user can cause: what happened first, then the ways out."""

from __future__ import annotations

import os


class AsmsetupError(Exception):
    """A build cannot go on, and the reason is the user's to mend.

    ``what`` says what happened, in lower case and with paths as the user wrote
    them; each of ``ways_out`` is printed on an indented line of its own.
    """

    def __init__(self, what: str, *ways_out: str) -> None:
        super().__init__(what, *ways_out)
        self.what = what
        self.ways_out = ways_out

    def __str__(self) -> str:
        return "\n  ".join((self.what, *self.ways_out))


class PlatformError(AsmsetupError):
    """The target is not one asmsetup builds for."""


class ConfigError(AsmsetupError):
    """A setting in pyproject.toml, the environment or on the command line is wrong."""


class UsageError(AsmsetupError):
    """An argument of the command line cannot be used."""


class ToolError(AsmsetupError):
    """nasm or ld is missing, too old, or cannot be run."""

    @classmethod
    def not_found(cls, tool: str, wanted: str, *ways_out: str) -> ToolError:
        """Return the error for a ``tool`` that was looked for under the name ``wanted``."""
        if os.path.dirname(wanted):
            where = f"{wanted} is not a program that can be run"
        else:
            where = f"no {wanted} on PATH ({os.environ.get('PATH', '')})"
        return cls(f"cannot find {tool}: {where}", *ways_out)


class FileError(AsmsetupError, OSError):
    """A file cannot be written where it belongs.

    An OSError as well: so setuptools tells it like any other, wherever it comes up.
    """


class SourceError(AsmsetupError):
    """An Extension names sources that are not there or cannot be used."""


class AssembleError(AsmsetupError):
    """nasm refused a source; the message holds nasm's own words."""


class CompileError(AsmsetupError):
    """The C compiler refused a source."""

    output = ""
    """The command and the compiler's own messages, printed above the error."""


class ObjectError(AsmsetupError):
    """An object or module file is not the ELF file it should be."""


class CheckError(AsmsetupError):
    """The objects or the module break a rule and would not work."""


class LinkError(AsmsetupError):
    """The linker refused; the message holds its own words."""


class WheelError(AsmsetupError):
    """The wheel cannot be tagged as asked."""
