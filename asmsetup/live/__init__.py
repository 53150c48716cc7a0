"""Single sources without a project: build, load, run in a child process, notebooks."""
