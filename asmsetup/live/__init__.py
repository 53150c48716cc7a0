"""A single source comes in; a loaded module, or the outcome of a child process, goes out."""
