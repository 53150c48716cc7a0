"""From the objects of a module to the linked module."""
