"""What objects, CPython and the target are; never what they should be."""
