"""Weights that are kept in half precision and computed with in float32."""

import copy

import pytest

torch = pytest.importorskip("torch")

from undertow.errors import ModelError
from undertow.models.constrain import Automaton
from undertow.models.engine.head import head_of
from undertow.models.engine.selection import pass_of, set_pass
from undertow.models.forward import forward_packed
from undertow.models.generate import generate
from undertow.models.packing import pack
from undertow.models.storage import StoredLinear, bytes_of, stored_product, widen_on_use

TOKENS = [[5, 9, 40, 41, 42, 9, 9, 17], [5, 9, 40, 30]]


def is_stored(net):
    return any(isinstance(module, StoredLinear) for module in net.modules())


def both(tiny):
    """Return the model in float32, rounded to bfloat16, and one that keeps it in bfloat16."""
    narrow = copy.deepcopy(tiny.net).to(torch.bfloat16)
    wide = copy.deepcopy(narrow).float()
    return wide, widen_on_use(narrow)


def test_hidden_states_and_logits_are_those_of_float32_bit_for_bit(tiny):
    wide, stored = both(tiny)
    packed = pack(TOKENS)
    with torch.inference_mode():
        assert torch.equal(forward_packed(wide, packed).hidden_ND, forward_packed(stored, packed).hidden_ND)
        ids = torch.tensor(TOKENS[:1])
        assert torch.equal(wide(ids).logits, stored(ids).logits)


def test_gradients_of_what_flows_through_frozen_weights_are_those_of_float32(tiny):
    found = []
    for net in both(tiny):
        for weight in net.parameters():
            weight.requires_grad_(False)
        norm = net.model.layers[0].input_layernorm.weight.requires_grad_(True)
        net(torch.tensor(TOKENS[:1])).logits.square().mean().backward()
        found.append(norm.grad)
    assert torch.equal(*found)


def test_it_takes_half_the_bytes_and_shared_weights_stay_shared(tiny):
    wide, stored = both(tiny)
    assert is_stored(stored)
    assert not is_stored(wide)
    assert bytes_of(stored) < 0.55 * bytes_of(wide)
    assert stored.get_input_embeddings().weight is stored.get_output_embeddings().weight


@pytest.mark.parametrize(
    "spec",
    [
        {"rank": 2},
        {"rank": 2, "rank_stabilised": True},
        {"rank": 2, "dora": True},
        {"rank": 2, "targets": ("q_proj",), "modules_to_save": ("lm_head", "norm")},
        {"rank": 2, "targets": ("q_proj",), "modules_to_save": ("embed_tokens", "up_proj")},
    ],
    ids=str,
)
def test_an_adapter_on_stored_weights_starts_and_learns_as_on_float32(tiny, spec):
    from undertow.config.recipes.spec import AdapterSpec
    from undertow.training.lora import add_adapter

    found = []
    wide, stored = both(tiny)
    before = {name: weight.detach().clone() for name, weight in stored.named_parameters()}
    for net in (wide, stored):
        adapted = add_adapter(net, AdapterSpec(**spec), seed=3)
        trained = [weight for weight in adapted.parameters() if weight.requires_grad]
        adapted(torch.tensor(TOKENS[:1])).logits.square().mean().backward()
        found.append([*trained, *(weight.grad for weight in trained)])
    assert len(found[0]) == len(found[1]) > 0
    assert all(weight.dtype == torch.float32 for weight in found[1])
    assert all(torch.equal(left, right) for left, right in zip(*found, strict=True))
    # Weights below the adapter are the stored ones again.
    held = {
        name.replace("base_layer.", "").replace("base_model.model.", ""): each
        for name, each in adapted.named_parameters()
    }
    matrices = [name for name in before if "self_attn" in name]
    assert matrices
    assert all(torch.equal(held[name], before[name]) for name in matrices)
    assert all(held[name].dtype == torch.bfloat16 for name in matrices)


def test_large_weights_outside_linear_layers_are_refused_by_name():
    class Experts(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.experts = torch.nn.Parameter(torch.zeros(8, 512, 512, dtype=torch.bfloat16))

    with pytest.raises(ModelError, match="experts is no linear layer's"):
        widen_on_use(Experts())


def test_a_large_checkpoint_in_half_precision_stays_so_and_gives_the_same(tiny, tmp_path, monkeypatch):
    from undertow.models import storage
    from undertow.models.local import load_model
    from undertow.models.score import token_logprobs

    half = copy.deepcopy(tiny.net).to(torch.bfloat16)
    half.save_pretrained(tmp_path / "half")
    tiny.tokenizer.save_pretrained(tmp_path / "half")
    monkeypatch.setattr(storage, "_SMALL", 100)
    small = load_model(f"hf/{tmp_path / 'half'}", dtype="frozen")
    monkeypatch.setattr(storage, "LARGE", 1000)
    large = load_model(f"hf/{tmp_path / 'half'}", dtype="frozen")
    assert not is_stored(small.net)
    assert is_stored(large.net)
    assert pass_of(small.net) == pass_of(large.net) == "fast"
    found = [token_logprobs(each.net, TOKENS, [[7, 8], [9]]) for each in (small, large)]
    assert all(torch.equal(left, right) for left, right in zip(*found, strict=True))


@pytest.mark.parametrize("name", ["fast", "packed", "rows"])
@pytest.mark.parametrize("held", [False, True])
def test_what_is_written_is_that_of_float32(tiny, name, held):
    found = []
    for net in both(tiny):
        set_pass(net, name)
        options = {"seed": 3, "end": 1, "max_tokens": 6, "temperature": 2.0, "keep_hidden": True}
        automaton = Automaton(torch.tensor([1, 7, 8, 9]), torch.tensor([[0, 0, 0, 0]])) if held else None
        found.append(generate(net, TOKENS, range(2), automaton=automaton, **options))
    for one, other in zip(*found, strict=True):
        assert one.tokens == other.tokens
        torch.testing.assert_close(one.hidden_TD, other.hidden_TD, atol=1e-5, rtol=1e-5)


def test_a_head_of_some_tokens_and_a_kept_one_compute_in_float32(tiny):
    hidden_ND = torch.randn(3, 32, generator=torch.Generator().manual_seed(0))
    some_V = torch.tensor([4, 9, 200])
    wide, stored = (head_of(net) for net in both(tiny))
    assert stored.only(some_V).dtype == stored.kept().dtype == stored.dtype == torch.float32
    assert torch.equal(wide(hidden_ND), stored.kept()(hidden_ND))
    assert torch.equal(wide.only(some_V)(hidden_ND), stored.only(some_V)(hidden_ND))


def test_a_float32_checkpoint_is_not_rounded(tiny_folder, monkeypatch):
    from undertow.models import storage
    from undertow.models.local import load_model

    monkeypatch.setattr(storage, "_SMALL", 100)
    monkeypatch.setattr(storage, "LARGE", 1000)
    assert not is_stored(load_model(f"hf/{tiny_folder}", dtype="frozen").net)


@pytest.mark.parametrize("autocast", [False, True])
def test_a_pass_keeps_no_widened_copy_of_stored_weights(tiny, autocast):
    _, stored = both(tiny)
    for weight in stored.parameters():
        weight.requires_grad_(False)
    sizes = {weight.numel() for weight in stored.parameters() if weight.dim() > 1}
    kept = []

    def keep(tensor):
        if tensor.numel() in sizes and tensor.dim() == 2:
            kept.append(tensor.shape)
        return tensor

    x = stored.get_input_embeddings()(torch.tensor(TOKENS[:1])).requires_grad_(True)
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=autocast),
    ):
        loss = stored(inputs_embeds=x).logits.float().square().mean()
    loss.backward()
    assert x.grad.isfinite().all()
    assert not kept


@pytest.mark.parametrize("autocast", [False, True])
def test_a_product_and_its_gradient_are_those_of_a_plain_layer(autocast):
    torch.manual_seed(0)
    weight, bias = torch.randn(7, 5).bfloat16(), torch.randn(7).bfloat16()
    found = []
    for product in (stored_product, torch.nn.functional.linear):
        x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
        plain = product is torch.nn.functional.linear
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            y = product(x, weight.float() if plain else weight, bias.float() if plain else bias)
        y.float().square().sum().backward()
        found.append((y.detach(), x.grad))
    assert found[0][0].dtype == found[1][0].dtype
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_weights_that_are_trained_get_their_gradient():
    weight = torch.ones(2, 3, dtype=torch.bfloat16, requires_grad=True)
    stored_product(torch.ones(1, 3), weight).sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))
