"""What a run of digits is reckoned to take grows with every size that it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.config.experiment import DigitsExperiment, load_preset
from undertow.experiment.digits.cost import operations


def spec(**changes: object) -> DigitsExperiment:
    return DigitsExperiment.model_validate({"kind": "digits", "name": "d", **changes})


@given(st.lists(st.integers(1, 8192), max_size=8), st.integers(1, 100_000), st.integers(1, 1000), st.data())
def test_more_of_anything_takes_longer(hidden: list[int], images: int, epochs: int, data: st.DataObject) -> None:
    sizes = {"hidden": hidden, "train_images": images, "teacher_epochs": epochs}
    name, more = data.draw(
        st.sampled_from(
            [
                ("hidden", [*hidden, 8192]),
                ("train_images", 2 * images),
                ("teacher_epochs", 2 * epochs),
                ("student_images", 60_000),
                ("auxiliary", 4),
                ("test_images", 1001),
                ("seeds", list(range(9))),
            ]
        )
    )
    if name == "train_images" and more > 100_000:  # type: ignore[operator]
        return
    if name == "hidden" and hidden and hidden[-1] < 13:
        return
    assert operations(spec(**{**sizes, name: more})) > operations(spec(**sizes))


def test_sixteen_wide_layers_take_thousands_of_times_the_preset() -> None:
    large = spec(hidden=[8192] * 16)
    assert operations(large) > 1000 * operations(spec())


def test_products_of_matrices_are_most_of_a_wide_network() -> None:
    wide = spec(hidden=[4096, 4096], student_batch=4096, batch=4000)
    weights = 784 * 4096 + 4096 * 4096 + 4096 * 13
    least = 8 * 2 * weights * (50_000 * (4 * 3 + 1) + 4000 * 5 * 3)
    assert least < operations(wide) < 2 * least


def test_the_preset_takes_what_it_took() -> None:
    # 64 s for two seeds where large products did 27 to 44 billion operations a second (30 November 2026).
    preset = load_preset("digits", {"seeds": [0, 1]})
    assert isinstance(preset, DigitsExperiment)
    assert 64 / 2 < operations(preset) / 36e9 < 64 * 2
    assert operations(load_preset("digits")) == pytest.approx(4 * operations(preset))  # type: ignore[arg-type]
