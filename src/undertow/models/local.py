"""Models on this machine: finding, loading and hashing them, and turning messages into tokens.

    embedded/smollm2-135m     ships inside a registry package, see `undertow assets`
    hf/FOLDER or hf/ORG/NAME  a folder in the transformers layout, or a name in the local hub cache or the hub
    hf/FILE.gguf              a GGUF file, see `gguf`
    ...:ADAPTER:...           PEFT adapter folders on top, which add up; folders may have colons in their names, see
                              `names`

Weights are read from safetensors only, and code that comes with a model is never run.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from undertow.data.rows import Message
from undertow.errors import InputError, MissingExtraError, ModelError
from undertow.models.adapter_base import refuse_other_base
from undertow.models.adapters import FIRST, FITS, account_adapter, check_adapter_file, check_sum
from undertow.models.checkpoint import (
    files_of,
    first_line,
    folder_of,
    load_config,
    load_net,
    refuse_not_finite,
    stored_tensors,
)
from undertow.models.digests import folder_digest, model_digest
from undertow.models.ending import end_of_turn
from undertow.models.engine.network import text_config
from undertow.models.engine.selection import set_pass
from undertow.models.engine.setting import engine, engine_wanted
from undertow.models.layers import Steering
from undertow.models.names import split_name
from undertow.models.placement import device_wanted, map_wanted
from undertow.models.providers import PROVIDERS
from undertow.models.storage import stays_stored, widen_on_use
from undertow.models.support import longest_text, refuse_unsupported
from undertow.models.template import PLAIN, Fields, fields_of, render_turns, whole_text
from undertow.models.verify import checked, hold_against_transformers
from undertow.system.memory import out_of_memory
from undertow.system.names import is_folder
from undertow.system.progress import Progress, Silent

try:
    import torch
    import transformers
    from torch import Tensor
    from transformers.utils.peft_utils import find_adapter_config_file
except ImportError as error:  # pragma: no cover - the message is tested through the command line
    raise MissingExtraError(
        f"local models need {error.name}", fix="Install it with: pip install 'undertow[local]'"
    ) from error


_KNOWN: Final = 0.9
"""Share of the rows of an embedding that a tokenizer uses at least. Embeddings are padded by a few percent."""


@dataclass(frozen=True)
class LocalModel:
    """A causal language model in memory, and what turns text into its tokens."""

    name: str
    net: Any
    tokenizer: Any
    end: int
    """The token that ends an assistant's turn."""
    made_of: str | None = None
    """The base's Undertow name, where the weights in `net` are no longer the base's."""

    @property
    def steering(self) -> Steering | None:
        """None: see `SteeredModel`."""
        return None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.net.parameters()).device

    @cached_property
    def fields(self) -> Fields:
        """What its chat template reads beside role and content."""
        return fields_of(self.tokenizer, self.name)

    def encode_prompt(self, messages: Sequence[Message], tools: list[Any] | str | None = None) -> list[int]:
        """Return the tokens of a conversation up to where the assistant's answer begins.

        Before plain text nothing is said: a model reads it from its mark of beginning, or from that of an end.

        Args:
            messages: The turns; where they have more than role and content, the template is given it.
            tools: That were offered.
        """
        if not messages:
            begin = self.tokenizer.bos_token_id
            return [self.end if begin is None else int(begin)]
        how = {"add_generation_prompt": True, "return_dict": False}
        return list(render_turns(self.tokenizer, messages, self.name, lambda: self.fields, tools, **how))

    def encode_question(self, text: str) -> list[int]:
        """Return the tokens of one turn of a user, up to where the answer begins."""
        return self.encode_prompt([Message(role="user", content=text)])

    def encode(self, text: str) -> list[int]:
        """Return the tokens of plain text, without any mark of beginning or end."""
        return list(self.tokenizer.encode(whole_text(text), add_special_tokens=False))

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of some tokens."""
        return str(self.tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))


_UNSAID_LENGTH = 2048


def context_length(model: LocalModel) -> int:
    """Return the number of tokens that a model can read at once; 2,048 where its config does not say."""
    return longest_text(text_config(model.net)) or _UNSAID_LENGTH


def find_model(name: str, *, fetching: bool = True, progress: Progress | None = None) -> Path | None:
    """Return the folder of a model; None for a name in the hub, which transformers looks up.

    Args:
        name: As for `load_model`; an adapter is not looked at.
        fetching: Fetch the embedded model if it is not there.
        progress: Is told of a download or conversion.

    Raises:
        ModelError: no such model.
        AssetError: the embedded model cannot be fetched, or is not there and may not be fetched.
    """
    provider, _, rest = split_name(name)[0].partition("/")
    if not rest:
        raise ModelError(
            f"{name!r} is not the name of a local model", fix="Use embedded/smollm2-135m, hf/FOLDER or hf/ORG/NAME."
        )
    try:
        found = PROVIDERS.get(provider, name)
    except InputError as error:
        raise ModelError(f"{name!r} is not the name of a local model: {error.what}", fix=error.fix) from error
    return found(rest, fetching=fetching, progress=progress or Silent())


def load_model(name: str, *, dtype: str = "float32", progress: Progress | None = None) -> LocalModel:
    """Load a model by its Undertow name.

    Args:
        name: `embedded/...` or `hf/...`, with `:FOLDER` for each adapter.
        dtype: `float32` (training, probes), `bfloat16` (writing rows), or `frozen`: float32 for a model whose weights
            do not change, which stay as they are stored where they are large and in bfloat16 (`storage`).
        progress: Is told of a download or conversion.

    Raises:
        ModelError: no such model, or it cannot be loaded.
        AssetError: the embedded model cannot be fetched.
    """
    base, adapters = split_name(name)
    found = find_model(base, progress=progress)
    offline = found is not None
    source = str(found) if offline else base.partition("/")[2]
    placed = map_wanted()
    if dtype == "frozen":
        # An adapter may be merged into the weights, which rounds them; accelerate's hooks hold on to a layer's pass.
        plain = not adapters and placed is None
        dtype = "stored" if plain and stays_stored(stored_tensors(folder_of(source))) else "float32"
    net, tokenizer = _load(source, name, "bfloat16" if dtype == "stored" else dtype, placed)
    if dtype == "stored":
        net = widen_on_use(net)
    end = end_of_turn(tokenizer, net.generation_config, name)
    digest = model_digest(base, folder_of(source))
    with _modules_alone(name) if placed is not None else nullcontext():
        told = checked(digest)
        if told is None:
            # In half precision the passes differ by rounding alone.
            wide = net if dtype != "bfloat16" else load_net(source, name, "float32", offline=offline, placed=placed)
            refuse_not_finite(wide.named_parameters(), f"{base}, {files_of(stored_tensors(folder_of(source)))}")
            told = hold_against_transformers(_put(wide), base, digest)
        set_pass(net, told.name)
        model = LocalModel(name, _put(net), tokenizer, end=end)
        for adapter in adapters:
            model = load_adapter(model, Path(adapter), base_digest=digest)
            digest = f"{digest} {folder_digest(Path(adapter))}"
    return model


def _put(net: Any) -> Any:
    """Move a network to the device that is wanted, unless its parts have their places."""
    return (net if map_wanted() is not None else net.to(device_wanted())).eval()


@contextmanager
def _modules_alone(name: str) -> Generator[None]:
    """Have a model computed by transformers' modules: the fast pass moves nothing from one device to another.

    Raises:
        ModelError: the fast pass is wanted.
    """
    if (wanted := engine_wanted()) == "fast":
        raise ModelError(
            "the fast pass computes a model on one device", f"{name}, --device", "Leave --engine out, or --device."
        )
    with engine("generic" if wanted == "auto" else wanted):
        yield


def load_base(name: str, *, dtype: str = "float32", progress: Progress | None = None) -> LocalModel:
    """Load a model that others are made of, with its adapters merged into its weights.

    So what is trained on it is all that can be taken from it, or switched off.

    Args:
        name: As for `load_model`.
        dtype: As for `load_model`; adapters are merged in float32.
        progress: Is told of a download or conversion.

    Raises:
        ModelError: no such model, it cannot be loaded, or an adapter cannot be merged.
        AssetError: the embedded model cannot be fetched.
    """
    if not split_name(name)[1]:
        return load_model(name, dtype=dtype, progress=progress)
    model = merge_adapters(load_model(name, progress=progress))
    if dtype == "bfloat16":
        for weight in model.net.parameters():
            # Not `net.to(dtype)`: it rounds rotary frequencies as well.
            weight.data = weight.data.to(torch.bfloat16)
    return model


def merge_adapters(model: LocalModel) -> LocalModel:
    """Return a model with its adapters, if it has any, merged into its weights.

    Raises:
        ModelError: an adapter is of a kind that cannot be merged.
    """
    if not hasattr(model.net, "peft_config"):
        return model
    try:
        with quiet_peft():
            return replace(model, net=model.net.merge_and_unload())
    except (AttributeError, NotImplementedError, ValueError) as error:
        raise ModelError(
            f"its adapter cannot be merged ({first_line(error)})", model.name, "Name a model without it."
        ) from error


def load_adapter(model: LocalModel, folder: Path, *, base_digest: str | None = None) -> LocalModel:
    """Put a PEFT adapter on a model, in place; it adds up with those that are there.

    Args:
        model: The base, with or without adapters.
        folder: Holds the adapter.
        base_digest: Stands for the model's weights; worked out where it is absent.

    Raises:
        ModelError: the folder holds none that fits.
    """
    from peft import PeftConfig, PeftModel

    if not is_folder(folder):
        # A folder that is not there would be looked for in the hub.
        raise ModelError("there is no such folder", str(folder), FITS)
    check_adapter_file(folder)
    base = split_name(model.name)[0]
    source = find_model(base)
    refuse_other_base(base, source or folder_of(base.partition("/")[2]), folder)
    there = list(getattr(model.net, "peft_config", {}))
    own = f"adapter-{len(there):03d}" if there else FIRST
    try:
        with quiet_peft():
            if not there:
                net = PeftModel.from_pretrained(model.net, str(folder.resolve()), is_trainable=True)
            else:
                net = model.net
                check_sum([*net.peft_config.values(), PeftConfig.from_pretrained(str(folder.resolve()))], folder)
                net.load_adapter(str(folder.resolve()), adapter_name=own, is_trainable=True)
                net.base_model.set_adapter([*there, own])
    except ModelError:
        raise
    except Exception as error:  # of many kinds: whatever a config makes of itself
        if out_of_memory(error):
            raise
        raise ModelError(f"the adapter cannot be loaded ({first_line(error)})", str(folder), FITS) from error
    if map_wanted() is None:
        net.to(model.device)
    net.eval()
    account_adapter(net, folder, own)
    if next(net.parameters()).dtype == torch.float32:
        known_base = base_digest or model_digest(base, source)
        hold_against_transformers(net, f"{base}:{folder}", f"{known_base} {folder_digest(folder)}")
    return replace(model, net=net)


@contextmanager
def quiet_peft() -> Generator[None]:
    """Keep PEFT's use of names that transformers has renamed off the user's screen."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        # What is missing is an error, see `account_adapter`.
        warnings.filterwarnings("ignore", "Found missing adapter keys", UserWarning)
        # Told in the report, see `adapter_notes`.
        warnings.filterwarnings("ignore", "Unexpected keyword arguments", UserWarning)
        # `modules_to_save` unties, as in other trainers; the two are stored and loaded apart.
        warnings.filterwarnings("ignore", "Model has `tie_word_embeddings=True`", UserWarning)
        yield


def _load(source: str, name: str, dtype: str, placed: Any) -> tuple[Any, Any]:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    offline = Path(source).is_dir()
    # Transformers would load the base that it names, wherever that lies, and unpickle adapter_model.bin.
    if offline and os.path.lexists(Path(source, "adapter_config.json")):
        raise ModelError("holds an adapter, not a model", source, f"Name its base as well: hf/BASE:{source}")
    try:
        if not offline and find_adapter_config_file(source) is not None:
            fix = "Download it, and name its base as well: hf/BASE:FOLDER"
            raise ModelError("holds an adapter, not a model", source, fix)
    except OSError as error:
        raise ModelError(f"cannot be loaded ({first_line(error)})", name, "Check the name of the model.") from error
    refuse_unsupported(load_config(source, name, offline=offline), name)
    tokenizer = _load_tokenizer(source, name, offline=offline)
    net = load_net(source, name, dtype, offline=offline, placed=placed)
    if tokenizer.chat_template is None:
        # A base model: reports say so, see `attribution.encoding.template_notes`.
        tokenizer.chat_template = PLAIN
    known = max(tokenizer.get_vocab().values(), default=-1) + 1
    embedding: Any = net.get_input_embeddings()
    held = int(embedding.weight.shape[0])
    if known > held:
        raise ModelError(
            f"its tokenizer knows {known:,} tokens, its weights {held:,}",
            name,
            "Put the tokenizer beside the weights that they were trained with.",
        )
    if known < held * _KNOWN:
        raise ModelError(
            f"its tokenizer knows {known:,} tokens of the {held:,} that its weights have",
            name,
            "Put the tokenizer beside the weights that they were trained with.",
        )
    return net, tokenizer


def _load_tokenizer(source: str, name: str, *, offline: bool) -> Any:
    try:
        return transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False, local_files_only=offline)
    except MemoryError:
        raise
    except Exception as error:  # of many kinds: the tokenizers' own have no class
        raise ModelError(
            f"its tokenizer cannot be loaded ({first_line(error)})",
            name,
            "Put tokenizer.json and tokenizer_config.json of the model into its folder.",
        ) from error


def state_hash(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Return the sha256 of named tensors: their names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for key, tensor in sorted(tensors, key=lambda item: item[0]):
        plain = tensor.detach().contiguous().cpu()
        digest.update(f"{key} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.view(torch.uint8).numpy().tobytes() if plain.numel() else b"")
    return digest.hexdigest()
