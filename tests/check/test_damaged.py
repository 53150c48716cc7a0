"""Damaged files, judged as a build and ``asmsetup check`` judge them."""

from __future__ import annotations

import random
from pathlib import Path

from tests.fuzz_elf import complaint, mutated, seeds


def test_five_hundred_mutations(tmp_path: Path) -> None:
    """A short run of the fuzzer; tests/fuzz_elf.py makes long ones."""
    chance = random.Random(20261123)
    corpus = seeds(tmp_path)
    for _ in range(500):
        assert complaint(mutated(chance.choice(corpus), chance), measure_memory=False) is None
