"""Each equation on its own, against the plainest way to write it."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ddeal_core.network.appearance import AppearanceModel
from ddeal_core.network.config import NetworkConfig
from ddeal_core.network.convolution import ConcatConv2d
from ddeal_core.network.dense.matching import DenseMatching
from ddeal_core.network.directional import DirectionalEmbedding, DirectionalFeatures, unit
from ddeal_core.network.matching import match
from ddeal_core.operators import masked_maximum as matching_module
from ddeal_core.operators.masked_maximum import masked_maximum
from ddeal_core.operators.product import product


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def draw_masks(*shape, seed=0):
    share = torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
    return torch.stack([1 - share, share], dim=-2)


# Matching


def naive_match(query, kernels, masks):
    """Eq. (1) to (8) with a loop over everything."""
    groups, objects = masks.shape[:2]
    result = torch.empty(groups, objects, 2, query.shape[2])
    for g, k, m in itertools.product(range(groups), range(objects), range(2)):
        weighted = masks[g, k, m] * kernels[g]  # Eq. (1), (2)
        for pixel in range(query.shape[2]):
            scores = [
                sum(query[g, c, pixel] * weighted[c, n] for c in range(query.shape[1]))
                for n in range(kernels.shape[2])
            ]  # Eq. (5), (6)
            result[g, k, m, pixel] = max(scores)  # Eq. (7), (8)
    return result


def test_match_is_equations_1_to_8():
    query, kernels = F.normalize(draw(2, 3, 7), dim=1), F.normalize(draw(2, 3, 5, seed=1), dim=1)
    masks = draw_masks(2, 2, 5)
    torch.testing.assert_close(match(query, kernels, masks), naive_match(query, kernels, masks))


def test_a_class_without_pixels_matches_with_zero():
    query, kernels = F.normalize(draw(1, 3, 7), dim=1), F.normalize(draw(1, 3, 5, seed=1), dim=1)
    masks = torch.zeros(1, 1, 2, 5)
    masks[:, :, 0] = 1
    scores = match(query, kernels, masks)
    assert torch.equal(scores[0, 0, 1], torch.zeros(7))
    torch.testing.assert_close(scores[0, 0, 0], (kernels[0].T @ query[0]).amax(0))


def naive_maximum(query, kernels, scale, shift):
    scores = torch.einsum("gcl,gcn->gnl", query, kernels)[:, None, None]  # [G, 1, 1, L0, L]
    if scale is not None:
        scores = scores * scale[..., None]
    if shift is not None:
        scores = scores + shift[..., None]
    return scores.amax(3)


@pytest.mark.parametrize("chunk", [1, 40, 1 << 22], ids="chunk-{}".format)
@pytest.mark.parametrize(("with_scale", "with_shift"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("learning", ["features", "weights", "both"])
def test_masked_maximum_and_its_gradient(monkeypatch, chunk, with_scale, with_shift, learning):
    monkeypatch.setattr(matching_module, "_CHUNK", chunk)
    features = [draw(2, 4, 9), draw(2, 4, 6, seed=1)]
    weights = [
        draw(2, 3, 2, 6, seed=2) if with_scale else None,
        draw(2, 3, 2, 6, seed=3) if with_shift else None,
    ]
    seen = []
    for maximum in (naive_maximum, lambda q, k, a, b: masked_maximum(q, k, scale=a, shift=b)):
        leaves = [x if x is None else x.clone() for x in (*features, *weights)]
        learnt = {"features": leaves[:2], "weights": leaves[2:], "both": leaves}[learning]
        learnt = [x.requires_grad_() for x in learnt if x is not None]
        result = maximum(*leaves)
        (result * draw(*result.shape, seed=5)).sum().backward()
        seen.append([result.detach(), *(x.grad for x in learnt)])
        with torch.no_grad():
            torch.testing.assert_close(maximum(*leaves), result)
    for theirs, ours in zip(*seen, strict=True):
        torch.testing.assert_close(ours, theirs)


@settings(max_examples=25, deadline=None)
@given(
    groups=st.integers(1, 3),
    sides=st.tuples(*[st.integers(1, 40)] * 3),
    before=st.tuples(*[st.integers(0, 3)] * 2),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_a_product_of_slices_is_that_of_matrices(groups, sides, before, dtype):
    n, c, m = sides
    a = draw(groups, c, n + 5)[..., before[0] :][..., :n].mT.to(dtype)
    b = draw(groups, c, m + 5, seed=1)[..., before[1] :][..., :m].to(dtype)
    torch.testing.assert_close(product(a, b), a @ b)


def test_a_product_that_learns_has_its_gradient():
    a, b = draw(2, 5, 7).requires_grad_(), draw(2, 7, 3, seed=1)
    product(a, b).sum().backward()
    torch.testing.assert_close(a.grad, b.sum(2)[:, None].expand_as(a))


@settings(max_examples=15, deadline=None)
@given(
    groups=st.integers(1, 2),
    objects=st.integers(1, 3),
    pixels=st.integers(1, 20),
    kernels=st.integers(1, 20),
    chunk=st.integers(1, 60),
    seed=st.integers(0, 99),
)
def test_chunks_change_nothing(groups, objects, pixels, kernels, chunk, seed):
    query, keys = draw(groups, 3, pixels, seed=seed), draw(groups, 3, kernels, seed=seed + 100)
    masks = draw_masks(groups, objects, kernels, seed=seed)
    whole = match(query, keys, masks)
    before = matching_module._CHUNK
    matching_module._CHUNK = chunk
    try:
        torch.testing.assert_close(match(query, keys, masks), whole)
    finally:
        matching_module._CHUNK = before


def test_dense_matching_prefers_what_is_near():
    module = DenseMatching(4, 4, 5)
    same = F.normalize(torch.ones(1, 5, 6, 8), dim=1)  # all features alike: only places differ
    mask = torch.zeros(1, 1, 48, 64)
    mask[..., :24] = 1  # the object is on the left
    weights = module.log_masks(mask)
    scores = module(same, ((same, weights),), (same, weights))
    first, last = scores[:, :2], scores[:, 2:]
    torch.testing.assert_close(first[0, 0], first[0, 1])  # the first frame knows no places
    nearer = (last[0, 1] - last[0, 0]).detach()
    assert (nearer[:, :3] > 0).all()
    assert (nearer[:, 3:] < 0).all()
    assert nearer[2, 7] < nearer[2, 4]


def test_dense_matching_is_trained():
    module = DenseMatching(4, 6, 5)
    s8, s16, mask = draw(1, 4, 6, 8), draw(1, 6, 3, 4), torch.zeros(1, 2, 48, 64)
    mask[:, 0, :24], mask[:, 1, :, 40:] = 1, 1
    frame, weights = module.encode_frame(s8, module.project_s16(s16)), module.log_masks(mask)
    torch.testing.assert_close(frame.norm(dim=1), torch.ones(1, 6, 8), atol=1e-4, rtol=0)
    query = module.encode_frame(s8.roll(1, dims=3), module.project_s16(s16))
    module(query, ((frame, weights),), (frame, weights)).square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


# Directional features and the appearance model


def test_embedded_features_have_unit_length():
    torch.manual_seed(0)
    embedding = DirectionalEmbedding(6, 5)
    features = embedding(draw(2, 6, 7, 9))
    assert features.raw.shape == (2, 5, 63)
    assert features.eps == 1 / 63**2
    length = features.raw.square().sum(1).sqrt()
    torch.testing.assert_close(features.length[:, 0], length)
    torch.testing.assert_close(features.unit, features.raw / (length + 1 / 63**2)[:, None])
    torch.testing.assert_close(features.unit.norm(dim=1), torch.ones(2, 63), atol=5e-3, rtol=0)


def test_a_zero_vector_stays_zero():
    assert torch.equal(unit(torch.zeros(3, 4), 0, 1e-6), torch.zeros(3, 4))


def make_config(**changes):
    options = {"backbone": "resnet18", "directional_channels": 5, **changes}
    return NetworkConfig(preset="test", **options)


def make_features(seed=0, groups=2, channels=5, positions=12):
    raw = draw(groups, channels, positions, seed=seed)
    return DirectionalFeatures(raw, raw.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("concentrations", ["shared", "per-class"])
def test_kappa_begins_at_30_and_is_trained(concentrations):
    model = AppearanceModel(3, make_config(concentrations=concentrations))
    torch.testing.assert_close(model.concentration, torch.tensor([30.0, 30.0]))
    assert model.raw_concentration.numel() == (1 if concentrations == "shared" else 2)
    features = make_features()
    means = model.estimate(features, draw_masks(2, 1, 12))
    model(features, means).square().sum().backward()
    assert (model.raw_concentration.grad > 0).all()


def test_kappa_begins_where_the_configuration_says():
    model = AppearanceModel(3, make_config(concentration=0.25))
    torch.testing.assert_close(model.concentration, torch.tensor([0.25, 0.25]))


def test_scores_are_kappa_times_cosine():
    model = AppearanceModel(3, make_config(concentrations="per-class"))
    model.raw_concentration.data = torch.tensor([3.0, 9.0])
    features, means = make_features(), draw(2, 3, 4, 5, seed=4)
    scores = model(features, means)
    kappa = F.softplus(torch.tensor([3.0, 9.0]))
    for g, k, m, position in itertools.product(range(2), range(3), range(4), range(12)):
        r = features.raw[g, :, position]
        expected = kappa[m % 2] * (means[g, k, m] @ r) / r.norm()
        torch.testing.assert_close(scores[g, k, m, position], expected)


def naive_estimate(model, features, labels, previous):
    """Algorithm 1, "Update", for one video and one object; returns four means."""
    config, raw = model.config, features.raw[0]
    positions = raw.shape[1]
    eps = 1 / positions**2
    unit_features = raw / (raw.norm(dim=0) + eps)
    kappa = model.concentration

    def direction(alpha, x):
        mean = sum(alpha[n] * x[:, n] for n in range(positions)) / positions
        return mean / (mean.norm() + eps)

    def mix(k, fresh):
        if previous is None:
            return fresh
        return (1 - config.update_rate) * previous[k] + config.update_rate * fresh

    fresh = [direction(labels[k], unit_features) for k in range(2)]
    means = [mix(k, fresh[k]) for k in range(2)]
    judged = fresh if config.residual_posterior == "fresh" else means
    logits = torch.stack([kappa[k] * (judged[k] @ raw) / raw.norm(dim=0) for k in range(2)])
    posterior = logits.exp() / logits.exp().sum(0)
    for k in range(2):
        alpha = torch.clamp(labels[k] - posterior[k], min=0)
        x = unit_features if config.supplementary_features == "unit" else raw
        means.append(mix(2 + k, direction(alpha, x)))
    return torch.stack(means)


@pytest.mark.parametrize("features_kind", ["unit", "raw"])
@pytest.mark.parametrize("posterior", ["updated", "fresh"])
@pytest.mark.parametrize("updating", [False, True])
def test_estimates_are_equations_13_to_16(features_kind, posterior, updating):
    config = make_config(
        supplementary_features=features_kind, residual_posterior=posterior, concentration=4.0
    )
    model = AppearanceModel(3, config)
    features, labels = make_features(groups=1), draw_masks(1, 2, 12)
    previous = model.estimate(make_features(5, groups=1), draw_masks(1, 2, 12, seed=6))
    result = model.estimate(features, labels, previous if updating else None)
    for k in range(2):
        expected = naive_estimate(
            model, features, labels[0, k], previous[0, k] if updating else None
        )
        torch.testing.assert_close(result[0, k], expected)


def test_first_estimates_have_unit_length():
    model = AppearanceModel(3, make_config(concentration=2.0))
    # Many positions, so that the released code's 1/N^2 is small against the sums.
    means = model.estimate(make_features(positions=400), draw_masks(2, 3, 400))
    torch.testing.assert_close(means.norm(dim=-1), torch.ones(2, 3, 4), atol=2e-3, rtol=0)


def test_the_update_rate_is_a_tenth_and_nothing_is_normalised_again():
    config = make_config()
    assert config.update_rate == 0.1
    model = AppearanceModel(3, config)
    features, labels = make_features(), draw_masks(2, 1, 12)
    fresh = model.estimate(features, labels)
    opposite = -fresh
    updated = model.estimate(features, labels, opposite)
    torch.testing.assert_close(updated[:, :, :2], 0.9 * opposite[:, :, :2] + 0.1 * fresh[:, :, :2])
    lengths = updated[:, :, :2].norm(dim=-1)
    torch.testing.assert_close(lengths, 0.8 * fresh[:, :, :2].norm(dim=-1))


def test_an_object_that_is_nowhere_keeps_finite_means():
    model = AppearanceModel(3, make_config())
    features = make_features()
    labels = torch.zeros(2, 1, 2, 12)
    labels[:, :, 0] = 1
    means = model.estimate(features, labels)
    assert torch.isfinite(means).all()
    assert torch.equal(means[:, :, 1], torch.zeros(2, 1, 5))
    flat = DirectionalFeatures(torch.zeros(2, 5, 12), torch.zeros(2, 1, 12))
    assert torch.isfinite(model(flat, means)).all()
    assert torch.isfinite(model.estimate(flat, labels, means)).all()


# Convolution of a concatenation


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("parts", [(3,), (2, 4), (3, 1, 2, 5)])
def test_parts_of_a_convolution_sum_to_the_whole(parts, kernel_size):
    module = ConcatConv2d(parts, 6, kernel_size)
    module.bias.data = draw(6)
    inputs = [draw(2, channels, 7, 8, seed=i) for i, channels in enumerate(parts)]
    plain = torch.nn.Conv2d(sum(parts), 6, kernel_size, padding=kernel_size // 2)
    plain.load_state_dict(module.state_dict())  # the parameters have the same names and shapes
    summed = sum(module(x, part=i) for i, x in enumerate(inputs))
    torch.testing.assert_close(summed, plain(torch.cat(inputs, dim=1)), atol=1e-5, rtol=1e-5)
