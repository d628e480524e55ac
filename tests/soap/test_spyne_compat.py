import flexiciency.soap.spyne_compat

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import six
from lxml import etree
from spyne import Application, Fault, Integer, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication
from spyne.util.xml import parse_schema_file

NS = "urn:test:1"
XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'


class Repeater(ServiceBase):
    @rpc(Unicode, Integer, _returns=Unicode)
    def Repeat(self, text: str, times: int) -> str:  # noqa: N802 - the name of the operation
        if times < 0:
            raise Fault(faultcode="Client.Times", faultstring="times is negative")
        return text * times


def call(body: str) -> etree._Element:
    """The Body's child that the service answers with."""
    application = WsgiApplication(
        Application([Repeater], NS, in_protocol=Soap11(validator="lxml"), out_protocol=Soap11())
    )
    data = ENVELOPE.format(body).encode()
    environ: dict[str, Any] = {
        "CONTENT_LENGTH": str(len(data)),
        "CONTENT_TYPE": "text/xml; charset=utf-8",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "REQUEST_METHOD": "POST",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(data),
        "wsgi.url_scheme": "http",
    }
    reply = b"".join(application(environ, lambda *_: None))
    body_element = etree.fromstring(reply).find(f"{SOAP}Body")
    assert body_element is not None
    return body_element[0]


def test_the_first_import_of_spyne_warns_of_nothing(tmp_path: Path) -> None:
    """A new process with an empty cache of byte code, where every warning is an error."""
    code = "import flexiciency.soap.spyne_compat, spyne.application, spyne.interface.xml_schema.parser"
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_real_six_stays_as_it_was() -> None:
    assert not hasattr(six, "get_function_name")
    assert sys.modules["six"] is six


def test_a_schema_is_read_with_its_imports(tmp_path: Path) -> None:
    """A file left open would fail this test: Python warns of it, and warnings are errors here."""
    common, main = tmp_path / "common.xsd", tmp_path / "main.xsd"
    common.write_text(
        f'<xs:schema {XS} targetNamespace="urn:c"><xs:simpleType name="Name"><xs:restriction base="xs:string"/>'
        "</xs:simpleType></xs:schema>"
    )
    main.write_text(
        f'<xs:schema {XS} xmlns:c="urn:c" targetNamespace="{NS}" elementFormDefault="qualified">'
        '<xs:import namespace="urn:c" schemaLocation="common.xsd"/><xs:complexType name="Player"><xs:sequence>'
        '<xs:element name="Name" type="c:Name"/></xs:sequence></xs:complexType></xs:schema>'
    )
    schemas = parse_schema_file(str(main), files={"urn:c": str(common)})
    player = schemas[NS].types["Player"]
    assert list(player.get_flat_type_info(player)) == ["Name"]


def test_a_call_goes_through_spyne_and_back() -> None:
    reply = call(f'<Repeat xmlns="{NS}"><text>ab</text><times>3</times></Repeat>')
    assert etree.tostring(reply, method="text") == b"ababab"
    assert reply.tag == f"{{{NS}}}RepeatResponse"


@pytest.mark.parametrize(("times", "code"), [("-1", "Client.Times"), ("many", "Client.SchemaValidationError")])
def test_a_fault_comes_back_with_its_code(times: str, code: str) -> None:
    fault = call(f'<Repeat xmlns="{NS}"><text>ab</text><times>{times}</times></Repeat>')
    assert fault.tag == f"{SOAP}Fault"
    assert str(fault.findtext("faultcode")).partition(":")[2] == code
