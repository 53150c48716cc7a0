"""From a source and its options to an object, assembled only where it must be."""
