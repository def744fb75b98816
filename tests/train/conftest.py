"""Run the annotations of the recipes in their tests."""

from jaxtyping import install_import_hook

install_import_hook("train", "shapecheck.check")
