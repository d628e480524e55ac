"""Writing is flat in memory, whatever is written."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np

from flexiciency.contract.codec_write import write_values
from flexiciency.contract.series import Series, TimeStep
from tests.contract.test_codec import HEADER, START


def test_chunks_are_about_one_megabyte_and_memory_stays_flat() -> None:
    header = replace(HEADER, period_end=START + timedelta(days=366))
    generator = np.random.default_rng(1)

    def year_of(pods: int) -> Iterator[Series]:
        for number in range(pods):
            values = generator.integers(0, 9_999, 35_040).astype(np.int32)
            yield Series(f"AT{number}", START, TimeStep.PT15M, values)

    def peak(pods: int) -> tuple[int, list[int]]:
        tracemalloc.start()
        sizes = [len(chunk) for chunk in write_values(header, year_of(pods))]
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most, sizes

    peak(1)
    small, _ = peak(2)
    large, sizes = peak(12)
    assert len(sizes) > 12
    assert max(sizes) < 2_500_000
    assert large < 1.2 * small
