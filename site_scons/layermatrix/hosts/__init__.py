"""Run the evidence of cells on other hosts: bundles, their results, and what runs a bundle on a host.

bundle    one file with everything that a host needs to take the evidence of a cell.
host      a machine that runs a bundle. It needs Python and a C library, nothing else.
result    one file with the records that a host took; its name is the digest of the bundle.
"""
