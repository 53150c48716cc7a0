# Every target sets up what it lacks first. No make here?  sh tools/make.sh TARGET
# Arguments for the tool behind a target:  make test ARGS="-k wheel"

.PHONY: help wheel test coverage lint bench bench-check test-matrix showcases nasm clean

help:
	@sh tools/make.sh help

wheel test coverage lint bench bench-check test-matrix showcases nasm clean:
	@sh tools/make.sh $@ $(ARGS)
