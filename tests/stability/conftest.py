"""Run the annotations of the analysers in their tests."""

from jaxtyping import install_import_hook

install_import_hook("townlet_jax.stability", "shapecheck.check")
