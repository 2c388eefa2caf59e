"""What a built cell proves about itself: instructions, debug output, counted misses, programs run.

Each module takes paths and names, and returns one result record (`layermatrix.records`); none knows
what is measured with it, nor of the others.
"""
