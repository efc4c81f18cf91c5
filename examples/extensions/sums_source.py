"""A data source: sums of two numbers, made on the spot; a database or a service would be asked in the same place."""

from collections.abc import Iterator

from data.origin import Origin
from data.sources.own import RowSource
from data.tfrecords import Row


def rows() -> Iterator[Row]:
    """Yields the rows, from the first."""
    for first in range(20):
        for second in range(20):
            yield Row(instruction="Add these two numbers.", input=f"{first} and {second}", output=str(first + second))


SOURCE = RowSource(name="sums", origin=Origin(license="cc0-1.0", sources=("computed",)), rows=rows)
