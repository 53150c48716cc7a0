from setuptools import setup

import asmsetup

setup(
    ext_modules=[
        asmsetup.Library(
            "bytecount.libbytecount",
            sources=["bytecount.asm"],
            export_symbols=["count_byte", "count_all"],
            headers=["bytecount.h"],
        )
    ],
)
