"""The proxy and the certificates of the settings are what a scan really uses."""

import shutil
from pathlib import Path

import pytest

from scanner.sandbox.app import SANDBOX_KEY
from tests.cli.running import Ran, keyvigil
from tests.cli.tunnels import make_certificate, proxy, tls
from tests.conftest import absent

pytestmark = pytest.mark.slow


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    if not shutil.which("openssl"):
        absent("there is no openssl on this machine")
    return make_certificate(tmp_path)


def scan(folder: Path, http: str, **environment: str) -> Ran:
    (folder / "keyvigil.yaml").write_text(f"http: {{ {http} }}\n")
    nothing = {"OPENAI_BASE_URL": "", "OPENAI_ADMIN_KEY": SANDBOX_KEY, "NO_PROXY": ""}
    return keyvigil("scan", cwd=folder, env=nothing | environment)


def test_the_certificates_of_the_settings_are_trusted_and_others_are_not(
    tmp_path: Path, sandbox_url: str, certificate: tuple[Path, Path]
) -> None:
    with tls(sandbox_url, *certificate) as url:
        trusted = scan(tmp_path, f"base_url: '{url}', ca_bundle: ca.pem")
        by_variable = scan(tmp_path, f"base_url: '{url}'", KEYVIGIL_CA_BUNDLE="ca.pem")
        refused = scan(tmp_path, f"base_url: '{url}', timeout: 5")
    assert (trusted.code, by_variable.code) == (0, 0), trusted.err
    assert refused.code == 3
    assert "certificate" in refused.err.lower()


def test_the_proxy_of_the_settings_carries_every_request(
    tmp_path: Path, sandbox_url: str, certificate: tuple[Path, Path]
) -> None:
    with tls(sandbox_url, *certificate) as url, proxy() as (place, asked):
        ran = scan(tmp_path, f"base_url: '{url}', ca_bundle: ca.pem, proxy: 'http://{place}'")
    assert ran.code == 0, ran.err
    to = url.removeprefix("https://").removesuffix("/v1")
    assert asked
    assert {head.split("\r\n")[0] for head in asked} == {f"CONNECT {to} HTTP/1.1"}
    assert SANDBOX_KEY not in "".join(asked)


def test_a_proxys_password_comes_from_the_environment_and_is_never_shown(
    tmp_path: Path, sandbox_url: str, certificate: tuple[Path, Path]
) -> None:
    http = "ca_bundle: ca.pem, proxy: 'http://127.0.0.1:9'"
    with tls(sandbox_url, *certificate) as url, proxy() as (place, asked):
        ran = scan(
            tmp_path, f"base_url: '{url}', {http}", KEYVIGIL_PROXY=f"http://me:hunter2@{place}"
        )
    assert ran.code == 0, ran.err
    assert all("Proxy-Authorization: Basic bWU6aHVudGVyMg==" in head for head in asked)
    gone = scan(
        tmp_path,
        "base_url: 'https://127.0.0.1:9/v1', timeout: 1",
        KEYVIGIL_PROXY="http://me:hunter2@127.0.0.1:9",
    )
    assert gone.code == 3
    assert "hunter2" not in ran.out + ran.err + gone.out + gone.err


def test_on_loopback_over_plain_http_no_proxy_is_asked(tmp_path: Path, sandbox_url: str) -> None:
    ran = scan(tmp_path, f"base_url: '{sandbox_url}', proxy: 'http://127.0.0.1:9'")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file or directory"), ("not PEM", "NO_CERTIFICATE")]
)
def test_certificates_that_are_none_are_refused(
    tmp_path: Path, content: str | None, why: str
) -> None:
    if content:
        (tmp_path / "ca.pem").write_text(content)
    ran = scan(tmp_path, "ca_bundle: ca.pem")
    assert ran.code == 2
    assert "The certificates in ca.pem cannot be used: " in ran.err
    assert why in ran.err
