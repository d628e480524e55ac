"""What the server publishes over HTTP: the committed WSDLs and XSDs, health, and how it answers what is no message."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urljoin

import pytest
import requests
import zeep

from flexiciency.contract.catalogue import B2B, operations
from flexiciency.contract.schemas import FOLDER, files
from flexiciency.errors import Unavailable
from flexiciency.soap.endpoint import Call
from flexiciency.soap.outgoing import Content
from flexiciency.soap.wsgi import Site
from flexiciency.wire.parse import DEFAULT
from flexiciency.wire.verify import verify_reply
from tests.gateway import served, signature_value
from tests.soap.site import PING, endpoint, pong, site
from tests.soap.test_endpoint import message
from tests.wire.parties import NOW, REQUEST, anchors

ADDRESS = b"http://localhost:8080"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(site("https://dso.example/")) as address:
        yield address


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=10)


@pytest.mark.parametrize("name", sorted(files()))
def test_each_file_is_published_as_committed_but_for_the_address(url: str, name: str) -> None:
    answer = get(f"{url}/v1/{name}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    committed = (FOLDER / name).read_bytes()
    assert answer.content == (
        committed.replace(ADDRESS, b"https://dso.example") if name.endswith(".wsdl") else committed
    )
    assert ADDRESS not in answer.content


def test_all_of_the_contract_is_published() -> None:
    assert set(files()) == {
        str(path.relative_to(FOLDER)) for folder in ("xsd", "wsdl") for path in (FOLDER / folder).iterdir()
    }


@pytest.mark.parametrize("query", ["wsdl", "WSDL"])
def test_an_interface_gives_its_wsdl(url: str, query: str) -> None:
    answer = get(f"{url}/v1/services/b2b?{query}")
    assert answer.content == (FOLDER / "wsdl/b2b.wsdl").read_bytes().replace(ADDRESS, b"https://dso.example")
    assert b'location="https://dso.example/v1/services/b2b"' in answer.content


def test_every_import_of_every_file_resolves(url: str) -> None:
    for name, content in files().items():
        base = f"{url}/v1/services/b2b?wsdl" if name == "wsdl/b2b.wsdl" else f"{url}/v1/{name}"
        imports = re.findall(rb'schemaLocation="([^"]+)"', content)
        for location in imports:
            assert get(urljoin(base, location.decode())).status_code == 200


def test_zeep_reads_the_wsdl_with_all_its_schemas_over_http(url: str) -> None:
    with zeep.Client(f"{url}/v1/services/b2b?wsdl") as client:  # type: ignore[no-untyped-call]
        (service,) = client.wsdl.services.values()
        (port,) = service.ports.values()
        assert set(port.binding._operations) == {operation.name for operation in operations(B2B)}
        request = client.get_type("{urn:flexiciency:activation:1}DsoServiceActivationRequest")
        assert [name for name, _ in request.elements][:2] == ["Id", "MarketPlaceServiceDescriptionRef"]


def test_head_is_get_without_the_content(url: str) -> None:
    answer = requests.head(f"{url}/v1/services/b2b?wsdl", timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) == len(get(f"{url}/v1/services/b2b?wsdl").content)


@pytest.mark.parametrize(
    "path", ["/", "/v1/services/b2b", "/v1/services/other?wsdl", "/v1/xsd/", "/v1/xsd/../xsd/none.xsd", "/v1/wsdl"]
)
def test_what_is_not_published_is_404_and_says_what_is(url: str, path: str) -> None:
    answer = get(url + path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert "/v1/services/b2b?wsdl" in answer.text


def test_a_post_to_what_is_no_interface_is_405_however_long_it_is(url: str) -> None:
    answer = requests.post(f"{url}/v1/services/other", data=b"x" * 1_000_000, timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (405, "text/plain; charset=utf-8")


def test_health_is_200_while_the_host_can_answer_and_503_when_not(url: str) -> None:
    assert (get(f"{url}/healthz").status_code, get(f"{url}/healthz").text) == (200, "ok\n")

    def away() -> None:
        raise Unavailable("The database is out of reach.")

    with served(Site([endpoint()], "http://localhost", 1000, away)) as sick:
        assert get(f"{sick}/healthz").status_code == 503


def test_what_goes_wrong_outside_a_message_is_a_coded_fault_too() -> None:
    def broken() -> None:
        raise RuntimeError("secret")

    with served(Site([endpoint()], "http://localhost", 1000, broken)) as url:
        answer = get(f"{url}/healthz")
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "text/xml; charset=utf-8")
    assert "InternalError" in answer.text
    assert "secret" not in answer.text


def large(_call: Call) -> Iterator[bytes]:
    """A reply of 3 MB that compresses well."""
    opening, _version, closing = PING.partition(b"1<")
    yield opening
    for _part in range(3):
        yield b"1234567890" * 100_000
    yield b"<" + closing


@pytest.mark.parametrize(
    ("call", "taken", "encoding"),
    [
        (large, "gzip", "gzip"), (large, "br;q=1, *;q=0.5", "gzip"), (large, "identity", None),
        (large, "gzip;q=0", None), (pong, "gzip", None),
    ],
)  # fmt: skip
def test_a_large_answer_goes_in_gzip_to_who_takes_it(
    call: Callable[[Call], Content], taken: str, encoding: str | None
) -> None:
    request = message()
    one = Site([endpoint(call=call)], "https://dso.example/", DEFAULT.message_bytes, lambda: None)
    with served(one) as address:
        headers = {"Content-Type": "text/xml", "Accept-Encoding": taken}
        answer = requests.post(f"{address}/v1/services/b2b", request, headers=headers, timeout=10)
    assert answer.status_code == 200
    assert answer.headers.get("Content-Encoding") == encoding
    assert (answer.headers["Vary"], answer.headers["Accept-Encoding"]) == ("Accept-Encoding", "gzip")
    assert ("Content-Length" in answer.headers) == (encoding is None)
    reply = verify_reply(
        answer.content, request_signature=signature_value(request), request_message_id=REQUEST.message_id,
        anchors=anchors(), now=NOW,
    )  # fmt: skip
    assert (reply.canonical_body.count(b"1234567890") == 300_000) == (call is large)
