"""Every architecture, whichever pass computes it, against transformers' own forward pass on each text alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from architectures import ARCHITECTURES, WINDOW
from undertow.attribution.capture import SIDE, captured, norm_count, projection_of
from undertow.models.engine import generic
from undertow.models.engine.head import head_of
from undertow.models.engine.network import network_of, text_config
from undertow.models.engine.selection import choose, pass_of, set_pass
from undertow.models.forward import forward_packed
from undertow.models.generate import generate
from undertow.models.local import LocalModel, load_model
from undertow.models.packing import pack
from undertow.models.score import answer_hidden, answers_to_each, token_logprobs, tokens_to_each

CLOSE = 3e-4
"""Nats, or of a gradient relative to its largest entry: what float32 leaves between two orders of the same sums."""


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def model(request: pytest.FixtureRequest, architecture_folder: Callable[[str], Path], tmp_path_factory: Any) -> Any:
    patch = pytest.MonkeyPatch()
    patch.setenv("UNDERTOW_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield load_model(f"hf/{architecture_folder(request.param)}")
    patch.undo()


def texts() -> tuple[list[list[int]], list[list[int]]]:
    """Return prompts longer than every window, two of them equal and two with a long beginning in common; answers."""
    drawn = torch.randint(2, 258, (60,), generator=torch.Generator().manual_seed(0)).tolist()
    first = drawn[: 3 * WINDOW]
    prompts = [first, [*first, 7], first, drawn[20:25], drawn[30 : 30 + 2 * WINDOW]]
    return prompts, [[5, 6, 7, 8], [9], [5, 9, 3], drawn[40:52], [10, 11]]


def plain(net: Any, tokens: list[int]) -> Any:
    """Return transformers' own log-probabilities."""
    return net(torch.tensor([tokens])).logits[0].float().log_softmax(-1)


def test_packed_equals_each_text_alone(model: LocalModel) -> None:
    prompts, answers = texts()
    whole = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    head = head_of(model.net)
    for groups in (None, [0, 1, 0, 2, 3], [0, 0, 0, 1, 1], [0] * 5):
        packed = pack(whole, groups)
        with torch.no_grad():
            hidden_ND = forward_packed(model.net, packed).hidden_ND
            for tokens, path in zip(whole, packed.paths, strict=True):
                found = head(hidden_ND[path]).float().log_softmax(-1)
                torch.testing.assert_close(found, plain(model.net, tokens), atol=CLOSE, rtol=0)


def test_scores_do_not_depend_on_the_batch(model: LocalModel) -> None:
    prompts, answers = texts()
    together = token_logprobs(model.net, prompts, answers)
    for prompt, answer, found in zip(prompts, answers, together, strict=True):
        (alone,) = token_logprobs(model.net, [prompt], [answer])
        torch.testing.assert_close(found, alone, atol=CLOSE, rtol=0)


def test_gradients_are_those_of_each_text_alone(model: LocalModel) -> None:
    prompts, answers = texts()
    each = [[answer, [4, 4]] for answer in answers]
    model.net.requires_grad_(True)
    weights = dict(model.net.named_parameters())
    ours = torch.autograd.grad(
        answers_to_each(model.net, prompts, each).sum(), list(weights.values()), materialize_grads=True
    )
    total = torch.zeros(())
    for prompt, some in zip(prompts, each, strict=True):
        for answer in some:
            logp = plain(model.net, [*prompt, *answer])
            total = total + sum(logp[len(prompt) - 1 + at, token] for at, token in enumerate(answer))
    theirs = torch.autograd.grad(total, list(weights.values()), materialize_grads=True)
    for name, one, other in zip(weights, ours, theirs, strict=True):
        torch.testing.assert_close(
            one, other, atol=CLOSE * max(1.0, float(other.abs().max())), rtol=0, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_captured_gradients_are_those_of_the_weights(model: LocalModel) -> None:
    prompts, answers = texts()
    network = network_of(model.net)
    model.net.requires_grad_(True)
    with captured(model.net) as record:
        answers_to_each(model.net, prompts, [[each] for each in answers], seen=record.last).sum().backward()
        (found_F,) = record.per_segment(torch.zeros(record.count, dtype=torch.long), 1)
    weights = [norm.weight for norm in network.norms] + [each.weight for each in network.matrices]
    loss = answers_to_each(model.net, prompts, [[each] for each in answers]).sum()
    gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
    norms = torch.cat([each.flatten() for each in gradients[: len(network.norms)]])
    assert len(norms) == norm_count(model.net)
    parts = [norms]
    for at, (matrix, gradient) in enumerate(zip(network.matrices, gradients[len(network.norms) :], strict=True)):
        sides = projection_of(at, matrix)
        gradient_OI = gradient.T if matrix.turned else gradient
        parts.append((sides.passed.T @ gradient_OI @ sides.read).flatten())
    expected_F = torch.cat(parts)
    assert len(found_F) == len(norms) + len(network.matrices) * SIDE**2
    torch.testing.assert_close(found_F, expected_F, atol=CLOSE * float(expected_F.abs().max()), rtol=0)


def test_greedy_answers_are_those_of_transformers(model: LocalModel) -> None:
    prompts, _ = texts()
    found = generate(model.net, prompts, range(5), seed=0, end=model.end, max_tokens=16, temperature=0.0)
    for prompt, answer in zip(prompts, found, strict=True):
        ids = torch.tensor([prompt])
        with torch.no_grad():
            whole = model.net.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16, eos_token_id=model.end
            )
        theirs = whole[0, len(prompt) :].tolist()
        assert list(answer.tokens) + ([model.end] if answer.finished else []) == theirs


def test_sampled_answers_do_not_depend_on_the_batch(model: LocalModel) -> None:
    prompts, _ = texts()
    options: Any = {"seed": 3, "end": model.end, "max_tokens": 12, "temperature": 3.0}
    many = [*prompts, *prompts]
    whole = generate(model.net, many, range(10), keep_hidden=True, **options)
    small = generate(model.net, many, range(10), batch=3, **options)
    (alone,) = generate(model.net, many[7:8], [7], **options)
    assert [each.tokens for each in whole] == [each.tokens for each in small]
    assert alone.tokens == whole[7].tokens
    assert len({each.tokens for each in whole}) == 10
    written = [(*each.tokens, model.end) if each.finished else each.tokens for each in whole]
    for answer, table_TD in zip(whole, answer_hidden(model.net, many, written), strict=True):
        torch.testing.assert_close(answer.hidden_TD, table_TD, atol=2e-3, rtol=2e-3)


def test_a_vector_is_added_to_a_layers_output_in_reading_and_in_writing(model: LocalModel) -> None:
    prompts, answers = texts()
    network = network_of(model.net)
    vector_D = torch.randn(network.config.hidden_size, generator=torch.Generator().manual_seed(1))
    packed = pack([[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)])
    with torch.no_grad():
        before = forward_packed(model.net, packed, keep_layers=(0,)).layers[0]
        after = forward_packed(model.net, packed, keep_layers=(0,), steering={0: vector_D}).layers[0]
    torch.testing.assert_close(after - before, vector_D.expand_as(before), atol=1e-4, rtol=1e-4)
    options: Any = {"seed": 3, "end": model.end, "max_tokens": 8, "temperature": 3.0, "steering": {0: vector_D}}
    written = generate(model.net, prompts, range(5), keep_hidden=True, **options)
    tokens = [(*each.tokens, model.end) if each.finished else each.tokens for each in written]
    again = answer_hidden(model.net, prompts, tokens, steering={0: vector_D})
    for answer, table_TD in zip(written, again, strict=True):
        torch.testing.assert_close(answer.hidden_TD, table_TD, atol=2e-3, rtol=2e-3)


def test_passes_agree(model: LocalModel) -> None:
    prompts, answers = texts()
    own = pass_of(model.net)
    found = token_logprobs(model.net, prompts, answers)
    possible = choose(text_config(model.net))
    assert "rows" in possible
    try:
        for name in possible:
            set_pass(model.net, name)
            for one, other in zip(found, token_logprobs(model.net, prompts, answers), strict=True):
                torch.testing.assert_close(one, other, atol=CLOSE, rtol=0)
    finally:
        set_pass(model.net, own)


def test_rows_are_computed_some_at_a_time(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, answers = texts()
    packed = pack([[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)], [0] * 5)
    lengths: list[int] = []
    watch = (
        network_of(model.net)
        .layers[0]
        .register_forward_pre_hook(lambda _module, inputs: lengths.append(len(inputs[0])))
    )
    found = []
    with torch.no_grad():
        for tokens in (4096, 2 * max(map(len, packed.paths)), 1):
            monkeypatch.setattr(generic, "ROWS_TOKENS", tokens)
            options: Any = {"rows": True, "steering": None, "keep_layers": (0,)}
            hidden_ND, layers, _ = generic.forward_generic(model.net, packed, **options)
            found.append(torch.stack([hidden_ND, layers[0]]))
    watch.remove()
    assert lengths == [5, 2, 2, 1, 1, 1, 1, 1, 1]
    for each in found[1:]:
        torch.testing.assert_close(each, found[0], atol=CLOSE, rtol=1e-5)


def test_the_tokens_of_a_gradient_are_counted_as_the_pass_computes_them(model: LocalModel) -> None:
    shared = tokens_to_each(model.net, [[5] * 7, [6]], [[[1], [2, 3]], [[4], [5]]])
    assert shared == ([17, 4] if pass_of(model.net) == "rows" else [10, 3])
