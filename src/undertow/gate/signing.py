"""Ed25519 signatures (RFC 8032) over a file's exact bytes, kept beside it as `<name>.sig`: 64 bytes in base64.

Keys are PEM files as OpenSSL writes them (PKCS #8, SubjectPublicKeyInfo), so either side can do without Undertow:

    openssl genpkey -algorithm ed25519 -out gate.key
    openssl pkey -in gate.key -pubout -out gate.key.pub
    openssl pkeyutl -verify -pubin -inkey gate.key.pub -rawin -in record.json -sigfile <(base64 -d record.json.sig)

A signature says who vouches for a file, not that what it says is true.
"""

from __future__ import annotations

import base64
import binascii
import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from undertow.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_MAX_KEY = 10_000
_LIKE: Final = "Make a pair with `undertow keygen FILE`, or `openssl genpkey -algorithm ed25519`."


def make_pair(path: Path) -> tuple[Path, str]:
    """Write a new private key to a file that only its owner may read, and its public key beside it.

    Args:
        path: The private key's file; the public key's name has `.pub` added.

    Returns:
        The public key's file, and its fingerprint.

    Raises:
        InputError: one of the files is there.
        MissingExtraError: `cryptography` is not installed.
    """
    _require()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from undertow.store.files import storing

    public = path.with_name(path.name + ".pub")
    for each in (path, public):
        if os.path.lexists(each):
            raise InputError(
                "is there already", str(each), "Name another file: a key that is lost cannot be made again."
            )
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with storing(path):
        _write_new(path, secret, 0o600)
        try:
            _write_new(public, _pem(key.public_key()), 0o666)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    return public, fingerprint(key.public_key())


def _write_new(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def read_private(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        InputError: it cannot be read, or is no unencrypted Ed25519 key.
        MissingExtraError: `cryptography` is not installed.
    """
    _require()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    data = _read(path)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except TypeError:
        raise InputError("is encrypted", str(path), "Decrypt it for the time of signing: `openssl pkey`.") from None
    except (ValueError, UnsupportedAlgorithm):
        # What was read is a secret, so the cause, which may quote it, goes no further.
        raise InputError("is no private key in PEM", str(path), _LIKE) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError("is a key of another kind than Ed25519", str(path), _LIKE)
    return key


def read_public(path: Path) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        InputError: it cannot be read, or is no Ed25519 key.
        MissingExtraError: `cryptography` is not installed.
    """
    _require()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    data = _read(path)
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise InputError("is no public key in PEM", str(path), "Name the file that ends with .pub.") from None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError("is a key of another kind than Ed25519", str(path), _LIKE)
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return what a public key is known by: the sha256 of its 32 bytes, in hex."""
    return sha256(key.public_bytes_raw()).hexdigest()


def sign(data: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return the text of a signature file."""
    return base64.b64encode(key.sign(data)) + b"\n"


def is_signed(data: bytes, signature: bytes, key: Ed25519PublicKey) -> bool:
    """Say whether the text of a signature file fits these bytes and this key."""
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(base64.b64decode(signature.strip(), validate=True), data)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _pem(key: Ed25519PublicKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_KEY + 1)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", str(path), _LIKE) from error
    if len(data) > _MAX_KEY:
        raise InputError(f"is longer than {_MAX_KEY:,} bytes", str(path), _LIKE)
    return data


def _require() -> None:
    try:
        import cryptography  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise MissingExtraError("needs the package cryptography", "signing", "pip install 'undertow[sign]'") from error
