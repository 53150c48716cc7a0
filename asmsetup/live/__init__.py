"""A single source comes in, a loaded module, a child process or a notebook cell goes out."""
