"""The rows to compare with: those of the last run that the gate let through."""

from __future__ import annotations

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import Artifact

EARLIER, STATISTICS = "earlier", "statistics"
# Custom properties of a DataBlessing.
STATISTICS_ID, DATASET = "statistics_id", "dataset"

Artifacts = dict[str, list[Artifact]]


class LastAcceptedDataStrategy(ResolverStrategy):
    """The newest DataBlessing of the same folder of data, but for the one that the current rows got.

    Rows that were refused are no measure, and another folder is another data set. Without the last condition,
    unchanged rows would be compared with themselves when a pipeline runs again, instead of being served from cache.

    Args:
        dataset: the folder of the data, as the gate was told it.
    """

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset

    def resolve_artifacts(self, store: object, input_dict: Artifacts) -> Artifacts:
        """Returns that blessing, or an empty list, and the current statistics.

        Args:
            store: not needed.
            input_dict: all blessings as `earlier`, and the current `statistics`.
        """
        current = {artifact.id for artifact in input_dict[STATISTICS]}
        known = [
            blessing
            for blessing in input_dict[EARLIER]
            if blessing.get_string_custom_property(DATASET) == self._dataset
            and blessing.get_int_custom_property(STATISTICS_ID) not in current
        ]
        latest = max(known, key=lambda artifact: artifact.id, default=None)
        return {EARLIER: [latest] if latest else [], STATISTICS: input_dict[STATISTICS]}
