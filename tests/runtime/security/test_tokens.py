import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError
from offramp.runtime.security import Tokens

FIRST, SECOND = "first-token-0123456789", "second+token/0123456789=="


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    path.write_text(f"# of the line's cameras\n\n{FIRST}\n  {SECOND}  \n")
    path.chmod(0o600)
    return Tokens(path)


def test_each_line_is_a_token_and_a_client_sends_the_first(tokens):
    assert tokens.accepts(f"Bearer {FIRST}")
    assert tokens.accepts(f"bearer {SECOND}")
    assert tokens.accepts(f"Bearer {SECOND}".encode())
    assert tokens.metadata() == (("authorization", f"Bearer {FIRST}"),)


@given(
    st.none()
    | st.binary()
    | st.text()
    | st.text().map("Bearer {}".format)
    | st.sampled_from([FIRST, "Bearer ", f"Basic  {FIRST}", f"Bearer {FIRST[:-1]}", f"Bearer {FIRST} "])
)
def test_nothing_else_is_a_token(tokens, authorization):
    assert not tokens.accepts(authorization)


@pytest.mark.parametrize("content", ["", "\n\n", "# later\n"], ids=["empty", "blank", "comment"])
def test_a_file_without_a_token_is_refused(tmp_path, content):
    path = tmp_path / "tokens"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        Tokens(path)
    assert str(caught.value) == f"{path}: holds no token; write one, for example: openssl rand -hex 32"


@pytest.mark.parametrize("token", ["short", "x" * 20 + "é", "twenty characters it is", "0123456789abcde"])
def test_what_is_no_bearer_token_is_refused_and_not_quoted(tmp_path, token):
    path = tmp_path / "tokens"
    path.write_text(f"{FIRST}\n{token}\n")
    with pytest.raises(ConfigError) as caught:
        Tokens(path)
    assert str(caught.value) == (
        f"{path}: token 2 is no bearer token of 16 characters or more (letters, digits and -._~+/);"
        " make one, for example: openssl rand -hex 32"
    )


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="No such file or directory; give a file that this user may read"):
        Tokens(tmp_path / "absent")
