from house import House, eventually


async def test_a_first_deploy_builds_releases_and_serves(house: House) -> None:
    app = await house.create("first")
    build, output = await house.deploy("first", "web: serve\nworker: work", "abcdef0123456789")
    assert build["status"] == "succeeded", output
    assert "Released v2" in output
    [dyno] = await house.serving("first")
    assert dyno.order.command == "serve"
    assert await house.log_of(app["id"]) is not None
    assert output.endswith("http://first.localhost:8080/ deployed to Senryu\n")
    await eventually(lambda: len(house.engine.running) == 1)
