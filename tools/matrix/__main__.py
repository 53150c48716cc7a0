"""``python -m tools.matrix``: fetch what the cache lacks, and print what the tests can use."""

from __future__ import annotations

from tools.matrix.fetch import alone, collect, report
from tools.matrix.interpreters import cache_folder, installed
from tools.matrix.recipes import RECIPES

if __name__ == "__main__":
    with alone(cache_folder()):
        fetched = collect(RECIPES, cache_folder())
        print(report(installed(cache_folder()), fetched))
