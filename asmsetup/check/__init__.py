"""Judges objects and modules by rules: facts in, findings out."""
