from hypothesis import given
from hypothesis import strategies as st

from nested_ray.observability.redact import MASK, redact, redact_value


def test_url_password_is_masked_and_the_rest_stays():
    text = "connect postgresql://nest:s3cr:et@db.local:5432/x?sslmode=require failed"
    assert (
        redact(text) == f"connect postgresql://nest:{MASK}@db.local:5432/x?sslmode=require failed"
    )


def test_redis_url_without_user_is_masked():
    assert redact("redis://:hunter2@127.0.0.1:6379/0") == f"redis://:{MASK}@127.0.0.1:6379/0"


def test_authorization_headers_are_masked_in_every_spelling():
    for text in (
        "Authorization: Bearer abc.def-ghi",
        '{"authorization": "Bearer abc.def-ghi", "x": 1}',
        "{'Authorization': 'abc.def-ghi'}",
        "curl -H 'Authorization: Basic abc.def-ghi'",
    ):
        assert "abc.def-ghi" not in redact(text), text


def test_api_keys_and_aws_secrets_are_masked():
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzzzzz"
    for text in (
        f"AWS_SECRET_ACCESS_KEY={secret}",
        f"{{'aws_secret_access_key': '{secret}'}}",
        f"https://s3/x?X-Amz-Signature={secret}&X-Amz-Date=1",
        f"host=db password={secret} user=nest",
    ):
        assert secret not in redact(text), text
    assert redact("key nr_live_ab12_Zk9 used") == f"key nr_live_{MASK} used"
    assert redact("openai key sk-proj-abcdefghijklmnop1234") == f"openai key sk-{MASK}"


def test_ordinary_lines_are_left_alone():
    for text in (
        "level syntax step 40 loss 3.21 tokens_per_second=812",
        "http://127.0.0.1:8000/v1/models answered 200",
        "git:/repo@abc123 has 12 documents",
        "max_tokens=64 num_tokens: 12",
    ):
        assert redact(text) == text


def test_fields_named_like_a_secret_are_masked_whole_at_any_depth():
    value = {"headers": {"Authorization": "x y z"}, "items": [{"password": "p q"}], "n": 3}
    assert redact_value("request", value) == {
        "headers": {"Authorization": MASK},
        "items": [{"password": MASK}],
        "n": 3,
    }
    assert redact_value("max_tokens", "64") == "64"


@given(
    st.text(alphabet=st.characters(categories=("L", "N")), min_size=1).map(
        lambda s: "Q7" + s + "q7"
    )
)
def test_no_password_survives_in_a_url(password):
    assert password not in redact(f"amqp://u:{password}@h/")


@given(st.text())
def test_redaction_is_idempotent(text):
    assert redact(redact(text)) == redact(text)
