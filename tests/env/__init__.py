"""Tests of the environment for learners, on a hamlet of six."""
