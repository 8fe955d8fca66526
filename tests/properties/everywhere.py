"""A property holds everywhere: under drawn regulations, and under each provider of `providers/`, in every run."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.histories import histories
from tests.properties.providers import COMBINED, world_of
from tests.properties.search import search
from tests.properties.worlds import WORLDS, World

PART_OF_A_PROVIDER = 0.5
"""Its share of the examples: drawn regulations have more to find."""
PLACES: dict[str, tuple[st.SearchStrategy[World], float]] = {
    "drawn": (WORLDS, 1.0),
    **{name: (st.just(world_of(name)), PART_OF_A_PROVIDER) for name in COMBINED},
}
"""Where histories are drawn: a strategy of worlds, and its share of the examples."""

Check = Callable[..., None]


def everywhere(
    share: float = 1.0, *, at_once: int | None = None, **further: st.SearchStrategy[object]
) -> Callable[[Check], Check]:
    """A test per place of `check(case=…)`, or of `check(cases=[…])` with `at_once` histories of it.

    `share` is the property's part of the examples; `further` are strategies of arguments beside the history.
    """

    def decorate(check: Check) -> Check:
        def test(place: str) -> None:
            worlds, part = PLACES[place]
            drawn = histories(worlds)
            cases: dict[str, st.SearchStrategy[object]] = (
                {"case": drawn} if at_once is None else {"cases": st.lists(drawn, min_size=at_once, max_size=at_once)}
            )
            search(share * part)(given(**cases, **further)(check))()

        # Not `functools.wraps`: pytest would look through it and ask for the fixtures `case` and `data`.
        test.__name__, test.__qualname__, test.__doc__ = check.__name__, check.__qualname__, check.__doc__
        test.__module__ = check.__module__
        return pytest.mark.parametrize("place", PLACES)(test)

    return decorate
