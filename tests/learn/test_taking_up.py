from pathlib import Path

import pytest

from pipeline.learn.taking_up import CHECKPOINT, WholeCheckpoints


def test_checkpoint_that_is_cut_off_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    WholeCheckpoints().save_checkpoint({"epoch": 1}, path)
    with pytest.raises(AttributeError):
        WholeCheckpoints().save_checkpoint({"epoch": 2, "unfit": lambda: None}, path)
    assert WholeCheckpoints().load_checkpoint(path, weights_only=True) == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == [CHECKPOINT]
