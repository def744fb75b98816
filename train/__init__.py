"""Recipes that train policies: `python -m train.…`. Loops and learner maths live here, networks in the library."""
