"""The interpreters, assemblers and linkers of the test matrix: found on the machine, or fetched into the cache."""
