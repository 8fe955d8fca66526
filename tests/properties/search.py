"""How long properties are looked for: bounded and the same every time, or as long as one lets it.

A history is a large example, so an ordinary run looks at fewer of them than other properties do. `--examples N` of
`tests/conftest.py`, or HYPOTHESIS_PROFILE=soak, draws them anew.
"""

import os

from hypothesis import HealthCheck, settings

CI_EXAMPLES = 20
SOAK_EXAMPLES = 3000
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
"""That a history takes long to draw is known."""


def search(share: float = 1.0) -> settings:
    """Settings for one property; `share` is its part of the examples, dearer ones have less."""
    loaded = settings.get_profile(settings.get_current_profile_name())
    soaking = os.environ.get("HYPOTHESIS_PROFILE", "ci") == "soak"
    examples = SOAK_EXAMPLES if soaking else CI_EXAMPLES if loaded.derandomize else loaded.max_examples
    return settings(
        max_examples=max(1, round(examples * share)),
        derandomize=loaded.derandomize and not soaking,
        deadline=None,
        suppress_health_check=SLOW,
    )
