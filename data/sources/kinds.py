"""The registry of sources: a kind is added here, a source of the user's own by naming it `package.module:OBJECT`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from data.alpaca.editions import ORIGINS, edition_of
from data.origin import Origin
from data.sources import alpaca, files, hub, mongodb, own, tfds
from data.sources.items import Item, Part, Planned, ReadSettings, SourceKind

# The first that accepts an address has it; files take what is left.
KINDS: Mapping[str, SourceKind] = {
    kind.name: kind for kind in (mongodb.KIND, hub.KIND, tfds.KIND, alpaca.KIND, own.KIND, files.KIND)
}


def kind_for(address: str) -> SourceKind:
    """Returns the kind of source that an address is of."""
    return next(kind for kind in KINDS.values() if kind.accepts(address))


def plan(address: str, settings: ReadSettings) -> Planned:
    """Returns what reading `address` will be; a public edition of Alpaca is known by its content, whatever its name.

    Raises:
        SourceError: If it cannot be read.
    """
    planned = kind_for(address).plan(address, settings)
    editions = [edition for fact in planned.facts if (edition := edition_of(str(fact.get("sha256"))))]
    known: Sequence[Origin] = [ORIGINS[edition] for edition in editions]
    return Planned(planned.parts, planned.facts, known[0]) if len(known) == len(planned.facts) == 1 else planned


def read(part: Part, settings: ReadSettings) -> Iterator[Item]:
    """Yields the records of a part.

    Raises:
        SourceError: If it is damaged, cut, or does not answer.
    """
    return KINDS[part.kind].read(part, settings)
