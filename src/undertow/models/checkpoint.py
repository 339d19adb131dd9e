"""A checkpoint's files, and whether every tensor in them is where it belongs.

`transformers` fills what a checkpoint lacks with random numbers and leaves out what it does not know. Here the names,
shapes and types in the files' headers are held against the model, and all that differs is an error that names it.

    net = load_net("folder", "hf/folder", "float32", offline=True)
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from undertow.errors import ModelError
from undertow.system.memory import out_of_memory

WEIGHTS: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
AGAIN: Final = "Fetch the file again, or take the model from where it was published."
_SAVED_AS: Final = {
    "_orig_mod.": "model._orig_mod (torch.compile)",
    "module.": "model.module (DataParallel)",
    "_fsdp_wrapped_module.": "the unwrapped model (FSDP)",
}
_FLOATS: Final = ("F64", "F32", "F16", "BF16")
_WHOLE: Final = ("sliding_window", "max_position_embeddings", "num_hidden_layers", "vocab_size")
_LABELS: Final = 100_000
_POINTER: Final = b"version https://git-lfs"
_NAMED: Final = 3


@dataclass(frozen=True)
class Stored:
    """A tensor in a file, as its header says."""

    file: Path
    shape: tuple[int, ...]
    dtype: str
    """As safetensors call it, such as F32."""


def load_config(source: str, name: str, *, offline: bool) -> Any:
    """Read a model's config.json.

    Args:
        source: Folder, or name in the hub.
        name: The model's Undertow name, for messages.
        offline: The source is a folder.

    Raises:
        ModelError: it cannot be used, or says that the weights are quantised.
    """
    import transformers

    where = str(Path(source, "config.json")) if offline else f"{name}, config.json"
    if offline and not Path(source, "config.json").is_file():
        raise ModelError(
            "holds no config.json", source, "Name a folder with config.json, tokenizer.json and safetensors weights."
        )
    try:
        _refuse_labels(transformers.PreTrainedConfig.get_config_dict(source, local_files_only=offline)[0], where)
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False, local_files_only=offline)
    except (MemoryError, ModelError):
        raise
    except Exception as error:  # of many kinds: whatever a config makes of itself
        raise ModelError(
            f"cannot be loaded ({first_line(error)})",
            where,
            "Mend the config, or take the model from where it was published.",
        ) from error
    if quantised := getattr(config, "quantization_config", None):
        read = quantised if isinstance(quantised, dict) else vars(quantised)
        raise ModelError(
            f"the weights are quantised ({_text(read.get('quant_method', 'quantization_config'))})",
            where,
            "Name the same model with weights that are not quantised.",
        )
    for field in _WHOLE:
        if not isinstance(value := getattr(config, field, None), int | None):
            raise ModelError(
                f"{field}: {_text(value)} is no whole number", where, "Mend the config, or take it from its publisher."
            )
    return config


def _refuse_labels(config: Mapping[str, Any], where: str) -> None:
    """See that a config asks for no more labels than a classifier has: transformers gives each of them a name."""
    count = config.get("num_labels")
    if isinstance(count, int) and count > _LABELS:
        raise ModelError(f"num_labels: {_text(count)} is too large", where, "Remove it: a language model has none.")
    for part in config.values():
        if isinstance(part, Mapping):
            _refuse_labels(cast(Mapping[str, Any], part), where)


def load_net(source: str, name: str, dtype: str, *, offline: bool, placed: Any = None) -> Any:
    """Load a causal language model, and see that every tensor of it comes from its files.

    Args:
        source: Folder, or name in the hub.
        name: The model's Undertow name, for messages.
        dtype: Of the weights, as torch calls it.
        offline: The source is a folder.
        placed: A map of parts to devices for accelerate, see `placement`; None to load into main memory.

    Raises:
        ModelError: a file is damaged, or a tensor is missing, unknown or of another shape.
    """
    import transformers

    stored = stored_tensors(Path(source)) if offline else {}
    if offline:
        # Before memory is taken: what a config asks for may be of any size.
        account(_empty_net(source, name, len(stored)), {}, stored, name)
    try:
        # Tensors of another shape are told below, by name.
        loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
            source,
            dtype=getattr(torch, dtype),
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=offline,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **({} if placed is None else {"device_map": placed}),
        )
    except Exception as error:
        if out_of_memory(error):
            raise
        raise ModelError(
            f"cannot be loaded ({first_line(error)})",
            name,
            "Name a folder with config.json, tokenizer.json and safetensors weights, or a model in the hub.",
        ) from error
    net, told = loaded
    if not offline:
        stored = stored_tensors(folder_of(source))
    account(net, told, stored, name)
    return net


def _empty_net(source: str, name: str, tensors: int) -> Any:
    """Return the model that a config asks for, without weights.

    Args:
        source: Its folder.
        name: Its Undertow name.
        tensors: How many its files hold.

    Raises:
        ModelError: there is no such model, or it has more layers than its files have tensors.
    """
    import transformers

    config = load_config(source, name, offline=True)
    where = str(Path(source, "config.json"))
    if (layers := getattr(config, "num_hidden_layers", None) or 0) > tensors:
        raise ModelError(
            f"asks for {layers:,} layers, and its files hold {tensors:,} tensors",
            where,
            "Put config.json beside the weights that it was written for.",
        )
    try:
        with torch.device("meta"):
            return transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # of many kinds, as above
        raise ModelError(
            f"describes no model that can be made ({first_line(error)})",
            where,
            "Mend the config, or take the model from where it was published.",
        ) from error


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """Read the headers of a checkpoint's files.

    Raises:
        ModelError: a file is missing or damaged, or the index names other tensors than the files hold.
    """
    files, index = _weight_files(folder)
    found: dict[str, Stored] = {}
    for file in files:
        for name, each in read_header(file).items():
            if name in found:
                raise ModelError(
                    f"{_text(name)} is in {found[name].file.name} as well", str(file), "Keep one file of each tensor."
                )
            found[name] = each
    if lacking := [name for name, file in index.items() if name not in found or found[name].file.name != file]:
        raise ModelError(
            f"names tensors that are not in their files: {listed_names(lacking)}", str(folder / INDEX), AGAIN
        )
    return found


def _weight_files(folder: Path) -> tuple[list[Path], dict[str, str]]:
    single, listing = folder / WEIGHTS, folder / INDEX
    if single.is_file():
        return [single], {}
    if not listing.is_file():
        others = sorted(path.name for path in folder.glob("*") if path.suffix in (".bin", ".gguf", ".pt", ".pth"))
        instead = f" ({listed_names(others)} is not read)" if others else ""
        raise ModelError(
            f"holds no {WEIGHTS}{instead}",
            str(folder),
            "Name a folder with safetensors weights; save_pretrained of transformers writes them.",
        )
    try:
        index = json.loads(listing.read_bytes())["weight_map"]
        names = sorted({str(file) for file in index.values()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"is no index of tensors ({first_line(error)})", str(listing), AGAIN) from error
    if outside := [file for file in names if Path(file).name != file]:
        raise ModelError(f"names files in another folder: {listed_names(outside)}", str(listing), AGAIN)
    if gone := [file for file in names if not (folder / file).is_file()]:
        raise ModelError(f"names files that are not there: {listed_names(gone)}", str(listing), "Fetch them.")
    return [folder / file for file in names], {str(name): str(file) for name, file in index.items()}


def read_header(file: Path) -> dict[str, Stored]:
    """Return what a safetensors file holds.

    Raises:
        ModelError: it is a pointer, empty, cut short or damaged.
    """
    try:
        with file.open("rb") as opened:
            head = opened.read(len(_POINTER))
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", str(file), "Check its permissions.") from error
    if head == _POINTER:
        raise ModelError(
            "is a pointer of Git LFS, not the weights", str(file), "Run git lfs pull in its folder, or fetch the file."
        )
    if not head:
        raise ModelError("is empty", str(file), AGAIN)
    try:
        # Stubs know it as a plain object.
        opened_file: Any = safe_open(file, framework="pt")
        with opened_file as tensors:
            found: dict[str, Stored] = {}
            for name in tensors.keys():  # noqa: SIM118  # it is no dict
                part = tensors.get_slice(name)
                found[name] = Stored(file, tuple(part.get_shape()), str(part.get_dtype()))
            return found
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"is cut short or damaged ({first_line(error)})", str(file), AGAIN) from error


def folder_of(source: str) -> Path:
    """Return the folder that a loaded model lies in; of a name in the hub that in the cache."""
    if Path(source).is_dir():
        return Path(source)
    from transformers.utils.hub import cached_file

    return Path(str(cached_file(source, "config.json", local_files_only=True))).parent


def account(net: Any, told: dict[str, Any], stored: dict[str, Stored], name: str) -> None:
    """See that files and model hold the same tensors.

    Args:
        net: The loaded model.
        told: What `transformers` says of the load.
        stored: The tensors in the files.
        name: The model's Undertow name.

    Raises:
        ModelError: they do not.
    """
    where = f"{name}, {files_of(stored)}" if stored else name
    prefix = next((each for each in _SAVED_AS if any(key.startswith(each) for key in stored)), None)
    if prefix is not None:
        raise ModelError(
            f"its tensors have names with {prefix!r} in front: {listed_names(stored)}",
            where,
            f"Save {_SAVED_AS[prefix]} instead of its wrapper, or rename the tensors.",
        )
    state: dict[str, Tensor] = net.state_dict()
    tied = _tied(net)
    given, made = _placed(stored, state, net)
    shapes = {str(each[0]): (tuple(each[1]), tuple(each[2])) for each in told.get("mismatched_keys", ())}
    shapes |= {
        key: (given[key].shape, tuple(state[key].shape))
        for key in given.keys() & state.keys()
        if given[key].shape != tuple(state[key].shape)
    }
    if shapes:
        said = [f"{key} {list(there)} for {list(here)}" for key, (there, here) in sorted(shapes.items())]
        raise ModelError(
            f"its tensors are not of the shapes that its config asks for: {listed_names(said)}",
            where,
            "Put config.json beside the weights that it was written for.",
        )
    missing = {str(key) for key in told.get("missing_keys", ())}
    if given:
        held = given.keys() | made.keys()
        missing |= {key for key in state if key not in held and not (tied.get(key, set()) & held)}
    if missing:
        raise ModelError(
            f"its files lack {_count(missing, 'tensor')} of the model: {listed_names(sorted(missing))}",
            where,
            "Fetch all of its files again, or save it whole; nothing is filled in with random numbers.",
        )
    ignored = [re.compile(each) for each in (net._keys_to_ignore_on_load_unexpected or ())]
    unknown = {str(key) for key in told.get("unexpected_keys", ())} | (given.keys() - state.keys())
    # Checkpoints of older versions hold the frequencies of rotary positions, which the config gives.
    ignored.append(re.compile(r"rotary_emb\.inv_freq$"))
    if unknown := {key for key in unknown if not any(each.search(key) for each in ignored)}:
        raise ModelError(
            f"its files hold {_count(unknown, 'tensor')} that the model does not have: {listed_names(sorted(unknown))}",
            where,
            "Put config.json beside the weights that it was written for.",
        )
    used = [(key, each.dtype) for key, each in given.items() if key in state]
    used += [(key, each.dtype) for key, parts in made.items() for each in parts]
    if other := {key: dtype for key, dtype in used if dtype not in _FLOATS}:
        said = [f"{key} ({dtype})" for key, dtype in sorted(other.items())]
        raise ModelError(
            f"its weights are quantised: {listed_names(said)}",
            where,
            "Name the same model with weights that are not quantised.",
        )


def _placed(
    stored: dict[str, Stored], state: Collection[str], net: Any
) -> tuple[dict[str, Stored], dict[str, list[Stored]]]:
    """Return stored tensors by the model's names, and those that `transformers` renames or puts together on loading.

    It checks the shapes of the latter itself. Experts, for example, are stored one by one and held as one tensor.
    """
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

    changes = get_model_conversion_mapping(net)
    renamings = [each for each in changes if isinstance(each, WeightRenaming)]
    converters = [each for each in changes if isinstance(each, WeightConverter)]
    given: dict[str, Stored] = {}
    made: dict[str, list[Stored]] = {}
    for key, each in stored.items():
        own = _own_name(key, state, net.base_model_prefix)
        later = own if own in state else rename_source_key(key, renamings, converters)[0]
        later = _own_name(later, state, net.base_model_prefix)
        if own not in state and later in state:
            made.setdefault(later, []).append(each)
        else:
            given[own] = each
    return given, made


def _own_name(key: str, state: Collection[str], prefix: str) -> str:
    """Return a stored name as the model has it: a bare decoder's names lack the prefix."""
    longer = f"{prefix}.{key}"
    return longer if key not in state and longer in state else key


def _tied(net: Any) -> dict[str, set[str]]:
    """Return for each tensor that shares its memory with others their names."""
    by_place: dict[int, set[str]] = {}
    for key, each in net.state_dict(keep_vars=True).items():
        by_place.setdefault(id(each), set()).add(key)
    return {key: keys - {key} for keys in by_place.values() for key in keys if len(keys) > 1}


def refuse_not_finite(tensors: Iterable[tuple[str, Tensor]], where: str) -> None:
    """See that weights are numbers.

    Raises:
        ModelError: one is infinite or not a number.
    """
    if broken := list(_not_finite(tensors)):
        raise ModelError(
            f"{_count(broken, 'tensor')} {'hold' if len(broken) > 1 else 'holds'} values that are infinite or no "
            f"number: {listed_names(broken)}",
            where,
            "Fetch the weights again; if they were saved so, take an earlier step of the training.",
        )


@torch.inference_mode()
def _not_finite(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[str]:
    for name, each in tensors:
        # A sum is read once and keeps every infinity; only a sum beyond the type's range needs the slower look.
        # What accelerate leaves on the disk has no values here.
        if (
            each.is_floating_point()
            and not each.is_meta
            and not torch.isfinite(each.sum())
            and not torch.isfinite(each).all()
        ):
            yield name


def listed_names(names: Iterable[str]) -> str:
    """Return the first few names, and how many more there are."""
    every = [_text(each) for each in names]
    more = f" and {len(every) - _NAMED:,} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more


def first_line(error: BaseException) -> str:
    """Return the start of what an error says."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    # Some end their first line with a colon, and say what is wrong in the next.
    said = " ".join(lines[:2]) if lines and lines[0].endswith(":") else "".join(lines[:1])
    return (said or type(error).__name__)[:200]


def _count(found: Collection[str], noun: str) -> str:
    return f"{len(found):,} {noun}{'' if len(found) == 1 else 's'}"


def files_of(stored: dict[str, Stored]) -> str:
    """Name the files that tensors lie in."""
    return listed_names(sorted({each.file.name for each in stored.values()}))


def _text(value: object) -> str:
    return str(getattr(value, "value", value))[:120]
