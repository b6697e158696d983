import numpy as np
import pytest

from isometry.samplers import Plain

LABELS = np.array([3, -1] * 11)


def test_each_item_at_most_once_an_epoch_and_all_in_time():
    sampler = Plain(batch_size=4).bind(LABELS)
    seen = set()
    for _ in range(20):
        drawn = np.array(list(sampler)).ravel()
        assert len(drawn) == len(set(drawn)) == 20
        seen |= set(drawn)
    assert seen == set(range(22))


def test_ranks_share_every_batch_and_resume():
    sampler = Plain(batch_size=6, seed=5)
    whole = list(sampler.bind(LABELS))
    left, right = sampler.bind(LABELS, rank=0, ranks=2), sampler.bind(LABELS, rank=1, ranks=2)
    assert [a + b for a, b in zip(left, right, strict=True)] == whole
    one = sampler.bind(LABELS)
    next(iter(one))
    left = sampler.bind(LABELS)
    left.load_state_dict(one.state_dict())
    assert list(left) == whole[1:]
    assert left.epoch == 1


def test_what_cannot_be_filled():
    with pytest.raises(ValueError, match=r"cannot fill a batch from 22 items\. Use batch_size=22"):
        Plain().bind(LABELS)
    with pytest.raises(ValueError, match="positive number of items"):
        Plain(batch_size=0)
