%include "module.inc"
%include "number.inc"

MODULE hello, NUMBER
