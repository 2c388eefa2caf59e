"""SCons finds its tool `layered` here. The tool itself is `layermatrix.scons.tool`."""

from layermatrix.scons import requirements

requirements.check()  # before modules are imported that need them

from layermatrix.scons.tool import exists, generate  # noqa: E402

__all__ = ["exists", "generate"]
