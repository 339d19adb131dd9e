"""Plain attention of short rows is the fused kernel's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from undertow.models.attention import SHORT, attend


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("key_heads", [1, 2, 6])
@pytest.mark.parametrize("length", [1, 17, SHORT, SHORT + 1])
def test_values_and_gradients_are_those_of_the_fused_kernel(masked: bool, key_heads: int, length: int) -> None:
    generator = torch.Generator().manual_seed(length)
    q, k, v = (
        torch.randn(3, heads, length, 8, generator=generator, requires_grad=True) for heads in (6, key_heads, key_heads)
    )
    # Like a row of several texts: some of what comes before is another text's.
    keeps = torch.rand(3, 1, length, length, generator=generator) > 0.4
    sees = (keeps | torch.eye(length, dtype=torch.bool)).tril() if masked else None
    found = attend(q, k, v, sees, 0.3)
    mask = torch.ones(length, length, dtype=torch.bool).tril() if sees is None else sees
    wanted = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=0.3, enable_gqa=True)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    weight = torch.randn(found.shape, generator=generator)
    for one, other in zip(
        torch.autograd.grad((found * weight).sum(), (q, k, v)),
        torch.autograd.grad((wanted * weight).sum(), (q, k, v)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_half_precision_stays_near() -> None:
    length = 40
    q, k, v = (torch.randn(2, 4, length, 16) for _ in range(3))
    found = attend(*(each.bfloat16() for each in (q, k, v)), None, 0.25)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), attend(q, k, v, None, 0.25), atol=0.03, rtol=0.03)
