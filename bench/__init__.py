"""asmsetup measured against what else builds such a module: python -m bench."""
