"""What an editor offers while a test is being written, asked of the language server that editors run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

FILE = """\
from pytest_audioparity import Stages, codec_roundtrip, compare, parity, score

def test_model(stages: Stages) -> None:
    """
SERVER = ("-c", "import sys; from basedpyright.langserver import main; sys.argv = ['server', '--stdio']; main()")


class Server:
    """A language server in a process of its own, spoken to as an editor does: JSON-RPC over its pipes."""

    def __init__(self, folder):
        self._process = subprocess.Popen([sys.executable, *SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._root, self._asked = folder.as_uri(), 0
        able = {"workspace": {"configuration": True, "workspaceFolders": True}}
        folders = [{"uri": self._root, "name": folder.name}]
        self._ask("initialize", {"processId": None, "capabilities": able, "workspaceFolders": folders})
        self._send(method="initialized", params={})

    def completions(self, line):
        """Return what is offered at the sign | of a line that ends FILE."""
        uri = f"{self._root}/test_{self._asked}.py"
        document = {"uri": uri, "languageId": "python", "version": 1, "text": FILE + line.replace("|", "") + "\n"}
        self._send(method="textDocument/didOpen", params={"textDocument": document})
        place = {"line": FILE.count("\n"), "character": len(FILE.splitlines()[-1]) + line.index("|")}
        found = self._ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": place})
        return [item["label"] for item in found["items"]]

    def close(self):
        """End the process."""
        self._ask("shutdown", None)
        self._send(method="exit")
        self._process.communicate()

    def _ask(self, method, params):
        self._asked += 1
        self._send(id=self._asked, method=method, params=params)
        while True:
            message = self._receive()
            if "method" not in message and message.get("id") == self._asked:
                return message["result"]
            if "method" in message and "id" in message:
                self._send(id=message["id"], result=self._settings(message))

    def _settings(self, message):
        """Answer what the server asks of an editor: its settings, nothing else."""
        if message["method"] != "workspace/configuration":
            return None
        own = {"python": {"pythonPath": sys.executable}, "basedpyright.analysis": {"autoImportCompletions": False}}
        return [own.get(item.get("section"), {}) for item in message["params"]["items"]]

    def _send(self, **message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _receive(self):
        length = 0
        while line := self._process.stdout.readline().strip():
            key, _, value = line.partition(b":")
            length = int(value) if key.lower() == b"content-length" else length
        assert length, "the language server has ended"
        return json.loads(self._process.stdout.read(length))


@pytest.fixture(scope="module")
def server(needs, tmp_path_factory):
    needs("basedpyright")
    server = Server(tmp_path_factory.mktemp("editor"))
    yield server
    server.close()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("parity(tol|)", {"tol_db=", "tol_peak_db="}),
        ('parity(precision="|")', {'"fp32"', '"fp16"', '"bf16"', '"int8"'}),
        ('parity(stages={"mel": {"|"}})', {'"tol_db"', '"min_snr_db"'}),
        ("codec_roundtrip(max_drop_|)", {"max_drop_stoi=", "max_drop_estoi=", "max_drop_pesq_wb="}),
        ('codec_roundtrip(skip=["|"])', {'"delay"', '"seams"', '"stale_state"'}),
        ("stages.|", {"record", "step", "torch", "mlx", "onnx", "load", "run", "input", "settings"}),
        ('stages.record("mel", [1.0], kind="|")', {'"log_spectrum"', '"waveform"', '"codes"'}),
        ('stages.record("mel", [1.0], unit="|")', {'"ln"', '"db"', '"log10_power"'}),
        ('stages.record("mel", [1.0], min_s|)', {"min_snr_db=", "min_stoi="}),
        ("compare([1.0], [1.0], actual|)", {"actual_axes="}),
        ("compare([1.0], [1.0]).|", {"passed", "deviation_db", "findings", "smallest_tol_db"}),
        ("score([1.0], [1.0], sample_rate=8000).|", {"estoi", "verdict", "garbled_seconds"}),
    ],
)
def test_an_editor_offers_keywords_and_values(server, line, offered):
    """Keywords, the values of those that are words, and the attributes of results are offered where they belong."""
    found = server.completions(line)
    assert offered <= set(found)
    assert "tol_dB=" not in found
