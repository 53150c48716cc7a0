%include "module.inc"

MODULE hello, NUMBER
