"""Tables as NPZ archives: the same bytes for any number of parts, in bounded memory."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.results.export import export_frames
from runner.tables import npz_archive as archives
from runner.tables.frame import Column, Frame

COLUMN_KINDS = ("integer", "number", "text", "truth")
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**53), 2**53),
        st.none() | st.floats(),
        st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        st.none() | st.booleans(),
    ),
    max_size=12,
)
# 20,000 rows of this table take about 30 MB as Python objects.
MEASURE = """\
import resource
import sys
from pathlib import Path

from runner.results.export import export_frames
from runner.tables.frame import Column, Frame

def part(number):
    texts = [f"{number} {row} " + "x" * 50 for row in range(1000)]
    return Frame([Column(f"c{each}", "text" if each % 2 else "number", texts if each % 2 else [0.5 * number] * 1000) for each in range(20)])

file, count = sys.argv[1:]
export_frames(Path(file), (part(number) for number in range(3)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
export_frames(Path(file), (part(number) for number in range(int(count))))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def frame(rows: list[tuple[Any, ...]]) -> Frame:
    columns = zip(*rows, strict=True) if rows else ((),) * len(COLUMN_KINDS)
    return Frame([Column(kind, kind, list(values)) for kind, values in zip(COLUMN_KINDS, columns, strict=True)])


@given(rows=ROWS, cuts=st.lists(st.integers(0, 12), max_size=3), at_once=st.sampled_from([1, 100, archives.BYTES_AT_ONCE]))
def test_parts_give_the_same_arrays_as_the_whole(tmp_path_factory, rows, cuts, at_once):
    file = tmp_path_factory.getbasetemp() / "parts.npz"
    ends = [0, *sorted(cuts), 12]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "BYTES_AT_ONCE", at_once)
        assert export_frames(file, [frame(rows[first:end]) for first, end in itertools.pairwise(ends)]) == len(rows)
    with np.load(file, allow_pickle=False) as found:
        assert found.files == list(COLUMN_KINDS)
        arrays = {kind: found[kind] for kind in COLUMN_KINDS}
    columns = dict(zip(COLUMN_KINDS, zip(*rows, strict=True) if rows else ((),) * len(COLUMN_KINDS), strict=True))
    for kind, wrong in (("integer", np.nan), ("number", np.nan)):
        expected = np.array([wrong if value is None else value for value in columns[kind]], float)
        assert arrays[kind].astype(float).tobytes() == expected.tobytes()
    assert arrays["text"].tolist() == ["" if value is None else value for value in columns["text"]]
    words = {None: "", True: "true", False: "false"}
    truths = [words[value] for value in columns["truth"]]
    assert [str(value).lower() if arrays["truth"].dtype == bool else value for value in arrays["truth"].tolist()] == truths


def grown(file: Path, parts: int) -> float:
    """Return the additional MB that a number of parts needs at its peak, compared with three parts."""
    done = subprocess.run([sys.executable, "-c", MEASURE, file, str(parts)], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is reported in kilobytes on Linux")
def test_ten_times_the_rows_take_no_more_memory(tmp_path):
    few, many = (grown(tmp_path / "a.npz", parts) for parts in (5, 50))
    assert many < few + 10
