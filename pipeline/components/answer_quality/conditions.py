"""What the configuration asks of the figures, and in words what is missed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.evaluation import Condition

WORDS = {"<=": "at most", ">=": "at least"}


def missed(conditions: Iterable[Condition], figures: Mapping[str, float]) -> list[str]:
    """Thresholds that `figures` do not reach."""
    return [
        f"{condition.metric} is {figures[condition.metric]:.4g}, and must be "
        f"{WORDS[condition.comparison]} {condition.bound:.4g}"
        for condition in conditions
        if not _holds(condition, figures[condition.metric])
    ]


def lost(conditions: Iterable[Condition], figures: Mapping[str, float], before: Mapping[str, float]) -> list[str]:
    """Figures that are worse than the last blessed model's by more than is allowed."""
    reasons = []
    for condition in conditions:
        now, then = figures[condition.metric], before[condition.metric]
        allowed = condition.bound * (abs(then) if condition.relative else 1)
        if not _holds(condition._replace(bound=allowed), now - then):
            direction = "more" if now > then else "less"
            reasons.append(
                f"{condition.metric} is {now:.4g}, {abs(now - then):.4g} {direction} than the last blessed model's "
                f"{then:.4g}, and at most {abs(allowed):.4g} is allowed"
            )
    return reasons


def _holds(condition: Condition, value: float) -> bool:
    # Sums of shares differ from what they mean in the last binary digit.
    slack = 1e-9 * max(abs(condition.bound), abs(value))
    if condition.comparison == "<=":
        return value <= condition.bound + slack
    return value >= condition.bound - slack
