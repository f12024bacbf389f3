"""The page on the wire is what people copy from."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from offramp.runtime import ClientSecurity, ServerSecurity
from offramp.runtime.security import ClientCredentials, ServerCredentials

PAGE = Path(__file__).parents[3] / "docs" / "formats" / "wire.md"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_the_commands_of_the_page_make_files_that_both_sides_take(tmp_path, caplog):
    found = re.search(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    subprocess.run(["sh", "-e", "-c", found[1]], cwd=tmp_path, check=True, capture_output=True)
    ca, tokens = tmp_path / "ca.pem", tmp_path / "tokens"
    ServerCredentials(ServerSecurity(tmp_path / "tail.pem", tmp_path / "tail.key", ca, tokens))
    ClientCredentials(ClientSecurity(ca, tmp_path / "device.pem", tmp_path / "device.key", tokens))
    assert caplog.messages == []
