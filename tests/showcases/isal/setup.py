"""isal with asmsetup: ISA-L's C and assembly as a static library, without make."""

import os
import platform
import sys
from glob import glob

from setuptools import Extension, setup

ISA_L = "src/isal/isa-l"
C = (
    *("crc/crc_base", "crc/crc64_base", "igzip/adler32_base", "igzip/encode_df"),
    *("igzip/flatten_ll", "igzip/huff_codes", "igzip/hufftables_c", "igzip/igzip"),
    *("igzip/igzip_base", "igzip/igzip_icf_base", "igzip/igzip_icf_body", "igzip/igzip_inflate"),
)
PORTABLE = ("crc/crc_base_aliases", "igzip/igzip_base_aliases", "igzip/proc_heap_base")
INCLUDED = (
    *("bitbuf2", "crc_const_extern", "data_struct2", "heap_macros", "huffman"),
    *("igzip_compare_types", "igzip_decode_block_stateless", "igzip_perf_misc"),
    *("igzip_update_histogram", "inflate_data_structs", "lz0a_const", "options", "stdmac"),
)

has_assembly = sys.platform == "linux" and platform.machine() == "x86_64"
assembly = [
    path
    for unit in ("crc", "igzip")
    for path in sorted(glob(f"{ISA_L}/{unit}/*.asm"))
    if os.path.basename(path).removesuffix(".asm") not in INCLUDED
]
compiled = [f"{ISA_L}/{name}.c" for name in (C if has_assembly else C + PORTABLE)]
library = {
    "sources": [*compiled, *(assembly if has_assembly else [])],
    "include_dirs": [ISA_L, f"{ISA_L}/include", f"{ISA_L}/igzip", f"{ISA_L}/crc"],
    "macros": [(platform.machine(), "1")],
}
modules = {"isal_zlib": "isal_zlibmodule", "igzip_lib": "igzip_libmodule", "_isal": "_isalmodule"}

setup(
    libraries=[("isa-l", library)],
    ext_modules=[
        Extension(f"isal.{name}", [f"src/isal/{source}.c"], include_dirs=["include"])
        for name, source in modules.items()
    ],
)
