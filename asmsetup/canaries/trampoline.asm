;=======================================================================
; The trampolines of `pytest --asm-abi'.
;
; `entry' stands before each function of a module under test: CPython
; calls it, and it calls the function with canaries in the registers that
; a function keeps and junk in all that nobody promised. `api' stands
; before each function that the module calls through its global offset
; table, and leaves junk in all that such a call may change. What is found
; becomes an event, which Python code reads after the test.
;
; Nothing here is kept in memory that calls share but counters, so calls
; may nest, and run in any number of threads and interpreters. The
; innermost frame of a thread is under a key of pthread_getspecific.
;=======================================================================

%include "python.inc"
%include "layout.inc"

default             rel

; A thunk has a record: what it stands for.
struc record
  .target           resq 1
  .calls            resq 1
  .letters          resq 1              ; of the arguments, as in layout.inc
  .arguments        resd 1              ; how many
  .result           resd 1              ; RESULT_..., or RETURNS_... of an API
  .flags            resd 1
  .gains            resd 1              ; such events since the last test
  .hook             resq 1              ; what the hook is to be given
                    resq 2
endstruc

API_RUNS_CODE       equ 1               ; may run Python code
API_NEEDS_GIL       equ 2
API_HAS_HOOK        equ 4
API_GETS_BUFFER     equ 8
API_RELEASES_BUFFER equ 16

RETURNS_UNKNOWN     equ 0               ; rax, rdx, xmm0 and xmm1 are kept
RETURNS_64          equ 1
RETURNS_32          equ 2
RETURNS_VOID        equ 3
RETURNS_DOUBLE      equ 4

struc event
  .kind             resd 1
  .detail           resd 1
  .record           resq 1
  .value            resq 1
  .other            resq 1
  .api              resq 1
                    resq 3
  .registers        resq 16             ; of a crash, as ucontext_t has them
                    resq 8
endstruc

EVENT_REGISTER      equ 1               ; detail: which; value: what it holds
EVENT_STACK         equ 2               ; value: by how many bytes rsp is off
EVENT_DIRECTION     equ 3
EVENT_X87           equ 4
EVENT_YMM           equ 5
EVENT_MXCSR         equ 6               ; value: as found; other: as it was
EVENT_X87_CONTROL   equ 7
EVENT_GIL           equ 8
EVENT_NO_EXCEPTION  equ 9               ; value: the result
EVENT_EXCEPTION     equ 10              ; value: the result
EVENT_EXCEPTION_LOST equ 11
EVENT_EXCEPTION_LEFT equ 12
EVENT_LOST          equ 13              ; detail: how many; value: the object
EVENT_GAINED        equ 14              ; the same; other: the count before
EVENT_BUFFER        equ 15
EVENT_BUFFER_TWICE  equ 16
EVENT_API_STACK     equ 17
EVENT_API_DIRECTION equ 18
EVENT_API_GIL       equ 19
EVENT_CRASH         equ 20              ; detail: signal; value: rip; registers

ENTRY_THUNKS        equ 4096
API_THUNKS          equ 2048
EVENTS              equ 1024
VIEWS               equ 64
TRACKED             equ 8
GAINS_KEPT          equ 16
BELOW               equ 512             ; bytes of junk below the stack

; Junk says where it comes from: who left it, and in which register. As an
; address it faults; as an int it is negative.
JUNK                equ 0x5EEDC0DE80000000
JUNK_HIGH           equ 0x5EEDC0DE
AT_ENTRY            equ JUNK | 1 << 24
AFTER_API           equ JUNK | 2 << 24
BELOW_ENTRY         equ JUNK | 3 << 24
BELOW_API           equ JUNK | 4 << 24
KEPT                equ JUNK | 5 << 24

%assign number 0
%macro number_registers 1-*
  %rep %0
    %assign number_of_%1 number
    %assign number number + 1
    %rotate 1
  %endrep
%endmacro
    number_registers rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi
    number_registers r8, r9, r10, r11, r12, r13, r14, r15, xmm0

%define junk(source, register) (source | number_of_ %+ register << 16)

; The frame of `entry', from rsp up.
struc frame
  .self             resq 1              ; its own address
  .record           resq 1
  .outer            resq 1              ; the frame before it in this thread
  .api              resq 1              ; the record of the API that runs, or 0
  .target           resq 1
  .rbx              resq 1
  .rbp              resq 1
  .r12              resq 1
  .r13              resq 1
  .r14              resq 1
  .r15              resq 1
  .arguments        resq 6
  .mxcsr            resd 1
  .x87_control      resd 1
  .exception        resq 1
  .epoch            resq 1
  .tracked          resq 1              ; how many objects
  .objects          resq TRACKED
  .counts           resd TRACKED
  .rax              resq 1
  .rdx              resq 1
  .scratch          resb 32             ; what fnstenv stores
endstruc

%if frame_size & 15 != 8
  %error the frame of entry leaves rsp misaligned
%endif

; The frame of `api'.
struc passed
  .stack            resb 512            ; a copy of the arguments on the stack
  .record           resq 1
  .caller           resq 1              ; its rsp
  .arguments        resq 6
  .rax              resq 1
  .rdx              resq 1
  .xmm              resb 128
  .entry            resq 1
                    resq 1
endstruc

section             .rodata
align               16
junk_below_entry:   dq BELOW_ENTRY, BELOW_ENTRY
junk_below_api:     dq BELOW_API, BELOW_API
recovered_words:    db "asm-abi: the function crashed", 0

align               16
junk_entry_xmm:
  %assign i 0
  %rep 16
    times 2 dq  AT_ENTRY | (number_of_xmm0 + i) << 16
    %assign i i + 1
  %endrep
junk_api_xmm:
  %assign i 0
  %rep 16
    times 2 dq  AFTER_API | (number_of_xmm0 + i) << 16
    %assign i i + 1
  %endrep

section             .data.rel.ro progbits alloc noexec write align=8
; What Python code needs to know; Interface in trampoline.py has the order.
global interface:data (interface_end - interface)
interface:
    dq          entry_thunks, entry_records, ENTRY_THUNKS
    dq          api_thunks, api_records, API_THUNKS
    dq          events, event_count, EVENTS
    dq          slots_begin, slots_end, layout
    dq          start, install_handlers
interface_end:

section             .bss
align               64
entry_records:      resb record_size * ENTRY_THUNKS
api_records:        resb record_size * API_THUNKS
events:             resb event_size * EVENTS
event_count:        resq 1
epoch:              resq 1              ; API calls that may run Python code
open_views:         resq 1
views:              resq 2 * VIEWS      ; address, thread
hook:               resq 1
main_interpreter:   resq 1
key:                resd 1
has_avx:            resb 1
shows_ymm:          resb 1              ; whether upper halves are in use
align               8, resb 1
old_actions:        resb 32 * 16

section             .text

extern              pthread_key_create, pthread_getspecific, pthread_setspecific

%macro call_c 1
    call        [rel %1 wrt ..got]
%endmacro

;-----------------------------------------------------------------------
; void start(hook, PyInterpreterState *main)
;
; void hook(uint64_t which, uint64_t arguments[6]) is called before an API
; with API_HAS_HOOK, in the main interpreter only.
;-----------------------------------------------------------------------
start:
    push        rbx
    mov         [hook], rdi
    mov         [main_interpreter], rsi
    lea         rdi, [key]
    xor         esi, esi
    call_c      pthread_key_create
    mov         eax, 1
    xor         ecx, ecx
    cpuid
    and         ecx, 1 << 27 | 1 << 28  ; OSXSAVE, AVX
    cmp         ecx, 1 << 27 | 1 << 28
    jne         .done
    xor         ecx, ecx
    xgetbv
    and         eax, 6
    cmp         eax, 6                  ; the system saves them
    jne         .done
    mov         byte [has_avx], 1
    mov         eax, 0xd
    mov         ecx, 1
    cpuid
    test        eax, 4                  ; XGETBV with ECX = 1
    jz          .done
    vzeroupper
    mov         ecx, 1
    xgetbv
    test        al, 4                   ; still in use: says nothing here
    setz        [shows_ymm]
.done:
    pop         rbx
    ret

;-----------------------------------------------------------------------
; note_event: an event about the frame in rbx, or about the API in r11
; where that is 0
;
; eax = kind, ecx = detail, rdx = value, rsi = other; returns r8 = the event,
; 0 if there is no room
; Clobbers: rax r9
;-----------------------------------------------------------------------
note_event:
    mov         r8d, 1
    lock xadd   [event_count], r8
    cmp         r8, EVENTS
    jae         .full                   ; counted all the same
    shl         r8, 8                   ; event_size
    lea         r9, [events]
    add         r8, r9
    mov         [r8 + event.detail], ecx
    mov         [r8 + event.value], rdx
    mov         [r8 + event.other], rsi
    mov         [r8 + event.api], r11
    xor         r9d, r9d
    test        rbx, rbx
    jz          .no_frame
    mov         r9, [rbx + frame.api]
    mov         [r8 + event.api], r9
    mov         r9, [rbx + frame.record]
.no_frame:
    mov         [r8 + event.record], r9
    mov         [r8 + event.kind], eax  ; last: from here on it is read
    ret
.full:
    xor         r8d, r8d
    ret

%include "judge.inc"
%include "entry.inc"
%include "api.inc"
%include "crash.inc"

section             .rodata
align               8
junk_arguments:
    dq          junk(AT_ENTRY, rdi), junk(AT_ENTRY, rsi), junk(AT_ENTRY, rdx)
    dq          junk(AT_ENTRY, rcx), junk(AT_ENTRY, r8), junk(AT_ENTRY, r9)

;-----------------------------------------------------------------------
; The thunks, 16 bytes each
;-----------------------------------------------------------------------
section             .text.thunks progbits alloc exec nowrite align=16

entry_thunks:
%assign i 0
%rep ENTRY_THUNKS
    lea         r11, [entry_records + i * record_size]
    jmp         near entry
    align       16
  %assign i i + 1
%endrep

api_thunks:
%assign i 0
%rep API_THUNKS
    lea         r11, [api_records + i * record_size]
    jmp         near api
    align       16
  %assign i i + 1
%endrep
