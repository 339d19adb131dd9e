"""The fast paths against the plain ones: same numbers, whatever the batch."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from undertow.domains.numbers import NUMBER_LISTS
from undertow.models.constrain import grammar_automaton
from undertow.models.engine.head import head_of
from undertow.models.forward import forward_packed
from undertow.models.generate import generate
from undertow.models.packing import common_length, pack
from undertow.models.score import answer_hidden, answer_logprobs, batches_of, token_logprobs
from undertow.training.recipe import Recipe, batches, rate_at, steps_of
from undertow.training.train import Example, train


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
            logits = head_of(tiny.net)(hidden_ND[path])
            torch.testing.assert_close(logits, plain_logits(tiny.net, sequence), atol=2e-5, rtol=1e-4)


def test_answer_logprobs_equal_plain_ones_however_many_at_once(tiny, prompts):
    answers = [[5], [6, 7, 8], [6, 9]]
    each = [answers] * len(prompts)
    found = answer_logprobs(tiny.net, prompts, each)
    for row, prompt in enumerate(prompts):
        for column, answer in enumerate(answers):
            logp = plain_logits(tiny.net, prompt + answer).log_softmax(-1)
            expected = sum(logp[len(prompt) - 1 + i, token] for i, token in enumerate(answer))
            assert float(found[row, column]) == pytest.approx(float(expected), abs=1e-4)
    torch.testing.assert_close(answer_logprobs(tiny.net, prompts, each, tokens_at_once=1), found, atol=1e-5, rtol=0)


@given(
    pairs=st.lists(st.tuples(st.lists(st.integers(0, 2), max_size=9), st.integers(1, 700)), max_size=40),
    tokens_at_once=st.integers(1, 3000),
)
def test_batches_hold_every_pair_once_and_stay_within_their_size(pairs, tokens_at_once):
    prompts, answers = [prompt for prompt, _ in pairs], [[1] * size for _, size in pairs]
    found = list(batches_of(prompts, answers, tokens_at_once))
    assert sorted(pair for batch in found for pair in batch.pairs) == list(range(len(pairs)))
    for batch in found:
        tokens, before = 0, None
        for pair, group in zip(batch.pairs, batch.groups, strict=True):
            joined = before is not None and before[1] == group
            rest = len(prompts[pair]) - (common_length(prompts[before[0]], prompts[pair]) if joined else 0)
            # One row holds one prompt, or prompts that are nearly all in common.
            assert not joined or rest == 0 or len(prompts[pair]) - rest >= 4 * (rest + len(answers[pair]))
            tokens += rest + len(answers[pair])
            before = (pair, group)
        assert tokens <= tokens_at_once or len(batch.pairs) == 1


def test_questions_after_one_long_beginning_score_as_they_do_alone(tiny):
    beginning = torch.randint(0, 200, (150,), generator=torch.Generator().manual_seed(1)).tolist()
    asked = [[*beginning, *question] for question in ([3], [4, 5], [4, 6], [7, 8, 9], [7, 8, 9])]
    answers = [[1, 2], [2], [3, 1], [4], [5, 6]]
    assert len(set(next(iter(batches_of(asked, answers))).groups)) == 1
    together = token_logprobs(tiny.net, asked, answers)
    for prompt, answer, found in zip(asked, answers, together, strict=True):
        (alone,) = token_logprobs(tiny.net, [prompt], [answer])
        torch.testing.assert_close(found, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("constrained", [False, True])
def test_a_rows_text_does_not_depend_on_its_batch(tiny, prompts, constrained):
    automaton = grammar_automaton(tiny, NUMBER_LISTS) if constrained else None
    many = [prompts[i % len(prompts)] for i in range(24)]
    options = {"seed": 3, "end": tiny.end, "max_tokens": 20, "automaton": automaton}
    whole = generate(tiny.net, many, range(24), batch=24, **options)
    small = generate(tiny.net, many, range(24), batch=5, **options)
    alone = generate(tiny.net, many[7:8], [7], **options)
    assert [answer.tokens for answer in whole] == [answer.tokens for answer in small]
    assert alone[0].tokens == whole[7].tokens
    assert len({answer.tokens for answer in whole}) > 12


def test_an_answer_that_is_over_is_ended_and_the_others_go_on(tiny, prompts):
    rows = range(len(prompts))
    free = generate(tiny.net, prompts, rows, seed=3, end=tiny.end, max_tokens=12)
    ended = generate(
        tiny.net,
        prompts,
        rows,
        seed=3,
        end=tiny.end,
        max_tokens=12,
        is_over=lambda tokens: len(tokens) == 4,
        keep_hidden=True,
    )
    for one, other in zip(free, ended, strict=True):
        assert other.tokens == one.tokens[:4]
        assert other.finished
        assert other.hidden_TD is not None
        assert len(other.hidden_TD) == len(other.tokens) + 1


def test_hidden_states_kept_while_writing_are_those_of_a_forward_pass(tiny, prompts):
    written = generate(tiny.net, prompts, range(4), seed=1, end=tiny.end, max_tokens=12, keep_hidden=True)
    answers = [(*answer.tokens, tiny.end) if answer.finished else answer.tokens for answer in written]
    again = answer_hidden(tiny.net, prompts, answers)
    for answer, table in zip(written, again, strict=True):
        torch.testing.assert_close(answer.hidden_TD, table, atol=2e-5, rtol=1e-4)


def test_a_rows_score_does_not_depend_on_its_batch(tiny, prompts):
    rng = torch.Generator().manual_seed(0)
    many = [prompts[i % len(prompts)] for i in range(24)]
    answers = [torch.randint(5, 60, (1 + i % 7,), generator=rng).tolist() for i in range(24)]
    whole = token_logprobs(tiny.net, many, answers)
    order = torch.randperm(24, generator=rng).tolist()
    other = token_logprobs(tiny.net, [many[i] for i in order], [answers[i] for i in order], tokens_at_once=90)
    for place, row in enumerate(order):
        assert len(whole[row]) == len(answers[row])
        torch.testing.assert_close(other[place], whole[row], atol=1e-5, rtol=0)
        (alone,) = token_logprobs(tiny.net, [many[row]], [answers[row]])
        torch.testing.assert_close(alone, whole[row], atol=1e-5, rtol=0)


def test_in_bf16_a_rows_score_stays_within_the_tolerance(tiny_folder, prompts):
    from undertow.models.local import load_model

    # Eight bits of mantissa: a logit of about 4 is off by up to 0.016, and a sum over layers by a few times that.
    tolerance = 0.1
    rough, exact = (load_model(f"hf/{tiny_folder}", dtype=dtype).net for dtype in ("bfloat16", "float32"))
    many, answers = [*prompts, *prompts], [[5 + i, 6, 7] for i in range(8)]
    whole = token_logprobs(rough, many, answers)
    for row, expected in enumerate(token_logprobs(exact, many, answers)):
        (alone,) = token_logprobs(rough, [many[row]], [answers[row]])
        torch.testing.assert_close(whole[row], alone, atol=tolerance, rtol=0)
        torch.testing.assert_close(whole[row], expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("constrained", [False, True])
def test_bf16_weights_write_rows(tiny_folder, prompts, constrained):
    from undertow.models.local import load_model

    model = load_model(f"hf/{tiny_folder}", dtype="bfloat16")
    automaton = grammar_automaton(model, NUMBER_LISTS) if constrained else None
    written = generate(
        model.net, prompts, range(4), seed=3, end=model.end, max_tokens=20, automaton=automaton, keep_hidden=True
    )
    assert all(len(answer.tokens) + answer.finished == len(answer.hidden_TD) for answer in written)


def recipe(**changes):
    fields = {
        "labels": "hard",
        "learning_rate": 1e-3,
        "epochs": 2,
        "batch": 4,
        "micro_batch": 4,
        "warmup": 1,
        "epsilon": 1e-8,
    }
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


def test_the_gradient_does_not_depend_on_the_micro_batch(tiny_folder, prompts):
    examples = [Example(tuple(prompt), (5 + i, 6, 7, 2)[i % 2 :]) for i, prompt in enumerate(prompts)]
    # An epsilon that dwarfs the gradient turns Adam's step into plain descent: the weights move by the gradient itself.
    plain = recipe(epochs=1, epsilon=1e6, learning_rate=1e6, clip=1e9)
    whole, _ = trained(tiny_folder, examples, plain)
    small, _ = trained(tiny_folder, examples, replace(plain, micro_batch=1))
    for (name, one), other in zip(whole.named_parameters(), small.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-3, msg=lambda text, name=name: f"{name}: {text}")


def test_every_row_is_seen_once_an_epoch_and_prompts_stay_together():
    order = batches(["a", "b", "a", "c", "b"], recipe(batch=2, epochs=3), 0)
    assert len(order) == steps_of(5, recipe(batch=2, epochs=3)) == 9
    for epoch in range(3):
        rows = [row for step in order[3 * epoch : 3 * epoch + 3] for row in step]
        assert sorted(rows) == [0, 1, 2, 3, 4]
        assert abs(rows.index(0) - rows.index(2)) == 1


def test_hidden_states_by_the_output_projection_are_transformers_logits(tiny):
    tokens = [[5, 9, 40, 41, 42, 9, 17]]
    with torch.inference_mode():
        ours = forward_packed(tiny.net, pack(tokens)).hidden_ND @ tiny.net.get_output_embeddings().weight.T
        theirs = tiny.net(torch.tensor(tokens)).logits[0]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
