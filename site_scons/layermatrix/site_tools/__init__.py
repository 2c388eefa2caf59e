"""The folder that SCons searches for tools: `toolpath=[PyPackageDir("layermatrix.site_tools")]`."""
