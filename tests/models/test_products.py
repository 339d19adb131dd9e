"""Products with laid-out weights are the modules' own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from undertow.models.products import product_of


class Scaled(nn.Linear):
    """Stands for an adapter: no plain linear layer."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(input)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 40),
    width=st.integers(1, 70),
    outs=st.lists(st.integers(1, 70), min_size=1, max_size=3),
    bias=st.booleans(),
    lay_out=st.booleans(),
)
@torch.inference_mode()
def test_joined_products_are_the_modules_side_by_side(
    rows: int, width: int, outs: list[int], bias: bool, lay_out: bool
) -> None:
    modules = [nn.Linear(width, out, bias=bias) for out in outs]
    x = torch.randn(rows, width)
    expected = torch.cat([module(x) for module in modules], dim=-1)
    torch.testing.assert_close(product_of(modules, lay_out=lay_out)(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@torch.inference_mode()
def test_every_type_of_weights_has_a_product(dtype: torch.dtype) -> None:
    module = nn.Linear(48, 33, dtype=dtype)
    x = torch.randn(5, 48, dtype=dtype)
    found = product_of([module])(x)
    assert found.dtype == dtype
    torch.testing.assert_close(found, module(x), atol=0.02 if dtype == torch.bfloat16 else 1e-5, rtol=0.02)


@torch.inference_mode()
def test_another_module_is_asked_itself() -> None:
    plain, scaled = nn.Linear(8, 4), Scaled(8, 4)
    x = torch.randn(3, 8)
    torch.testing.assert_close(product_of([plain, scaled])(x), torch.cat([plain(x), scaled(x)], dim=-1))
    assert product_of([scaled]) is scaled
