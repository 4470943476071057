import pytest

from senryu.core.domain import checked_hostname
from senryu.core.errors import Invalid


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("www.example.com", "www.example.com"),
        ("WWW.Example.COM.", "www.example.com"),
        ("*.example.com", "*.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        (" a-b.example.com ", "a-b.example.com"),
        ("1and1.com", "1and1.com"),
        ("example.co.uk", "example.co.uk"),
        ("notlocalhost.example", "notlocalhost.example"),
    ],
)
def test_a_host_name_is_stored_as_the_router_looks_it_up(typed: str, stored: str) -> None:
    assert checked_hostname(typed, platform_domain="localhost") == stored


NONE = (
    *("", ".", "nodot", "*", "*.com", "a..b", ".a.b", "a_b.com", "-a.com", "a-.com", "a.com/x", "a.com:80", "http://a.com", "a b.com"),
    *("10.0.0.1", "::1", "*.*.a.com", "a.*.com", "x" * 64 + ".com", ".".join(["x" * 60] * 5), "a.com\nb", "a.com\0", "\ud800.com"),
    "a.com.1",
)


@pytest.mark.parametrize("hostname", NONE)
def test_what_is_none_is_refused(hostname: str) -> None:
    with pytest.raises(Invalid):
        checked_hostname(hostname, platform_domain="localhost")


@pytest.mark.parametrize(
    "hostname", ["apps.example.com", "x.apps.example.com", "*.apps.example.com", "a.apps.example.com", "*.example.com", "APPS.example.com"]
)
def test_names_of_the_platform_are_refused(hostname: str) -> None:
    with pytest.raises(Invalid, match="platform's own domain"):
        checked_hostname(hostname, platform_domain="apps.example.com")


@pytest.mark.parametrize("hostname", ["example.com", "www.example.com", "myapps.example.com", "*.other.example.com"])
def test_neighbours_of_the_platform_are_not(hostname: str) -> None:
    assert checked_hostname(hostname, platform_domain="apps.example.com") == hostname
