"""The Python examples in docs/integrate.md, run as they stand."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flexiciency.client import MarketPlayer
from tests.gateway import Sender
from tests.messages import consent, new_id
from tests.world import DSO, PLAYER, SERVICE, SUBSCRIPTION, World, pod_name

GUIDE = Path(__file__).parents[2] / "docs" / "integrate.md"


def test_the_examples_activate_agree_and_sum_up(
    world: World, url: str, channel: Sender, customers: Iterator[int]
) -> None:
    numbers = [next(customers), next(customers)]
    channel.send(consent(numbers[0], new_id()))
    example: dict[str, Any] = {}
    for source in re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(source, str(GUIDE), "exec"), example)  # noqa: S102  our own document

    agreement = example["activate"](
        world.settings.key_file.parent, f"{url}/v1/services/b2b", PLAYER, DSO, SERVICE, SUBSCRIPTION,
        [pod_name(number) for number in numbers],
    )  # fmt: skip

    assert agreement.startswith("urn:uuid:")
    start, end = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, 1, tzinfo=UTC)
    with MarketPlayer(world.player, PLAYER, DSO, f"{url}/v1/services/b2b", world.anchors) as provider:
        sums = example["energy"](provider, agreement, start, end)
    first = 1000 * numbers[0] + 100 + 1 + 4  # the first of January's fifth quarter hour
    assert sums == {pod_name(numbers[0]): (4 * first + 6) / 1000}
