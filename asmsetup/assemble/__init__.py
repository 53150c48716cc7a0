"""A source and its options come in, an object goes out, assembled only when it is not up to date."""
