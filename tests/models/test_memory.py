"""What fits into memory at once, and weights that are lent."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from undertow.assets.cache import cache_dir
from undertow.errors import StoreError
from undertow.models.attention import SHORT
from undertow.models.forward import forward_packed
from undertow.models.memory import (
    FEWEST,
    MOST,
    TABLE,
    chunks_within,
    kept_per_token,
    positions_at_once,
    tokens_that_fit,
)
from undertow.models.packing import pack
from undertow.models.temporary_weights import temporary_weights


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 80))
def test_parts_cover_a_list_in_order_and_are_small_or_single(sizes, most):
    parts = chunks_within(sizes, most)
    assert [size for part in parts for size in sizes[part]] == sizes
    assert all(sum(sizes[part]) <= most or len(sizes[part]) == 1 for part in parts)
    # No two neighbours would fit together.
    assert all(sum(sizes[left]) + sizes[right][0] > most for left, right in pairwise(parts))


def test_the_reckoned_bytes_of_a_token_are_what_a_backward_pass_keeps(tiny):
    kept = 0

    def count(tensor):
        nonlocal kept
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            kept += tensor.numel() * tensor.element_size() if tensor.is_floating_point() else 0
        return tensor

    seen = {weight.data_ptr() for weight in tiny.net.parameters()}
    tokens = list(range(5, 5 + SHORT))
    packed = pack([tokens, tokens[::-1]])
    for weight in tiny.net.parameters():
        weight.requires_grad_(True)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        forward_packed(tiny.net, packed)
    reckoned = kept_per_token(tiny.net.config) * len(packed.ids_N)
    assert 0.7 < kept / reckoned < 1.4


def test_a_small_model_reads_many_tokens_at_once_and_a_large_one_fewer(tiny):
    assert tokens_that_fit(tiny.net) == MOST
    tiny.net.config.num_hidden_layers, before = 10_000, tiny.net.config.num_hidden_layers
    try:
        assert tokens_that_fit(tiny.net) == FEWEST
    finally:
        tiny.net.config.num_hidden_layers = before


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_come_back_bit_for_bit_whatever_happens(dtype):
    weights = [torch.nn.Parameter(torch.randn(size).to(getattr(torch, dtype)).T) for size in ((3, 5), (1, 7))]
    weights[1].requires_grad_(False)
    before = [weight.detach().clone() for weight in weights]

    def change_and_stop() -> None:
        with temporary_weights(weights) as lent:
            for weight in lent:
                (weight.float().sum() * 2).backward()
                with torch.no_grad():
                    weight.add_(weight.grad)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change_and_stop()
    assert all(torch.equal(now, then) for now, then in zip(weights, before, strict=True))
    assert [weight.requires_grad for weight in weights] == [True, False]
    assert all(weight.grad is None for weight in weights)


def test_nothing_is_left_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))
    with temporary_weights([torch.nn.Parameter(torch.ones(3))]):
        assert not list(cache_dir().iterdir())
    assert not list(cache_dir().iterdir())


def test_a_cache_that_cannot_be_written_is_one_message(monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))
    with pytest.raises(StoreError, match="cannot be kept"), temporary_weights([torch.nn.Parameter(torch.ones(3))]):
        pass


@given(st.integers(2, 400_000))
def test_a_table_of_logits_stays_within_its_bytes_unless_that_were_too_few_rows(vocabulary):
    count = positions_at_once(vocabulary)
    assert count in (64, 512) or 4 * count * vocabulary <= TABLE < 4 * (count + 1) * vocabulary
    assert 64 <= count <= 512
