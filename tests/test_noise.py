"""Random numbers for pairs: uniform, the same however the work is cut, new each step, saved."""

import math

import pytest
import torch

import isometry
from isometry import losses
from isometry.component import Component
from isometry.miner import Miner
from isometry.noise import Noise
from isometry.relations import same_class

MANY = 1 << 17


def relation(rows, cols):
    rows, cols = torch.as_tensor(rows), torch.as_tensor(cols)
    return same_class(rows % 3, cols % 3).without_self(rows, cols)


def numbers(noise=None, rows=256, cols=512, stream=0):
    """131,072 numbers."""
    return (noise or Noise())(relation(torch.arange(rows), 10_000 + torch.arange(cols)), stream)


class Lottery(Miner):
    """Keeps half of the negatives, by lot."""

    def __post_init__(self):
        self.noise = Noise(seed=3)

    def forward(self, sim, rel):
        return rel.keep(torch.ones_like(sim, dtype=torch.bool), self.noise(rel) < 0.5)


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_numbers_are_uniform(seed):
    """Moments within four standard errors, and Kolmogorov-Smirnov at the level of one in ten thousand."""
    x = numbers(Noise(seed=seed)).double().flatten().sort().values
    assert x[0] > 0
    assert x[-1] < 1
    for k in (1, 2, 3, 4):
        mean, variance = 1 / (k + 1), 1 / (2 * k + 1) - 1 / (k + 1) ** 2
        assert abs(float((x**k).mean()) - mean) < 4 * math.sqrt(variance / len(x))
    place = torch.arange(len(x) + 1, dtype=torch.float64) / len(x)
    furthest = torch.maximum((x - place[:-1]).abs(), (place[1:] - x).abs()).max()
    assert float(furthest) < 2.23 / math.sqrt(MANY)


@pytest.mark.parametrize(
    "ids", [lambda n: torch.arange(n), lambda n: torch.arange(n) * 4096, lambda n: -torch.arange(n) - 1]
)
def test_neighbours_are_uncorrelated(ids):
    x = Noise()(relation(ids(256), ids(512))).double() - 0.5
    above = torch.ones(256, 256, dtype=torch.bool).triu(1)
    square = x[:, :256]
    pairs = ((x[1:], x[:-1]), (x[:, 1:], x[:, :-1]), (x[1:, 1:], x[:-1, :-1]), (square[above], square.T[above]))
    for a, b in pairs:
        assert abs(float((a * b).mean()) * 12) < 4.5 / math.sqrt(a.numel())


def test_bits_of_a_number_are_fair():
    bits = (numbers() * 2**23).long().flatten()
    for k in range(23):
        assert abs(float(((bits >> k) & 1).double().mean()) - 0.5) < 4.5 * 0.5 / math.sqrt(MANY)


def test_a_number_belongs_to_its_pair_however_the_work_is_cut():
    rows, cols = torch.randperm(40), torch.randperm(60) + 100
    noise = Noise(seed=5)
    whole = noise(relation(rows, cols))
    assert torch.equal(noise(relation(rows[7:19], cols)), whole[7:19])
    assert torch.equal(noise(relation(rows, cols[::3])), whole[:, ::3])
    order = torch.randperm(40)
    assert torch.equal(noise(relation(rows[order], cols)), whole[order])


def test_seeds_steps_and_streams_give_other_numbers():
    noise = Noise(seed=1)
    draws = [numbers(Noise(seed=0)), numbers(noise), numbers(noise, stream=1), numbers(noise, stream=2)]
    noise.advance()
    draws.append(numbers(noise))
    for i, a in enumerate(draws):
        for b in draws[:i]:
            correlation = float(((a - 0.5) * (b - 0.5)).double().mean()) * 12
            assert abs(correlation) < 4.5 / math.sqrt(MANY)


def test_a_pair_and_its_mirror_have_numbers_of_their_own():
    x = Noise()(relation(torch.arange(64), torch.arange(64)))
    assert float((x == x.T).float().mean()) < 0.05  # the diagonal is its own mirror


def test_numbers_stay_until_the_next_step_and_resume_where_they_were():
    noise, fresh = Noise(seed=2), Noise(seed=2)
    for _ in range(3):
        noise.advance()
    now = numbers(noise)
    assert torch.equal(numbers(noise), now)
    assert not torch.equal(numbers(fresh), now)
    fresh.load_state_dict(noise.state_dict())
    assert torch.equal(numbers(fresh), now)
    for each in (noise, fresh):
        each.advance()
    assert torch.equal(numbers(fresh), numbers(noise))
    assert not torch.equal(numbers(fresh), now)


def test_a_relation_without_ids_has_no_random_numbers():
    with pytest.raises(ValueError, match="ids="):
        Noise()(same_class(torch.arange(3), torch.arange(3)))


def test_observing_a_loss_turns_every_noise_in_it_once():
    loss = losses.Contrastive(miner=Lottery())
    z, y, ids = torch.randn(12, 4), torch.arange(12) // 3, torch.arange(12)
    total = loss + 0.5 * losses.SupCon(miner=Lottery())
    noises = [part for part in total.modules() if isinstance(part, Noise)]
    assert len(noises) == 2
    values = []
    for step in range(3):
        assert [int(noise.step) for noise in noises] == [step, step]
        values.append(float(loss(z, y, ids=ids)))
        assert float(loss(z, y, ids=ids)) == values[-1]
        total.observe(z, y, ids)
    assert len(set(values)) == 3


def test_a_loss_with_random_choices_is_the_same_in_blocks():
    loss = losses.Contrastive(miner=Lottery())
    z, y, ids = torch.randn(30, 4, dtype=torch.float64), torch.arange(30) // 3, torch.randperm(1000)[:30]
    whole = loss(z, y, ids=ids)
    with isometry.memory_budget(4 * 30 * 8):
        torch.testing.assert_close(loss(z, y, ids=ids), whole)


def test_noise_is_a_component_that_prints_as_what_it_is():
    assert isinstance(Noise(), Component)
    assert repr(Noise(seed=4)) == "Noise(seed=4)"


@pytest.mark.parametrize("around", [losses.EachBranch, losses.S2SD, losses.OneAnchor])
def test_a_term_around_a_loss_turns_to_its_next_numbers(around):
    term = around(loss=losses.Contrastive(miner=Lottery()))
    noises = [part for part in term.modules() if isinstance(part, Noise)]
    z, y = torch.randn(12, 4), torch.arange(12) // 3
    term(z, y)
    term.observe(z, y)
    assert [int(noise.step) for noise in noises] == [1]
    assert set(term.stats) == {"active", "positive", "negative"}
