"""The SCons tool. No other package imports SCons."""
