"""An artifact of the metadata store, as a record names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from modules.record import RecordPart

if TYPE_CHECKING:
    from tfx.types import Artifact


class ArtifactReference(RecordPart):
    """Names an artifact by its id in ML Metadata and its address."""

    id: int
    uri: str

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        """Returns the reference to `artifact`."""
        return cls(id=artifact.id, uri=artifact.uri)
