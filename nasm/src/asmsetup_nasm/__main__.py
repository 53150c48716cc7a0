"""Run NASM: ``python -m asmsetup_nasm -f elf64 kernel.asm``."""

from __future__ import annotations

import os
import sys

from . import path


def main() -> None:
    """Become NASM, with the arguments of this process."""
    os.execv(path(), ["nasm", *sys.argv[1:]])  # noqa: S606 - a program of ours, and no shell


if __name__ == "__main__":
    main()
