"""The charts of the report as Vega-Lite specs: one module for each family, and `vega`, which renders them."""
