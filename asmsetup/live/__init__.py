"""A single source comes in, a loaded module, or what a child process did, goes out."""
