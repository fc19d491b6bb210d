"""What `postrider check` says of a certificate; of maps: tests/acceptance/test_command_line.py."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.machine.running_out import certificate
from app.settings import Settings

BEGINS_AT = datetime(2026, 3, 1, tzinfo=UTC)
ENDS_AT = BEGINS_AT + timedelta(days=90)


@pytest.fixture
def settings(tmp_path) -> Settings:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "doors")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(BEGINS_AT)
        .not_valid_after(ENDS_AT)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "cert.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return Settings(doors_tls_cert=str(file), doors_tls_key=str(file))


@pytest.mark.parametrize(
    ("now", "ok"),
    [
        (BEGINS_AT - timedelta(days=1), False),
        (BEGINS_AT + timedelta(days=60), True),
        (ENDS_AT - timedelta(days=20), False),
        (ENDS_AT + timedelta(days=1), False),
    ],
)
def test_a_certificate_that_was_not_renewed_in_time_is_told(settings, now, ok):
    (result,) = certificate(settings, now)
    assert (result.ok, bool(result.mend)) == (ok, not ok)
    assert result.found == "from 2026-03-01 to 2026-05-30"


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_certificate_that_cannot_be_read_is_told(tmp_path, text):
    file = tmp_path / "cert.pem"
    if text is not None:
        file.write_text(text)
    (result,) = certificate(Settings(doors_tls_cert=str(file), doors_tls_key=str(file)), BEGINS_AT)
    assert not result.ok
    assert "POSTRIDER_DOORS_TLS_CERT" in result.found


def test_where_there_is_no_certificate_nothing_is_said():
    assert certificate(Settings(), BEGINS_AT) == []
