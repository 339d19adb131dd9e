"""Models on this machine: finding, loading and hashing them, and turning messages into tokens.

    embedded/smollm2-135m     ships inside a registry package, see `undertow assets`
    hf/FOLDER or hf/ORG/NAME  a folder in the transformers layout, or a name in the local hub cache or the hub
    ...:ADAPTER               a PEFT adapter folder on top

Weights are read from safetensors only, and code that comes with a model is never run.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from undertow.data.rows import Message, turn_text
from undertow.errors import InputError, MissingExtraError, ModelError
from undertow.models.adapters import FITS, account_adapter, check_adapter_file
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
from undertow.models.ending import end_of_turn, render
from undertow.models.layers import Steering
from undertow.models.providers import PROVIDERS
from undertow.models.support import refuse_unsupported
from undertow.models.verify import hold_against_transformers, known
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

    def encode_prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of a conversation up to where the assistant's answer begins.

        Before plain text nothing is said: a model reads it from its mark of beginning, or from that of an end.
        """
        if not messages:
            begin = self.tokenizer.bos_token_id
            return [self.end if begin is None else int(begin)]
        whole = [{"role": each["role"], "content": whole_text(turn_text(each))} for each in messages]
        return list(render(self.tokenizer, whole, self.name, add_generation_prompt=True, return_dict=False))

    def encode_question(self, text: str) -> list[int]:
        """Return the tokens of one turn of a user, up to where the answer begins."""
        return self.encode_prompt([Message(role="user", content=text)])

    def encode(self, text: str) -> list[int]:
        """Return the tokens of plain text, without any mark of beginning or end."""
        return list(self.tokenizer.encode(whole_text(text), add_special_tokens=False))

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of some tokens."""
        return str(self.tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))


def whole_text(text: str) -> str:
    """Put the replacement character in the place of halves of characters, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text


def context_length(model: LocalModel) -> int:
    """Return the number of tokens that a model can read at once."""
    return int(model.net.config.max_position_embeddings)


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
    provider, _, rest = name.partition(":")[0].partition("/")
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
        name: `embedded/...` or `hf/...`, with `:FOLDER` for an adapter.
        dtype: `float32` (training, probes) or `bfloat16` (writing rows).
        progress: Is told of a download or conversion.

    Raises:
        ModelError: no such model, or it cannot be loaded.
        AssetError: the embedded model cannot be fetched.
    """
    base, _, adapter = name.partition(":")
    found = find_model(base, progress=progress)
    source = str(found) if found is not None else base.partition("/")[2]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net, tokenizer = _load(source, name, dtype)
    end = end_of_turn(tokenizer, net.generation_config, name)
    digest = model_digest(base, folder_of(source))
    if not known(digest):
        # In half precision the two passes differ by rounding alone.
        plain = net if dtype == "float32" else load_net(source, name, "float32", offline=found is not None)
        refuse_not_finite(plain.named_parameters(), f"{base}, {files_of(stored_tensors(folder_of(source)))}")
        hold_against_transformers(plain.to(device).eval(), base, digest)
    model = LocalModel(name, net.to(device).eval(), tokenizer, end=end)
    return load_adapter(model, Path(adapter), base_digest=digest) if adapter else model


def load_adapter(model: LocalModel, folder: Path, *, base_digest: str | None = None) -> LocalModel:
    """Put a PEFT adapter on a model, in place.

    Args:
        model: The base.
        folder: Holds the adapter.
        base_digest: Stands for the base's weights; worked out where it is absent.

    Raises:
        ModelError: the folder holds none that fits.
    """
    from peft import PeftModel

    if not folder.is_dir():
        # A folder that is not there would be looked for in the hub.
        raise ModelError("there is no such folder", str(folder), FITS)
    check_adapter_file(folder)
    try:
        with quiet_peft():
            net = PeftModel.from_pretrained(model.net, str(folder.resolve()), is_trainable=True)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # of many kinds: whatever a config makes of itself
        raise ModelError(f"the adapter cannot be loaded ({first_line(error)})", str(folder), FITS) from error
    net.to(model.device).eval()
    account_adapter(net, folder)
    if next(net.parameters()).dtype == torch.float32:
        base = model.name.partition(":")[0]
        known_base = base_digest or model_digest(base, find_model(base))
        hold_against_transformers(net, f"{base}:{folder}", f"{known_base} {folder_digest(folder)}")
    return replace(model, net=net)


@contextmanager
def quiet_peft() -> Generator[None]:
    """Keep PEFT's use of names that transformers has renamed off the user's screen."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        # What is missing is an error, see `account_adapter`.
        warnings.filterwarnings("ignore", "Found missing adapter keys", UserWarning)
        # `modules_to_save` unties, as in other trainers; the two are stored and loaded apart.
        warnings.filterwarnings("ignore", "Model has `tie_word_embeddings=True`", UserWarning)
        yield


def _load(source: str, name: str, dtype: str) -> tuple[Any, Any]:
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
    net = load_net(source, name, dtype, offline=offline)
    if tokenizer.chat_template is None:
        raise ModelError("its tokenizer has no chat template", name, "Use an instruction-tuned model.")
    known = max(tokenizer.get_vocab().values(), default=-1) + 1
    embedding: Any = net.get_input_embeddings()
    held = int(embedding.weight.shape[0])
    if known > held:
        raise ModelError(
            f"its tokenizer knows {known:,} tokens, its weights {held:,}",
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
