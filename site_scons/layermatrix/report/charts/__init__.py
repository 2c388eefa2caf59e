"""The charts of the report as Vega-Lite specs: one module for each family of charts, and `vega`, which renders them."""
