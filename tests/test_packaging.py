"""What a user installs: the wheel has the contract inside, as it stands in the repository."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_carries_the_contract(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        prefix = "flexiciency/contract/files/"
        packed = {n.removeprefix(prefix): archive.read(n) for n in archive.namelist() if n.startswith(prefix)}
    published = {
        str(file.relative_to(ROOT)): file.read_bytes() for file in [*ROOT.glob("xsd/*.xsd"), *ROOT.glob("wsdl/*.wsdl")]
    }
    assert len(published) > 0
    assert packed == published
