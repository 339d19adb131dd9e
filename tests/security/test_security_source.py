"""What the source may not do, whoever wrote it: no pickle, no code of strangers, no YAML that makes objects, no shell.

The source is walked as a tree, so that a new module is held to it from its first day.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import undertow

SOURCE = Path(undertow.__file__).parent
UNPICKLING = {"pickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "copyreg"}
FILES = sorted(SOURCE.rglob("*.py"))
OWN_YAML = {
    "config/limited_yaml.py": "the reader",
    "config/strict_yaml.py": "a stricter one on top of it",
    "store/spec.py": "reads what it has just written itself",
}

READS_CSV = {"data/delimited.py": "reads tables of cells, and may not write any"}


def problems(text: str, name: str) -> Iterator[str]:
    """Say what a module does that it may not."""
    for node in ast.walk(ast.parse(text)):
        where = f"{name}:{getattr(node, 'lineno', 0)}"
        for module in _imported(node):
            if module.split(".")[0] in UNPICKLING:
                yield f"{where} imports {module}, which makes objects of bytes"
            if module.split(".")[0] == "csv" and name not in READS_CSV:
                yield f"{where} writes CSV: neutralise cells that begin with = + - @ tab or return, and test it here"
        if isinstance(node, ast.Call):
            yield from (f"{where} {problem}" for problem in _call(node, name))


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def _call(node: ast.Call, name: str) -> Iterator[str]:
    called = ast.unparse(node.func)
    given = {each.arg: each.value for each in node.keywords if each.arg}

    def says(key: str, value: object) -> bool:
        return isinstance(given.get(key), ast.Constant) and given[key].value == value  # type: ignore[attr-defined]

    last = called.rpartition(".")[2]
    if called in ("torch.load", "torch.jit.load", "torch.hub.load"):
        yield "loads what torch pickled"
    if called in ("np.load", "numpy.load") and not says("allow_pickle", False):
        yield "np.load without allow_pickle=False"
    if called in ("np.save", "np.savez", "np.savez_compressed") and not says("allow_pickle", False):
        yield f"{called} without allow_pickle=False"
    if "trust_remote_code" in given and not says("trust_remote_code", False):
        yield "trusts remote code"
    if last == "from_pretrained" and "Auto" in called and "trust_remote_code" not in given:
        yield "leaves trust_remote_code to its default"
    # The embedded model's GGUF has a pinned hash.
    own = name == "assets/gguf.py"
    if last == "from_pretrained" and "AutoModel" in called and not own and not says("use_safetensors", True):
        yield "loads weights that need not be safetensors"
    if called in ("eval", "exec", "compile", "__import__", "os.system", "os.popen"):
        yield f"calls {called}"
    if "shell" in given and not says("shell", False):
        yield "runs a shell"
    if last in ("extractall", "unpack_archive"):
        yield "unpacks an archive whole: its names may lead out of the folder"
    if called.startswith("yaml.") and last.startswith(("load", "unsafe", "full", "safe_load")) and name not in OWN_YAML:
        yield "reads YAML without limits: use undertow.config.limited_yaml"
    if last in ("to_csv", "writer", "DictWriter"):
        yield "writes CSV"
    if last == "Environment" and not says("autoescape", True):
        yield "makes HTML without escaping"
    if last == "Markup" and node.args and not _ours(node.args[0]):
        yield "takes a text for markup"


def _ours(value: ast.expr) -> bool:
    """Tell whether a text for markup is the source's own, or put together by `svg.element`."""
    text = ast.unparse(value)
    return isinstance(value, ast.Constant) or "read_template(" in text or text.startswith("f'<{name}{pairs}>")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(SOURCE).as_posix())
def test_no_module_does_what_none_may(file: Path) -> None:
    assert list(problems(file.read_text("utf-8"), file.relative_to(SOURCE).as_posix())) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from dill import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=True)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.save(path, x)",
        "AutoTokenizer.from_pretrained(x)",
        "AutoModelForCausalLM.from_pretrained(x, trust_remote_code=False)",
        "f(trust_remote_code=asked)",
        "eval(text)",
        "subprocess.run(text, shell=True)",
        "archive.extractall(path)",
        "yaml.safe_load(text)",
        "yaml.load(text, Loader)",
        "import csv",
        "csv.writer(file)",
        "csv.DictWriter(file, names)",
        "frame.to_csv(path)",
        "Environment()",
        "Markup(text)",
    ],
)
def test_the_walk_sees_each_of_them(text: str) -> None:
    assert list(problems(text, "module.py"))
