"""What holds for every family: roles, exact curvature, copies, one sample at a time."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from lrtransfer.curvature import HessianOperator
from lrtransfer.scaling.multiplier import multiply_output
from lrtransfer.scaling.roles import Roles
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.catalog import GRID_OPTIONS
from tests.study.models.cases import CASES, CLASSES, Case, build, inputs

every_case = pytest.mark.parametrize("case", CASES, ids=str)


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(outputs.flatten(0, -2), targets.flatten())


def targets(outputs: Tensor) -> Tensor:
    return torch.arange(outputs[..., 0].numel()).view(outputs.shape[:-1]) % CLASSES


@every_case
def test_one_forward_value_stays(case: Case) -> None:
    last = build(case).eval()(inputs(case)).flatten()[-1].item()
    assert last == pytest.approx(case.output, rel=1e-9)


@every_case
def test_every_parameter_has_a_role_and_every_branch_is_named(case: Case) -> None:
    model = build(case)
    roles: Roles = model.roles()  # type: ignore[operator]
    assert roles.tensors.keys() == dict(model.named_parameters()).keys()
    assert set(roles.tensors.values()) <= set(catalog.constant("models", case.family, "ROLES"))
    assert list(roles.tensors.values()).count("output") == 1
    assert len(roles.branches) == len(set(roles.branches)) == case.branches
    assert all(model.get_submodule(name) is not None for name in roles.branches)
    for name, head in roles.attention_logits.items():
        queries = torch.ones(1, head, dtype=torch.float64)
        assert model.get_submodule(name)(queries, queries).item() == pytest.approx(head**0.5)


@pytest.mark.parametrize("family", catalog.families())
def test_declared_roles_are_those_that_occur_for_some_option(family: str) -> None:
    occurring: set[str] = set()
    for case in CASES:
        if case.family == family:
            roles: Roles = build(case).roles()  # type: ignore[operator]
            occurring |= set(roles.tensors.values())
            occurring |= {"branch"} if roles.branches else set()
            occurring |= {"attention_logits"} if roles.attention_logits else set()
    declared = catalog.constant("models", family, "ROLES")
    assert len(declared) == len(set(declared))
    assert set(declared) == occurring


@every_case
def test_each_tensor_is_alone_in_its_submodule(case: Case) -> None:
    owners = [name.rpartition(".")[0] for name, _ in build(case).named_parameters()]
    assert len(owners) == len(set(owners))


@every_case
@torch.no_grad()
def test_a_multiplier_on_the_submodule_acts_as_one_on_its_tensor(case: Case) -> None:
    model, batch = build(case), inputs(case, n=2)
    for name, parameter in model.named_parameters():
        owner, value = model.get_submodule(name.rpartition(".")[0]), parameter.clone()
        multiply_output(owner, 1.5)
        hooked = model(batch)
        owner._forward_hooks.clear()
        parameter.copy_(1.5 * value)
        torch.testing.assert_close(hooked, model(batch), rtol=1e-10, atol=1e-10, msg=name)
        parameter.copy_(value)


@every_case
def test_a_multiplied_branch_changes_the_output(case: Case) -> None:
    batch, plain = inputs(case), build(case)
    roles: Roles = plain.roles()  # type: ignore[operator]
    for name in roles.branches:
        hooked = build(case)
        multiply_output(hooked.get_submodule(name), 0.5)
        assert not torch.allclose(hooked(batch), plain(batch), rtol=1e-6)


@every_case
def test_the_hessian_product_is_symmetric_and_the_gradients_slope(case: Case) -> None:
    model, batch = build(case), inputs(case)
    aims = targets(model(batch))
    operator = HessianOperator(model, loss, (batch, aims))
    generator = torch.Generator().manual_seed(1)
    v, w = torch.randn(2, operator.dim, generator=generator, dtype=torch.float64)
    v, w = v / v.norm(), w / w.norm()
    product = operator(v)
    assert abs(v @ operator(w) - w @ product) <= 1e-10

    def gradient_at(step: float) -> Tensor:
        moved = copy.deepcopy(model)
        flat = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
        torch.nn.utils.vector_to_parameters(flat + step * v, moved.parameters())
        parts = torch.autograd.grad(loss(moved(batch), aims), list(moved.parameters()))
        return torch.cat([part.flatten() for part in parts])

    # Fourth order in the step, so that it may be large beside the round-off.
    near, far = (gradient_at(s) - gradient_at(-s) for s in (1e-4, 2e-4))
    slope = (8 * near - far) / 1.2e-3
    assert (product - slope).norm() <= 1e-6 * max(1.0, product.norm())
    assert product.norm() > 1e-8


@every_case
def test_a_sample_does_not_depend_on_its_batch(case: Case) -> None:
    model, batch = build(case).eval(), inputs(case)
    alone = torch.cat([model(sample[None]) for sample in batch])
    torch.testing.assert_close(model(batch), alone, rtol=1e-10, atol=1e-10)


@every_case
def test_copies_and_functional_calls_agree_with_the_model(case: Case) -> None:
    model, batch = build(case).eval(), inputs(case)
    expected = model(batch)
    assert torch.equal(copy.deepcopy(model)(batch), expected)
    assert torch.equal(pickle.loads(pickle.dumps(model))(batch), expected)
    zeros = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    assert torch.equal(functional_call(model, dict(model.named_parameters()), batch), expected)
    assert torch.equal(functional_call(model, zeros, batch), torch.zeros_like(expected))
    assert torch.equal(model(batch), expected)


@pytest.mark.parametrize("family", catalog.families())
def test_the_catalog_reads_options_whose_defaults_fit(family: str) -> None:
    options = catalog.options("models", family)
    assert options.keys() >= GRID_OPTIONS
    for name, option in options.items():
        annotation = option.annotation.removesuffix(" | None")
        assert annotation.startswith("Literal[") or annotation in {
            "int",
            "float",
            "bool",
            "str",
        }, name
        if not option.required:
            assert catalog.mismatch(option.annotation, option.default) is None, name
