"""Optimizers and schedules: torch's own steps, the published curves, and runs that resume with any of them."""

import signal

import pytest
import torch
from torch import nn

import isometry
from isometry import optimizers, schedules
from isometry.config import Config
from isometry.data import read, split
from isometry.pace import share_of_rate
from isometry.training import STATE, Interrupted, Training
from tests.small import SETTINGS, digits, same, state_of

TORCH = {
    "AdamW()": lambda p: torch.optim.AdamW(p, fused=True),
    "Adam(beta1=0.5, epsilon=1e-6)": lambda p: torch.optim.Adam(p, betas=(0.5, 0.999), eps=1e-6, fused=True),
    "SGD(momentum=0.9, nesterov=True)": lambda p: torch.optim.SGD(p, momentum=0.9, nesterov=True, fused=True),
    "RMSprop(momentum=0.9)": lambda p: torch.optim.RMSprop(p, momentum=0.9),
}


@pytest.mark.parametrize("text", TORCH)
def test_steps_are_those_of_torch(text):
    ours, theirs = (nn.Linear(3, 2) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(5, 3)
    made = [
        make([{"params": list(model.parameters()), "lr": 0.01, "weight_decay": 0.1}])
        for make, model in ((optimizers.read_optimizer(text).over, ours), (TORCH[text], theirs))
    ]
    for _ in range(4):
        for model, optimizer in zip((ours, theirs), made, strict=True):
            optimizer.zero_grad()
            model(x).square().sum().backward()
            optimizer.step()
    assert same(ours.state_dict(), theirs.state_dict())


def test_the_rate_rises_and_then_falls_by_a_half_cosine():
    shares = [share_of_rate(schedules.Cosine(), step, 12, 0.25, 1) for step in range(12)]
    assert shares[:3] == [1 / 3, 2 / 3, 1.0]
    expected = [0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * k / 9, dtype=torch.float64)))) for k in range(9)]
    assert shares[3:] == pytest.approx(expected, abs=1e-15)


def test_steps_count_from_the_end_of_the_warm_up():
    schedule = schedules.Steps(every="2 epochs", factor=0.5)
    shares = [share_of_rate(schedule, step, 20, 0.1, 3) for step in range(20)]
    assert shares == [0.5, 1.0] + [1.0] * 6 + [0.5] * 6 + [0.25] * 6
    assert {share_of_rate(schedules.Constant(), step, 20, 0.0, 3) for step in range(20)} == {1.0}


@pytest.mark.parametrize(
    "text", ["SGD(momentum=1.0)", "SGD(nesterov=True)", "Adam(epsilon=0.0)", "RMSprop(alpha=-0.1)"]
)
def test_values_that_no_optimizer_takes(text):
    with pytest.raises(ValueError, match=text.partition("(")[0]):
        optimizers.read_optimizer(text)


def test_one_line_says_what_was_expected():
    with pytest.raises(ValueError, match=r"'Cosine\(\)' is no optimizer: write one of SGD\(\), Adam\(\)"):
        optimizers.read_optimizer("Cosine()")
    with pytest.raises(ValueError, match=r"is no schedule: write one of Constant\(\)"):
        schedules.read_schedule("AdamW()")
    with pytest.raises(ValueError, match=r"'400 steps' or '10 epochs'; got '7'"):
        schedules.read_schedule("Steps(every='7')")
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        schedules.read_schedule("Steps(factor=0.0)")


def test_a_typo_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'AdamW'"):
        isometry.train(digits(), loss="SupCon()", out=tmp_path / "run", **{**SETTINGS, "optimizer": "AdmaW()"})
    assert not (tmp_path / "run").exists()


def training(folder, resume=False, show=lambda row: None, **changed):
    """A training on digits, without the report and the metrics that a run ends with."""
    folder.mkdir(exist_ok=True)
    chosen = Config(loss="SupCon()", **{**SETTINGS, **changed})
    made = Training(chosen, split(read(digits())), folder, show)
    if resume:
        made.resume()
    return made


@pytest.mark.parametrize("optimizer", ["SGD()", "SGD(momentum=0.9)", "RMSprop(momentum=0.9)"])
def test_an_interrupted_run_resumes_bit_for_bit(tmp_path, optimizer):
    settings = {"optimizer": optimizer, "schedule": "Steps(every='5 steps', factor=0.3)"}
    training(tmp_path / "whole", **settings).fit()

    def interrupt(row):
        if row.get("step") == 4 and "validation" in row:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        training(tmp_path / "broken", show=interrupt, **settings).fit()
    training(tmp_path / "broken", resume=True, **settings).fit()
    assert same(*(state_of(tmp_path / name / STATE) for name in ("whole", "broken")))


def test_patience_is_not_renewed_by_resuming(tmp_path):
    settings = {
        "lr": 0.0,
        "frozen": True,
        "ema": 0.0,
        "patience": 1,
    }  # nothing learns: the second validation is the last
    first = training(tmp_path / "run", **settings)
    first.fit()
    again = training(tmp_path / "run", resume=True, **settings)
    again.fit()
    assert first.step == again.step == 8


def test_a_frozen_trunk_stays_as_it_is(tmp_path):
    run = training(tmp_path / "run", frozen=True, ema=0.0)
    before = {name: tensor.clone() for name, tensor in run.plain.state_dict().items()}
    run.fit()
    moved = {
        name.partition(".")[0] for name, now in run.plain.state_dict().items() if not torch.equal(now, before[name])
    }
    assert moved == {"head"}
