%include "module.inc"

MODULE hello, 42
