"""Points between samples, and flows that duel."""

import pytest
import torch

import isometry
from isometry import losses
from isometry.regularisers import Determinant, Dueling, Either, Inter, Intra, LogDet
from tests.regularisers.made import features, top, value


class Watch(LogDet):
    """Keeps the points it was shown."""

    def forward(self, local):
        self.x = local.x.detach()
        return super().forward(local)


@pytest.mark.parametrize(
    ("points", "same"), [(Intra(neighbours=2), True), (Inter(neighbours=3), False), (Either(), None)]
)
def test_points_lie_between_neighbours(points, same):
    made, (h, y, ids) = top(), features(n=13)
    watch = Watch()
    loss = Determinant(volume=watch, points=points, floor=None)
    loss(made(h), y, ids=ids)
    real, further = watch.x.split(13)
    torch.testing.assert_close(real, made.head.start(h))
    apart = torch.cdist(real, real)
    for i in range(13):
        other = [j for j in range(13) if j != i and (same is None or (y[i] == y[j]) == same)]
        if not other:  # the last item is alone in its class
            continue
        nearest = sorted(other, key=lambda j: float(apart[i, j]))[: points.neighbours]
        away = further[i] - real[i]
        share = [
            float(away.norm() / apart[i, j])
            for j in nearest
            if torch.cosine_similarity(away, real[j] - real[i], 0) > 1 - 1e-9
        ]
        assert len(share) == 1
        assert 0 < share[0] < points.reach


def test_points_without_a_neighbour_do_not_count():
    made, (h, _, ids) = top(), features()
    alone = torch.arange(len(h))
    torch.testing.assert_close(value(made, h, alone, ids, points=Intra()), value(made, h, alone, ids))


def test_points_are_new_each_step_and_the_same_in_any_order():
    made, (h, y, ids) = top(), features()
    loss = Determinant(points=Either(), floor=None)
    first = loss(made(h), y, ids=ids)
    order = torch.randperm(len(h))
    torch.testing.assert_close(loss(made(h[order]), y[order], ids=ids[order]), first)
    loss.observe(made(h), y, ids)
    assert loss(made(h), y, ids=ids) != first


def test_a_tied_duel_is_even():
    made, (h, y, ids) = top("RealNVP(dim=6, second=True)"), features()
    made.head.mate.load_state_dict(made.head.first.state_dict())
    even = Dueling(low=None, high=None)(made(h), y, ids=ids)
    assert even.item() == pytest.approx(0, abs=1e-12)


def test_a_duel_drives_the_flows_apart():
    made, (h, y, ids) = top("RealNVP(dim=6, blocks=2, second=True)", start=True), features(n=24)
    loss, optimizer = Dueling(), torch.optim.Adam(made.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss(made(h), y, ids=ids).backward()
        optimizer.step()
    assert loss.stats["volume"] < -0.3
    assert loss.stats["second volume"] > 0.3


def test_a_loss_on_the_second_branch_has_proxies_of_its_own():
    made, (h, y, ids) = top("RealNVP(dim=6, second=True)"), features()
    both = isometry.parse("ProxyAnchor() + OnBranch(loss=ProxyAnchor())", num_classes=4, dim=6).double()
    shapes = [tuple(p.shape) for p in both.parameters()]
    assert shapes == [(4, 6), (4, 6)]
    both(made(h), y, ids=ids).backward()
    assert all(p.grad.abs().sum() > 0 for p in both.parameters())
    host = losses.Contrastive()
    branch = losses.OnBranch(loss=losses.Contrastive())
    torch.testing.assert_close(branch(made(h), y, ids=ids), host(made(h).branches[0], y, ids=ids))
