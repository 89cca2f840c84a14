"""The price of an update on a GPU that is not here, against FLOPs and kernels counted by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lrtransfer.study.plan.run_config import ModelConfig, NamedConfig, RunConfig
from lrtransfer.study.plan.schema import Card as Stated
from lrtransfer.study.workflow.card import Card
from lrtransfer.study.workflow.start import select
from tests.tiny import ROOT, tiny_run

SIZES = (784, 10)


def config(width: int, **changes: Any) -> RunConfig:
    options = {"skip": 1.0, "activation": "relu", "layers_per_branch": 1}
    model = ModelConfig(family="residual_mlp", options=options, width=width, depth=3)
    return replace(tiny_run().config, model=model, precision="float32", **changes)


def test_a_large_update_takes_its_flops_at_the_stated_share_of_the_peak() -> None:
    """A product of (B, n) with (n, m) has 2·B·n·m FLOP, its two gradients as many each."""
    stated = Stated(utilisation=0.5, kernel_us=1e-3, jobs=1)
    width, batch = 4096, 512
    weights = 784 * width + 3 * width**2 + width * 10
    expected = 3 * 2 * batch * weights / (19.5e12 * 0.5)
    assert Card(stated).update(config(width, batch_size=batch), SIZES) == pytest.approx(expected)
    mixed = config(width, batch_size=batch)
    mixed = replace(mixed, precision="bfloat16")
    assert Card(stated).update(mixed, SIZES) == pytest.approx(expected * 19.5 / 312)


def test_a_small_update_takes_its_kernels_and_leaves_the_card_to_other_jobs() -> None:
    alone, shared = Card(Stated(jobs=1)), Card(Stated(jobs=4))
    small, wider = config(8), config(16)
    assert alone.update(small, SIZES) == alone.update(wider, SIZES)  # as many kernels
    assert alone.update(small, SIZES) == pytest.approx(4 * shared.update(small, SIZES))
    waiting = Card(Stated(jobs=4), shared=False)
    assert waiting.update(small, SIZES) == alone.update(small, SIZES)
    kernels = alone.update(small, SIZES) / 8e-6
    # Five products, three or four activations and sums of branches, tripled; 5 tensors.
    assert 3 * 8 + 8 * 5 <= kernels <= 3 * 30 + 8 * 5
    assert shared.idles(small, SIZES)
    assert not shared.idles(config(8192, batch_size=4096), SIZES)


def test_a_tuner_s_update_costs_its_price_and_curvature_is_priced_in_float32() -> None:
    card = Card(Stated(kernel_us=1e-3))
    plain = config(1024, batch_size=256)
    tuned = replace(plain, tuner=NamedConfig(name="cdat", options={}))
    assert card.update(tuned, SIZES) == pytest.approx(3.0 * card.update(plain, SIZES))
    mixed = replace(tuned, precision="bfloat16")
    assert card.gradient(mixed, SIZES, 256) == card.update(plain, SIZES)


def test_runs_at_once_share_their_kernels_and_no_flops() -> None:
    card = Card(Stated(jobs=1))
    small, large = config(8), config(8192, batch_size=4096)
    ten_small, ten_large = replace(small, batched=10), replace(large, batched=10)
    assert card.update(ten_small, SIZES) == pytest.approx(card.update(small, SIZES) / 10)
    assert card.update(ten_large, SIZES) == card.update(large, SIZES)
    assert card.gradient(ten_small, SIZES, 8) == card.gradient(small, SIZES, 8)


@pytest.mark.slow
def test_the_gpu_scale_fits_into_a_day_of_one_card() -> None:
    """All three papers, with all their experiments, by the numbers of params.yaml."""
    from lrtransfer.study.workflow.cost import dataset_sizes, run_seconds, spectra_seconds

    plan = select(ROOT / "params.yaml", "gpu", "all").plan
    papers = {plan.study.study[name].paper for name in plan.experiments}
    assert {"super-consistency", "weight-decay", "cdat"} <= papers
    families = {run.config.model.family for run in plan.runs}
    assert {"convnet", "residual_convnet", "resnet", "vit", "gpt", "llama"} <= families
    card, sizes = Card(plan.study.resources.card), dataset_sizes(plan)
    runs = {run.key: run for run in plan.runs}.values()
    seconds = sum(run_seconds(run, sizes[run.config.data], card) for run in runs)
    assert seconds + spectra_seconds(plan, sizes, card) < 24 * 3600
