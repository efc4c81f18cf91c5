"""The fourth stage: pairs that are alike become groups; of each, one row stays, and all prompts are in one split.

Its memory follows the number of pairs that were found, not the number of rows; with `--group` it follows the rows.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from data.prepare.duplicates import exact_pairs
from data.prepare.store import read_keys
from data.prepare.work import Result, Work

EXACT, NEAR = "duplicate", "near-duplicate"


class Clusters(NamedTuple):
    """Findings of the stage.

    Attributes:
        lost: ids of the rows that go, sorted: int64 [M].
        kept: id of the row that each repeats: int64 [M].
        is_exact: whether it is the same but for case and white space: bool [M].
        asked: hashes of prompts that have others in their group, sorted: uint64 [K].
        keys: the hash that decides about the split of each: uint64 [K].
    """

    lost: np.ndarray
    kept: np.ndarray
    is_exact: np.ndarray
    asked: np.ndarray
    keys: np.ndarray


def find_clusters(work: Work) -> Result:
    """Finds the groups, and leaves them in the work folder."""
    near_rows, near_asked = _near_pairs(work)
    exact = exact_pairs(work)
    members, firsts = _components(near_rows)
    is_lost = members != firsts
    lost = np.concatenate([exact[:, 0], members[is_lost]])
    kept = np.concatenate([exact[:, 1], firsts[is_lost]])
    is_exact = np.arange(len(lost)) < len(exact)
    order = np.argsort(lost)
    asked, keys = _components(np.concatenate([near_asked, _group_pairs(work)]))
    found = Clusters(lost[order], kept[order], is_exact[order], asked, keys)
    np.savez(work.path("clusters.npz"), **found._asdict())
    return {EXACT: len(exact), NEAR: int(is_lost.sum()), "prompts": len(asked)}


def load_clusters(work: Work) -> Clusters:
    """Returns what `find_clusters` left."""
    with np.load(work.path("clusters.npz")) as arrays:
        return Clusters(**{name: arrays[name] for name in Clusters._fields})


def split_positions(asked: np.ndarray, clusters: Clusters, seed: int) -> np.ndarray:
    """Returns where each prompt falls between 0 and 1; below the share of eval, it is there.

    Args:
        asked: hashes of prompts: uint64 [N].
        clusters: a prompt's group decides together, by the smallest of its hashes.
        seed: 0 takes the hash as it is.

    Returns:
        float64 [N].
    """
    keys = asked.copy()
    if len(clusters.asked):
        at = np.minimum(np.searchsorted(clusters.asked, asked), len(clusters.asked) - 1)
        is_member = clusters.asked[at] == asked
        keys[is_member] = clusters.keys[at[is_member]]
    if seed:
        keys = np.array([_with_seed(int(key), seed) for key in keys], np.uint64)
    return keys / 2.0**64


def _with_seed(key: int, seed: int) -> int:
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _near_pairs(work: Work) -> tuple[np.ndarray, np.ndarray]:
    rows, asked = [np.zeros((0, 2), np.int64)], [np.zeros((0, 2), np.uint64)]
    for path in sorted(work.folder.joinpath("near").glob("*.npz")):
        with np.load(path) as arrays:
            rows.append(arrays["rows"])
            asked.append(arrays["asked"])
    return np.concatenate(rows), np.concatenate(asked)


def _group_pairs(work: Work) -> np.ndarray:
    """Returns the prompts of each group, each with the group's own hash: uint64 [N, 2]."""
    pairs = [np.zeros((0, 2), np.uint64)]
    for part in range(len(work.parts)) if work.settings.group else ():
        asked, group = read_keys(work, part, "asked", "group")
        pairs.append(np.unique(np.stack([asked, group], axis=1)[group != 0], axis=0))
    return np.concatenate(pairs)


def _components(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the members of all connected components, sorted, and the smallest member of each one's own.

    Args:
        pairs: edges, of any integer type: [M, 2].
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    nodes, edges = np.unique(pairs, return_inverse=True)
    if not len(nodes):
        return nodes, nodes
    edges = edges.reshape(-1, 2)
    graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), (len(nodes), len(nodes)))
    _, labels = connected_components(graph, directed=False)
    smallest = np.full(labels.max() + 1, len(nodes), np.int64)
    np.minimum.at(smallest, labels, np.arange(len(nodes)))
    return nodes, nodes[smallest[labels]]
