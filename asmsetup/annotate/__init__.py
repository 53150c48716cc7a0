"""A source comes in; bytes, instructions and findings of each line go out, as data and as HTML."""
