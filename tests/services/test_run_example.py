"""The Python example in docs/run.md, run as it stands."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.world import DSO, PLAYER, SERVICE, World, customer_id, pod_name

PAGE = Path(__file__).parents[2] / "docs" / "run.md"


def test_the_first_call_is_answered(world: World, url: str, customers: Iterator[int], tmp_path: Path) -> None:
    keys = shutil.copytree(world.settings.key_file.parent, tmp_path / "keys")
    for kind in ("key", "pem"):
        shutil.copy(keys / f"channel.{kind}", keys / f"portal.{kind}")
    number = next(customers)
    example: dict[str, Any] = {}
    (source,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(source, str(PAGE), "exec"), example)  # noqa: S102  our own document

    status = example["first_call"](keys, url, DSO, PLAYER, SERVICE, customer_id(number), pod_name(number))

    assert status == "OK"
