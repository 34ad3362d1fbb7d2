import base64
import json

import pytest

from nested_ray.corpus.credentials import find_credential

# Put together here, so that no scanner takes this file for a leak.
AWS_KEY = "AKIA" + "Q3EGRZ7TNVKWPL2D"
AWS_SECRET = "k7Tq/9ZrWn3XbV5yLmCpJdHs" + "8fAeGu+2Ro4KiN1x"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
KEY_LINES = ["MIIEowIBAAKCAQEAx4UbaDzY5xjW6hc9jwN0mX33XpTDVW" + "8rJqgL2yT9bQeKsZ"] * 3
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----"


def jwt():
    parts = [{"alg": "HS256"}, {"sub": "1", "name": "n"}]
    coded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    ]
    return ".".join([*coded, "c2lnbmF0dXJlc2lnbmF0dXJl"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f'key = "{AWS_KEY}"\n', "AWS Access Key in line 1"),
        (f"import os\n\naws_secret_key = '{AWS_SECRET}'\n", "AWS Access Key in line 3"),
        (f"TOKEN = '{GITHUB}'\n", "GitHub Token in line 1"),
        ("KEY = '''" + "\n".join([PEM, *KEY_LINES]) + "'''\n", "Private Key in line 1"),
        ("KEY = '" + "\\n".join([PEM, *KEY_LINES]) + "'\n", "Private Key in line 1"),
        (f"x = 1\nheaders = {{'t': '{jwt()}'}}\n", "JSON Web Token in line 2"),
    ],
)
def test_credentials_are_found_with_their_line(text, found):
    assert find_credential(text) == found


@pytest.mark.parametrize(
    "text",
    [
        f"if line == '{PEM}':\n    return parse(line)\n",  # handles keys, holds none
        'key = "AKIA' + 'IOSFODNN7EXAMPLE"\n',  # AWS's own documentation
        f'key = "{AWS_KEY}"  # pragma: allowlist secret\n',
        "token = 'ghp_" + "x" * 36 + "'\n",
        "dna = 'GGCTACCATCTCTACCGGTTCGCTTTCACTGG'\n",
        "password = 'correct horse battery staple'\napi_key = get_key()\n",
        "digest = '3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b'\n",
        "laws = draws['eyJ']\n",
    ],
)
def test_code_that_only_looks_like_it_passes(text):
    assert find_credential(text) is None


def test_marked_line_does_not_hide_another():
    text = f'a = "{AWS_KEY}"  # pragma: allowlist secret\nb = "{AWS_KEY}"\n'
    assert find_credential(text) == "AWS Access Key in line 2"
