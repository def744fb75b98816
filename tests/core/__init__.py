"""Tests of the pure core, one file a module, on small worlds written out by hand."""
