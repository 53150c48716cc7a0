"""Ship hand-written x86-64 assembly in Python packages."""
