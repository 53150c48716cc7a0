"""The objects of a module and linker options come in, the linked module goes out."""
