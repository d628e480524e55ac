"""The Python example in docs/integrate.md, run as it stands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.gateway import Sender
from tests.messages import consent, new_id
from tests.world import DSO, PLAYER, SERVICE, SUBSCRIPTION, World, pod_name

GUIDE = Path(__file__).parents[2] / "docs" / "integrate.md"


def test_the_example_activates_and_agrees(world: World, url: str, channel: Sender, customers: Iterator[int]) -> None:
    numbers = [next(customers), next(customers)]
    channel.send(consent(numbers[0], new_id()))
    example: dict[str, Any] = {}
    (source,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(source, str(GUIDE), "exec"), example)  # noqa: S102  our own document

    agreement = example["activate"](
        world.settings.key_file.parent, f"{url}/v1/services/b2b", PLAYER, DSO, SERVICE, SUBSCRIPTION,
        [pod_name(number) for number in numbers],
    )  # fmt: skip

    assert agreement.startswith("urn:uuid:")
