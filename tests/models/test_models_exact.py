"""The fast paths against the plain ones: same numbers, whatever the batch."""

import pytest

torch = pytest.importorskip("torch")

from undertow.distil.recipe import Recipe, batches, rate_at, steps_of  # noqa: E402
from undertow.distil.train import Example, train  # noqa: E402
from undertow.experiment.writing import format_automaton  # noqa: E402
from undertow.models.forward import forward_packed, output_weight  # noqa: E402
from undertow.models.generate import generate  # noqa: E402
from undertow.models.packing import pack  # noqa: E402
from undertow.models.score import answer_hidden, answer_logprobs  # noqa: E402


@pytest.fixture
def prompts(tiny):
    texts = ["Add up to 10 numbers.", "Go on: 1, 2, 3", "Add up to 10 numbers.", "x"]
    return [tiny.encode_prompt([{"role": "user", "content": text}]) for text in texts]


def plain_logits(net, tokens):
    with torch.no_grad():
        return net(torch.tensor([tokens])).logits[0]


def test_packed_forward_equals_transformers(tiny, prompts):
    answers = [[5, 6, 7], [8], [5, 9], [10, 11]]
    sequences = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    for groups in (None, [0, 1, 0, 2]):
        packed = pack(sequences, groups)
        with torch.no_grad():
            hidden_ND = forward_packed(tiny.net, packed).hidden_ND
        for sequence, path in zip(sequences, packed.paths, strict=True):
            logits = hidden_ND[path] @ output_weight(tiny.net).T
            torch.testing.assert_close(logits, plain_logits(tiny.net, sequence), atol=2e-5, rtol=1e-4)


def test_answer_logprobs_equal_plain_ones_however_many_contexts_at_once(tiny, prompts):
    answers = [[5], [6, 7, 8], [6, 9]]
    found = answer_logprobs(tiny.net, prompts, answers)
    for row, prompt in enumerate(prompts):
        for column, answer in enumerate(answers):
            logp = plain_logits(tiny.net, prompt + answer).log_softmax(-1)
            expected = sum(logp[len(prompt) - 1 + i, token] for i, token in enumerate(answer))
            assert float(found[row, column]) == pytest.approx(float(expected), abs=1e-4)
    torch.testing.assert_close(answer_logprobs(tiny.net, prompts, answers, contexts_at_once=1), found)


@pytest.mark.parametrize("constrained", [False, True])
def test_a_rows_text_does_not_depend_on_its_batch(tiny, prompts, constrained):
    automaton = format_automaton(tiny) if constrained else None
    many = [prompts[i % len(prompts)] for i in range(24)]
    options = {"seed": 3, "end": tiny.end, "max_tokens": 20, "automaton": automaton}
    whole = generate(tiny.net, many, range(24), batch=24, **options)
    small = generate(tiny.net, many, range(24), batch=5, **options)
    alone = generate(tiny.net, many[7:8], [7], **options)
    assert [answer.tokens for answer in whole] == [answer.tokens for answer in small]
    assert alone[0].tokens == whole[7].tokens
    assert len({answer.tokens for answer in whole}) > 12


def test_hidden_states_kept_while_writing_are_those_of_a_forward_pass(tiny, prompts):
    written = generate(tiny.net, prompts, range(4), seed=1, end=tiny.end, max_tokens=12, keep_hidden=True)
    answers = [(*answer.tokens, tiny.end) if answer.finished else answer.tokens for answer in written]
    again = answer_hidden(tiny.net, prompts, answers)
    for answer, table in zip(written, again, strict=True):
        torch.testing.assert_close(answer.hidden_TD, table, atol=2e-5, rtol=1e-4)


def recipe(**changes):
    fields = {"labels": "hard", "learning_rate": 1e-3, "epochs": 2, "batch": 4, "micro_batch": 4, "warmup": 1}
    return Recipe(**{**fields, "weight_decay": 0.0, "clip": 1.0, **changes})


def trained(folder, examples, how, seed=0):
    from undertow.models.local import load_model

    model = load_model(f"hf/{folder}")
    history = train(model.net, examples, how, seed=seed)
    return model.net, history


def test_the_loss_curve_is_that_of_a_plain_loop_and_of_any_micro_batch(tiny, tiny_folder, prompts):
    examples = [Example(tuple(prompt), (5 + i, 6, tiny.end)) for i, prompt in enumerate(prompts)]
    _, history = trained(tiny_folder, examples, recipe())
    _, small = trained(tiny_folder, examples, recipe(micro_batch=1))
    net = tiny.net
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.0)
    losses = []
    for step, chosen in enumerate(batches([example.prompt for example in examples], recipe(), 0)):
        optimiser.param_groups[0]["lr"] = rate_at(step, 2, recipe())
        total = torch.zeros(())
        for row in chosen:
            tokens = [*examples[row].prompt, *examples[row].answer]
            logp = net(torch.tensor([tokens])).logits[0].log_softmax(-1)
            first = len(examples[row].prompt)
            total = total - sum(logp[i - 1, tokens[i]] for i in range(first, len(tokens)))
        loss = total / sum(len(examples[row].answer) for row in chosen)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
    assert [step.loss for step in history] == pytest.approx(losses, abs=1e-4)
    assert [step.loss for step in small] == pytest.approx(losses, abs=1e-4)


def test_every_row_is_seen_once_an_epoch_and_prompts_stay_together():
    order = batches(["a", "b", "a", "c", "b"], recipe(batch=2, epochs=3), 0)
    assert len(order) == steps_of(5, recipe(batch=2, epochs=3)) == 9
    for epoch in range(3):
        rows = [row for step in order[3 * epoch : 3 * epoch + 3] for row in step]
        assert sorted(rows) == [0, 1, 2, 3, 4]
        assert abs(rows.index(0) - rows.index(2)) == 1
