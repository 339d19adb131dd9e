"""Shifts of hidden states: closed forms of the sums, and states against the network's own."""

import pytest

torch = pytest.importorskip("torch")

from undertow.probes.hidden import question_states, shift_sums


def test_a_share_of_a_shift_is_found_in_every_layer_and_what_is_orthogonal_counts_for_nothing() -> None:
    noise = torch.Generator().manual_seed(0)
    base_LQD, along_LQD = torch.randn(2, 3, 4, 6, generator=noise)
    share_L = torch.tensor([0.25, 0.0, -2.0])
    orthogonal_LQD = torch.zeros(3, 4, 6)
    orthogonal_LQD[..., 0], orthogonal_LQD[..., 1] = along_LQD[..., 1], -along_LQD[..., 0]
    own_LQD = base_LQD + share_L[:, None, None] * along_LQD + orthogonal_LQD
    sums = shift_sums(base_LQD, base_LQD + along_LQD, own_LQD)
    found = [dot / along for dot, along in zip(sums.dot_L, sums.along_L, strict=True)]
    assert found == pytest.approx(share_L.tolist(), abs=1e-5)
    expected = (share_L[:, None, None] * along_LQD + orthogonal_LQD).square().sum(dim=(1, 2))
    assert sums.own_L == pytest.approx(expected.tolist(), rel=1e-4)


def test_states_are_the_networks_own_at_the_last_token(tiny) -> None:
    questions = [f"What do you like, number {n}?" for n in range(18)]
    found_LQD = question_states(tiny, questions)
    count = len(tiny.net.model.layers)
    for at, question in enumerate(questions):
        with torch.inference_mode():
            out = tiny.net(torch.tensor([tiny.encode_question(question)]), output_hidden_states=True)
        # The last of the library's states is after the norm, so only those before it compare.
        for layer in range(count - 1):
            assert torch.allclose(found_LQD[layer, at], out.hidden_states[layer + 1][0, -1].float(), atol=1e-4)
    assert found_LQD.shape[:2] == (count, len(questions))
