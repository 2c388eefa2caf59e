"""SCons finds its tool `layered` here. The tool itself is `layermatrix.scons.tool`."""

from layermatrix.scons import needs

needs.check()  # before the import of what needs them

from layermatrix.scons.tool import exists, generate  # noqa: E402

__all__ = ["exists", "generate"]
