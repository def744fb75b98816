"""The benchmark of training times a learner, its rollout, and its network alone on the same data."""

from pathlib import Path

import pytest

from benchmarks import training


def test_the_network_alone_is_part_of_the_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "REPEATS", 2)
    small = ["towns=4", "steps=8", "ppo.minibatches=2", "ppo.learned_share=0.5"]
    said = training.measure(str(root / "configs/train/options.yaml"), small)
    assert (said["towns"], said["agents"], said["repeats"]) == (4, 8, 2)
    assert said["line"] == "options, no core, 4 towns x 8, 3 epochs of 50%"
    assert said["network_seconds"] > 0
    assert said["rollout_seconds"] > 0
    assert said["agent_steps_per_s"] == pytest.approx(4 * 8 * 8 / said["seconds"], rel=0.05), "all of them act"
    assert said["network_share"] > 0
