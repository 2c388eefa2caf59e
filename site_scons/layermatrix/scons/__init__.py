"""The SCons tool. The only package that imports SCons."""
