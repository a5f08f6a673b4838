"""The compiled functions of the judge; all else about the package is in pyproject.toml.

The extension is optional: without a compiler the installation goes on, and the judge uses NumPy.
"""

import sysconfig
from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# Python without the GIL has no stable interface for extensions yet.
IS_STABLE = not sysconfig.get_config_var("Py_GIL_DISABLED")


class BuildKernels(build_ext):
    """Adds the options of the compiler that is used."""

    def build_extensions(self) -> None:
        """Without -ffp-contract=off a product and a sum may become one operation, which rounds otherwise than NumPy."""
        if self.compiler.compiler_type != "msvc":
            for extension in self.extensions:
                extension.extra_compile_args += ["-O3", "-ffp-contract=off"]
        super().build_extensions()


setup(
    cmdclass={"build_ext": BuildKernels},
    ext_modules=[
        Extension(
            "hashindex.judge._kernels",
            ["hashindex/judge/_kernels.c"],
            depends=glob("hashindex/judge/kernels/*.h"),
            define_macros=[("Py_LIMITED_API", "0x030b0000")] if IS_STABLE else [],
            py_limited_api=IS_STABLE,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if IS_STABLE else {},
)
