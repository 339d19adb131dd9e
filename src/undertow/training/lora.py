"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) and their kin, through PEFT.

The seed fixes the initial adapter: two students with the same seed start from the same bytes. Frozen weights of 8 or
4 bits need bitsandbytes and a GPU; that path has not been tested.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch

from undertow.config.experiment import Lora
from undertow.config.recipes.spec import AdapterSpec
from undertow.errors import ModelError
from undertow.models.engine.network import network_of
from undertow.models.local import quiet_peft
from undertow.models.storage import StoredLinear, shown_as_float32


def add_lora(net: Any, lora: Lora, seed: int) -> Any:
    """Freeze a model and put trainable adapters on every matrix of its layers, as an experiment file describes them.

    Args:
        net: A causal language model; it is changed in place.
        lora: Rank, scale (alpha / rank), dropout, and the layers.
        seed: Fixes the initial adapters.

    Raises:
        ModelError: a layer is named that the model does not have.
    """
    return add_adapter(net, adapter_of(lora), seed, where="student.lora")


def adapter_of(lora: Lora) -> AdapterSpec:
    """Return the adapter of an experiment file as one of a recipe."""
    return AdapterSpec(rank=lora.rank, alpha=lora.alpha, dropout=lora.dropout, layers=lora.layers)


def add_adapter(net: Any, spec: AdapterSpec, seed: int, *, where: str = "the recipe's adapter") -> Any:
    """Freeze a model and put trainable adapters on it.

    Args:
        net: A causal language model; it is changed in place.
        spec: Which adapters, and where.
        seed: Fixes the initial adapters.
        where: What to call the spec in messages.

    Raises:
        ModelError: the spec names what the model does not have, or what is not supported.
    """
    from peft import LoraConfig, get_peft_model

    check_bits(spec, where)
    network = network_of(net)
    layers: Any = network.layers
    if spec.layers is not None and (not spec.layers or max(spec.layers) >= len(layers)):
        raise ModelError(
            f"the model has no layer {max(spec.layers)}" if spec.layers else "no layer is named",
            f"{where}.layers",
            f"Its {len(layers)} layers are numbered from 0.",
        )
    targets = spec.targets if spec.targets is not None else tuple(network.lora_targets())
    _check_names(net, targets, where)
    if spec.bits is not None:
        _quantise(net, layers, spec.bits)
    config = LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,  # pyright: ignore[reportArgumentType]  # PEFT divides it by the rank: a float will do
        lora_dropout=spec.dropout,
        target_modules=list(targets),
        layers_to_transform=None if spec.layers is None else list(spec.layers),
        use_dora=spec.dora,
        use_rslora=spec.rank_stabilised,
        modules_to_save=list(spec.modules_to_save) or None,
        fan_in_fan_out=any(matrix.turned for matrix in network.matrices),
        task_type="CAUSAL_LM",
    )
    stored = [
        each.module
        for each in network.matrices
        if isinstance(each.module, StoredLinear) and each.name.rpartition(".")[2] not in spec.modules_to_save
    ]
    # PEFT draws the initial adapters from the global generator.
    with quiet_peft(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            with shown_as_float32(stored):
                adapted = get_peft_model(net, config)
            _start_from_stored(adapted)
            return adapted
        except ValueError as error:  # what it cannot put an adapter on
            raise ModelError(
                f"the adapter does not fit the model ({str(error).splitlines()[0]})", where, "Change its targets."
            ) from error


def _start_from_stored(net: Any) -> None:
    """Start what is trained from the values of stored weights, in float32: DoRA's magnitudes and whole modules."""
    for module in net.modules():
        base = getattr(module, "base_layer", None)
        if isinstance(base, StoredLinear):
            for magnitude in getattr(module, "lora_magnitude_vector", {}).values():
                # The adapter's product is zero at its start, so this is the norm that PEFT takes.
                magnitude.weight.data = torch.linalg.norm(base.weight.float(), dim=1).to(magnitude.weight.dtype)
    for weight in net.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


def check_bits(spec: AdapterSpec, where: str = "the recipe's adapter") -> None:
    """See that frozen weights of few bits can be had here.

    Raises:
        ModelError: bitsandbytes or a GPU is missing.
    """
    if spec.bits is None:
        return
    if importlib.util.find_spec("bitsandbytes") is None or not torch.cuda.is_available():
        raise ModelError(
            f"frozen weights of {spec.bits} bits need bitsandbytes and a CUDA GPU (where both are, this is not tested)",
            f"{where}.bits",
            "Take the same recipe without bits: its weights are then as the checkpoint has them.",
        )


def save_adapter(net: Any, folder: Path) -> None:
    """Write the adapters of a model in PEFT's layout."""
    net.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    # PEFT adds a model card full of place holders.
    (folder / "README.md").unlink(missing_ok=True)


def _check_names(net: Any, targets: tuple[str, ...], where: str) -> None:
    """See that every target is a module of the model, and none is one that is not trained by its adapter."""
    names = [name for name, _ in net.named_modules()]
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            raise ModelError(
                f"the model has no module {target!r}",
                f"{where}.targets",
                "The matrices of its layers are " + ", ".join(network_of(net).lora_targets()) + ".",
            )
    head = net.get_output_embeddings()
    own = {name for name, module in net.named_modules() if module is head}
    if held := [target for target in targets if any(name == target or name.endswith(f".{target}") for name in own)]:
        raise ModelError(
            f"an adapter on the output projection ({held[0]}) is not supported",
            f"{where}.targets",
            "Leave it out, or train it whole: modules_to_save.",
        )


def _quantise(net: Any, layers: Any, bits: int) -> None:
    """Store the matrices of some layers in a few bits: 4-bit NormalFloat with double quantisation, or 8-bit integers.

    Not tested: no machine with a GPU and bitsandbytes was at hand.
    """
    import bitsandbytes as bnb  # pyright: ignore[reportMissingImports]

    made: Any = bnb
    for layer in layers:
        for name, module in list(layer.named_modules()):
            if not isinstance(module, torch.nn.Linear):
                continue
            shape = (module.in_features, module.out_features)
            has_bias = getattr(module, "bias", None) is not None
            if bits == 4:
                few = made.nn.Linear4bit(*shape, bias=has_bias, compute_dtype=torch.bfloat16, quant_type="nf4")
                few.weight = made.nn.Params4bit(module.weight.data.cpu(), requires_grad=False, quant_type="nf4")
            else:
                few = made.nn.Linear8bitLt(*shape, bias=has_bias, has_fp16_weights=False)
                few.weight = made.nn.Int8Params(module.weight.data.cpu(), requires_grad=False, has_fp16_weights=False)
            few.bias = module.bias
            above, _, last = name.rpartition(".")
            setattr(layer.get_submodule(above), last, few.to(module.weight.device))
    # What PEFT looks for.
    setattr(net, f"is_loaded_in_{bits}bit", True)
