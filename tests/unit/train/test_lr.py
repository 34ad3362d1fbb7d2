"""Learning-rate policies on problems whose answer is known: quadratics, and a level of a few thousand weights."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from nested_ray.checkpoints.nesting import flatten, unflatten
from nested_ray.config.levels import AdaptiveLR, LevelConfig, ProdigyLR, ScheduleFreeLR
from nested_ray.train.adaptive import MAX_STRIDE, AdaptiveScheduleFree
from nested_ray.train.lr import averaged_weights, build_optimizer, current_lr, restore_optimizer

CURVATURES = torch.logspace(-1.5, 0, 50)
POLICIES = [
    ScheduleFreeLR(warmup_steps=5),
    AdaptiveLR(type="adaptive", warmup_steps=5),
    ProdigyLR(type="prodigy", start=1e-4),
]


class Bowl(nn.Module):
    """Half the sum of curvature times weight squared, with noisy gradients; its minimum is 0."""

    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.ones(50, 1))
        self.noise = torch.Generator().manual_seed(1)

    def loss(self):
        return 0.5 * (CURVATURES * self.weights.detach()[:, 0] ** 2).sum().item()

    def descend(self, optimizer, steps):
        for _ in range(steps):
            noise = 0.1 * torch.randn(50, generator=self.noise)
            gradient = CURVATURES * self.weights.detach()[:, 0] + noise
            self.weights.grad = gradient[:, None]
            optimizer.step()


def loss_after(config, steps=200):
    bowl = Bowl()
    optimizer = build_optimizer(config, bowl)
    bowl.descend(optimizer, steps)
    with averaged_weights(optimizer):
        return bowl.loss()


def fixed(peak):
    return loss_after(ScheduleFreeLR(peak=peak, warmup_steps=10, weight_decay=0))


def adaptive(peak):
    return loss_after(AdaptiveLR(type="adaptive", peak=peak, warmup_steps=10, weight_decay=0))


@pytest.mark.parametrize("wrong", [0.01, 1.0])
def test_a_peak_wrong_by_ten_ends_near_the_best_of_a_grid(wrong):
    best = min(fixed(peak) for peak in (0.01, 0.03, 0.1, 0.3, 1.0))
    start = Bowl().loss()
    assert start - adaptive(wrong) > 0.99 * (start - best)
    assert adaptive(wrong) < fixed(wrong)


def test_a_right_peak_is_left_about_where_it_is():
    assert adaptive(0.1) < 1.1 * fixed(0.1)


def test_the_peak_stays_within_its_bounds():
    bowl = Bowl()
    config = AdaptiveLR(type="adaptive", peak=1e-5, max_factor=4, warmup_steps=0)
    optimizer = build_optimizer(config, bowl)
    bowl.descend(optimizer, 60)
    assert current_lr(optimizer) == pytest.approx(4e-5)


def test_the_peak_is_not_raised_while_it_warms_up():
    bowl = Bowl()
    optimizer = build_optimizer(AdaptiveLR(type="adaptive", peak=1e-5, warmup_steps=30), bowl)
    bowl.descend(optimizer, 30)
    assert current_lr(optimizer) == pytest.approx(1e-5)
    bowl.descend(optimizer, 10)
    assert current_lr(optimizer) > 2e-5


def test_the_slope_is_the_derivative_of_the_loss_towards_the_newest_weights():
    bowl = Bowl()
    optimizer = build_optimizer(AdaptiveLR(type="adaptive", peak=0.1, warmup_steps=0), bowl)
    assert isinstance(optimizer, AdaptiveScheduleFree)
    assert optimizer.descent_cosine() is None  # x and z are one place before the first update
    bowl.descend(optimizer, 5)
    weights, z = bowl.weights.detach().double(), optimizer.state[bowl.weights]["z"].double()
    way = z - weights
    here = torch.autograd.functional.jacobian(
        lambda t: 0.5 * (CURVATURES.double() * (weights + t * way)[:, 0] ** 2).sum(),
        torch.zeros((), dtype=torch.float64),
    )
    gradient = CURVATURES.double()[:, None] * weights
    bowl.weights.grad = gradient.float()
    expected = -here / (gradient.norm() * way.norm())
    assert optimizer.descent_cosine() == pytest.approx(expected.item(), rel=1e-4)


def test_one_update_changes_the_peak_by_at_most_its_stride():
    bowl = Bowl()
    optimizer = build_optimizer(AdaptiveLR(type="adaptive", peak=0.1, warmup_steps=0), bowl)
    before = 0.1
    for _ in range(40):
        bowl.descend(optimizer, 1)
        assert abs(torch.tensor(current_lr(optimizer) / before).log()) <= MAX_STRIDE + 1e-6
        before = current_lr(optimizer)


FAR_TOO_LARGE = AdaptiveLR(type="adaptive", peak=10, warmup_steps=20, weight_decay=0)


def test_a_warm_up_that_overshoots_goes_back_to_the_first_weights_and_spreads_the_way_that_paid():
    bowl = Bowl()
    optimizer = build_optimizer(FAR_TOO_LARGE, bowl)
    bowl.descend(optimizer, 6)
    before, k = optimizer.param_groups[0]["lr"], 6
    assert not torch.equal(bowl.weights, torch.ones(50, 1))
    bowl.descend(optimizer, 1)
    assert torch.equal(bowl.weights, torch.ones(50, 1))
    with averaged_weights(optimizer):
        assert torch.equal(bowl.weights, torch.ones(50, 1))
    # The slope of this update may have moved the peak by one stride first.
    made = sum(before * (step + 1) / 20 for step in range(k - 1))
    whole = sum((step + 1) / 20 for step in range(20))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(made / whole, rel=MAX_STRIDE)


def test_the_first_weights_are_kept_no_longer_than_they_may_be_needed():
    bowl = Bowl()
    optimizer = build_optimizer(AdaptiveLR(type="adaptive", peak=0.01, warmup_steps=20), bowl)
    bowl.descend(optimizer, 10)
    assert torch.equal(optimizer.state[bowl.weights]["start"], torch.ones(50, 1))
    bowl.descend(optimizer, 1)
    assert "start" not in optimizer.state[bowl.weights]


POLICIES_AND_STOPS = [*((config, 12) for config in POLICIES), (FAR_TOO_LARGE, 4)]
"""With the updates before the stop; the last one has yet to go back."""


@pytest.mark.parametrize(
    ("config", "before"), POLICIES_AND_STOPS, ids=lambda each: getattr(each, "type", str(each))
)
def test_every_policy_goes_on_from_its_state_as_if_never_stopped(config, before, capsys):
    whole = Bowl()
    optimizer = build_optimizer(config, whole)
    whole.descend(optimizer, before)
    with averaged_weights(optimizer):
        state = deepcopy(unflatten(*flatten(optimizer.state_dict())))
        resumed = Bowl()
        resumed.weights.data.copy_(whole.weights.data)
        resumed.noise.set_state(whole.noise.get_state())
    again = build_optimizer(config, resumed)
    restore_optimizer(again, state)
    assert current_lr(again) == current_lr(optimizer) > 0
    whole.descend(optimizer, 10)
    resumed.descend(again, 10)
    assert torch.equal(resumed.weights, whole.weights)
    assert current_lr(again) == current_lr(optimizer)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("config", POLICIES, ids=lambda config: config.type)
def test_every_policy_trains_a_level_and_prints_nothing(make_trainer, make_job, config, capsys):
    job = make_job(max_steps=40)
    job = job.model_copy(update={"level": job.level.model_copy(update={"lr": config})})
    trainer = make_trainer(job=job)
    first = trainer.make_step().ce
    losses = [trainer.make_step().ce for _ in range(30)]
    assert sum(losses[-5:]) / 5 < first - 0.3
    assert capsys.readouterr().out == ""


def test_prodigy_raises_its_estimate_from_far_too_small_and_never_lowers_it():
    bowl = Bowl()
    optimizer = build_optimizer(ProdigyLR(type="prodigy", start=1e-6), bowl)
    rates = []
    for _ in range(100):
        bowl.descend(optimizer, 1)
        rates.append(current_lr(optimizer))
    assert rates == sorted(rates)
    assert 1e-3 < rates[-1] < 10


def test_a_type_is_only_needed_where_it_is_not_schedule_free():
    assert level({"peak": 0.1}).lr == ScheduleFreeLR(peak=0.1)
    assert level({"type": "adaptive"}).lr == AdaptiveLR(type="adaptive")
    assert level({"type": "prodigy"}).lr == ProdigyLR(type="prodigy")


def level(lr):
    return LevelConfig.model_validate({"name": "syntax", "kind": "syntax", "weight": 0.3, "lr": lr})
