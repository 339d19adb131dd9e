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

from jinja2 import TemplateError

from undertow.data.rows import Message
from undertow.errors import InputError, MissingExtraError, ModelError
from undertow.models.layers import Steering
from undertow.models.providers import PROVIDERS
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
        return list(
            self.tokenizer.apply_chat_template(
                [dict(message) for message in messages], add_generation_prompt=True, return_dict=False
            )
        )

    def encode_question(self, text: str) -> list[int]:
        """Return the tokens of one turn of a user, up to where the answer begins."""
        return self.encode_prompt([Message(role="user", content=text)])

    def encode(self, text: str) -> list[int]:
        """Return the tokens of plain text, without any mark of beginning or end."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of some tokens."""
        return str(self.tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))


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
    net, tokenizer = _load(source, name, dtype)
    net.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    model = LocalModel(name, net, tokenizer, end=_end_of_turn(tokenizer, name))
    return load_adapter(model, Path(adapter)) if adapter else model


def load_adapter(model: LocalModel, folder: Path) -> LocalModel:
    """Put a PEFT adapter on a model, in place.

    Raises:
        ModelError: the folder holds none that fits.
    """
    from peft import PeftModel

    fix = "Name a folder with adapter_config.json and adapter_model.safetensors, made for this base."
    if folder.is_dir() and not (folder / "adapter_model.safetensors").is_file():
        # PEFT would unpickle adapter_model.bin instead.
        raise ModelError("holds no adapter_model.safetensors", str(folder), fix)
    try:
        with quiet_peft():
            # A folder that is not there would be looked for in the hub.
            net = PeftModel.from_pretrained(model.net, str(folder.resolve(strict=True)), is_trainable=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"the adapter cannot be loaded ({_first_line(error)})",
            str(folder),
            fix,
        ) from error
    net.to(model.device).eval()
    return replace(model, net=net)


@contextmanager
def quiet_peft() -> Generator[None]:
    """Keep PEFT's use of names that transformers has renamed off the user's screen."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
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
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            source, trust_remote_code=False, local_files_only=offline
        )
        net = transformers.AutoModelForCausalLM.from_pretrained(
            source,
            dtype=getattr(torch, dtype),
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=offline,
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"cannot be loaded ({_first_line(error)})",
            name,
            "Name a folder with config.json, tokenizer.json and safetensors weights, or a model in the hub.",
        ) from error
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


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _end_of_turn(tokenizer: Any, name: str) -> int:
    """Find the token that the chat template puts behind an answer.

    Raises:
        ModelError: the template cannot be used, or reaches for what a template has no business with.
    """
    probe = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    try:
        tokens = list(tokenizer.apply_chat_template(probe, return_dict=False))
    except TemplateError as error:
        why = f"its chat template cannot be used: {_first_line(error)}"
        fix = "Mend chat_template.jinja, or take the model from where it was published."
        raise ModelError(why, name, fix) from error
    special = set(tokenizer.all_special_ids)
    return next((token for token in reversed(tokens) if token in special), tokenizer.eos_token_id)


def state_hash(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Return the sha256 of named tensors: their names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for key, tensor in sorted(tensors, key=lambda item: item[0]):
        plain = tensor.detach().contiguous().cpu()
        digest.update(f"{key} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.view(torch.uint8).numpy().tobytes() if plain.numel() else b"")
    return digest.hexdigest()
