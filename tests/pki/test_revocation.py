"""The CRL: signed by the issuer, and what it lists is refused by ``openssl``."""

from datetime import timedelta
from pathlib import Path

from cryptography import x509

from provision.pki.issuer import Issuer, read_serial
from provision.pki.status import CRL_LIFETIME, Revocation, make_revocation_list
from tests.pki.tools import NOW, hierarchy, issued, openssl

ISSUER = hierarchy().intermediate


def written(directory: Path, crl: bytes, issuer: Issuer) -> tuple[Path, Path]:
    chain, path = directory / "chain.pem", directory / "crl.der"
    chain.write_text(issuer.chain_pem())
    path.write_bytes(crl)
    return chain, path


def test_openssl_verifies_the_list(tmp_path: Path) -> None:
    chain, path = written(tmp_path, make_revocation_list(ISSUER, [], NOW), ISSUER)

    said = openssl("crl", "-inform", "DER", "-in", path, "-CAfile", chain, "-noout", "-text")

    assert said.returncode == 0
    assert "verify OK" in said.stderr
    assert "No Revoked Certificates" in said.stdout


def test_a_list_of_another_authority_does_not_verify(tmp_path: Path) -> None:
    chain, path = written(tmp_path, make_revocation_list(hierarchy().intermediate, [], NOW), ISSUER)

    said = openssl("crl", "-inform", "DER", "-in", path, "-CAfile", chain, "-noout")

    assert "verify OK" not in said.stderr


def test_openssl_refuses_what_is_listed_and_only_that(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    bad.mkdir()
    kept, _ = issued(ISSUER).write(good)
    revoked = issued(ISSUER)
    dropped, _ = revoked.write(bad)
    entry = Revocation(read_serial(revoked.certificate.serial), NOW)
    chain, path = written(tmp_path, make_revocation_list(ISSUER, [entry], NOW), ISSUER)

    first = openssl("verify", "-crl_check", "-CAfile", chain, "-CRLfile", path, kept)
    second = openssl("verify", "-crl_check", "-CAfile", chain, "-CRLfile", path, dropped)

    assert first.stdout == f"{kept}: OK\n"
    assert "certificate revoked" in second.stderr


def test_later_lists_have_higher_numbers_and_last_a_week() -> None:
    lists = [
        x509.load_der_x509_crl(make_revocation_list(ISSUER, [], NOW + timedelta(seconds=later)))
        for later in (0, 1)
    ]

    numbers = [
        each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for each in lists
    ]
    assert numbers[0] < numbers[1]
    update = lists[0].next_update_utc
    assert update
    assert update - lists[0].last_update_utc == CRL_LIFETIME == timedelta(days=7)
