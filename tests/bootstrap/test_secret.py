"""A secret is never seen, and told apart by its text alone."""

from bootstrap_core.secrets import Secret


def test_whatever_prints_a_secret_prints_a_mask() -> None:
    secret = Secret("top secret")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r}", f"{[secret]}"]
    assert shown == [
        "********",
        "Secret('********')",
        "********",
        "Secret('********')",
        "[Secret('********')]",
    ]
    assert (str(Secret("")), repr(Secret(""))) == ("", "Secret('')")


def test_a_secret_is_its_text() -> None:
    assert Secret("é").reveal() == "é"
    assert Secret("é").encode() == b"\xc3\xa9"
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert (bool(Secret("a")), bool(Secret(""))) == (True, False)
