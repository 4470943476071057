import pytest

from senryu.core.buildpack import BUILT_IN, buildpack
from senryu.core.errors import Invalid


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("heroku/python", "python"),
        ("python", "python"),
        ("urn:buildpack:heroku/ruby", "ruby"),
        ("senryu/static", "static"),
        ("https://github.com/heroku/heroku-buildpack-nodejs", "nodejs"),
        ("https://github.com/heroku/heroku-buildpack-python.git#v200", "python"),
        ("git@github.com:heroku/heroku-buildpack-go.git", "go"),
        ("https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku/php.tgz", "php"),
        ("heroku/node", "nodejs"),
        ("https://github.com/heroku/heroku-buildpack-nginx", "static"),
    ],
)
def test_herokus_own_addresses_are_the_built_in_buildpacks(url: str, name: str) -> None:
    assert buildpack(url).built_in == name
    assert buildpack(url).name == f"heroku/{name}"


@pytest.mark.parametrize(
    "url", ["https://github.com/someone/pack", "https://x.example/pack.tgz", "git://x.example/p#branch", "http://x.example:8000/p.tar.gz"]
)
def test_other_addresses_are_outside_ones(url: str) -> None:
    assert buildpack(url).built_in is None
    assert buildpack(url).name == url


UNFETCHABLE = ("", "cobol", "heroku/cobol", "file:///etc", "ext::sh -c x", "-u", "https://", "http://[", "/x", "https://a b", "https://a\nb")


@pytest.mark.parametrize("url", UNFETCHABLE)
def test_what_cannot_be_fetched_is_refused_with_a_list(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        buildpack(url)
    assert all(f"heroku/{name}" in refused.value.message for name in BUILT_IN)
