"""The Ruby buildpack over the distribution's gems, and against a gem server on loopback."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from .conftest import ROOT, BuildpackRunner, write_tree

EXAMPLE = ROOT / "examples" / "ruby-sinatra"
AWAY = "http://127.0.0.1:9"
GEMFILE = f'source "{AWAY}"\ngem "rack"\ngem "puma"\n'
CONFIG_RU = "run ->(env) { [200, {}, [ENV['RACK_ENV'], ' ', ENV['LANG']]] }\n"
RAILS = {
    "Gemfile": f'source "{AWAY}"\ngem "railties"\ngem "sprockets-rails"\ngem "puma"\n',
    "Rakefile": 'require_relative "config/application"\nRails.application.load_tasks\n',
    "config.ru": 'require_relative "config/environment"\nrun Rails.application\n',
    "config/environment.rb": 'require_relative "application"\nRails.application.initialize!\n',
    "config/application.rb": """
require "rails"
require "action_controller/railtie"
require "sprockets/railtie"
class HomeController < ActionController::Base
  def index = render(plain: "key #{Rails.application.secret_key_base.size} #{Rails.env}")
end
class Shop < Rails::Application
  config.eager_load = true
  config.logger = ActiveSupport::Logger.new($stdout)
  routes.append { root to: "home#index" }
end
""",
    "bin/rails": '#!/usr/bin/env ruby\nAPP_PATH = File.expand_path("../config/application", __dir__)\nrequire "rails/commands"\n',
    "app/assets/config/manifest.js": "//= link application.css\n",
    "app/assets/stylesheets/application.css": "h1 { color: green }\n",
}


def has_gem(*names: str) -> bool:
    found = shutil.which("gem", path="/usr/bin")
    queries = [["/usr/bin/gem", "list", "--installed", "--exact", name] for name in names] if found else []
    return bool(found) and all(subprocess.run(query, capture_output=True, check=False).returncode == 0 for query in queries)


needs_ruby = pytest.mark.skipif(
    not has_gem("bundler", "sinatra", "puma", "rake"),
    reason="needs the stack's Ruby (Debian: ruby ruby-bundler ruby-sinatra puma rake)",
)
needs_rails = pytest.mark.skipif(
    not has_gem("railties", "sprockets-rails"), reason="needs Debian's ruby-railties and ruby-sprockets-rails"
)


def sinatra_app() -> dict[str, str]:
    """The example, with a gem source that never answers whatever the machine can reach."""
    files = {str(path.relative_to(EXAMPLE)): path.read_text() for path in EXAMPLE.rglob("*") if path.is_file()}
    for name in ("Gemfile", "Gemfile.lock"):
        files[name] = files[name].replace("https://rubygems.org", AWAY)
    return files


@contextmanager
def gem_server(place: Path) -> Iterator[str]:
    """A static gem index with one gem, `greeting` 1.0.0, as `gem generate_index` makes it."""
    write_tree(place / "src", {
        "lib/greeting.rb": "module Greeting; TEXT = 'good day'; end\n",
        "greeting.gemspec": "Gem::Specification.new { |s| s.name = 'greeting'; s.version = '1.0.0'; s.summary = 'x';"
        " s.authors = ['x']; s.files = ['lib/greeting.rb'] }\n",
    })
    (place / "site/gems").mkdir(parents=True)
    gem = ["/usr/bin/gem"]
    subprocess.run([*gem, "build", "-q", "-o", "../site/gems/greeting-1.0.0.gem", "greeting.gemspec"],
                   cwd=place / "src", check=True, capture_output=True)
    subprocess.run([*gem, "generate_index", "-d", str(place / "site")], check=True, capture_output=True)
    serve = partial(QuietFiles, directory=str(place / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(timeout=10)


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: pytest shows what matters."""


def test_an_app_with_a_gemfile_is_detected_as_ruby(buildpack_run: BuildpackRunner) -> None:
    answer = buildpack_run("ruby", {"Gemfile": ""}).detect()
    assert (answer.returncode, answer.stdout) == (0, "Ruby\n")


def test_an_app_without_a_gemfile_is_not_detected(buildpack_run: BuildpackRunner) -> None:
    assert buildpack_run("ruby", {"app.rb": ""}).detect().returncode == 1


@pytest.mark.parametrize(
    ("files", "web"),
    [
        ({"config.ru": ""}, "bundle exec rackup config.ru -o 0.0.0.0 -p ${PORT:-5000}"),
        ({"web.rb": "require 'sinatra'\n"}, "bundle exec ruby web.rb -o 0.0.0.0 -p ${PORT:-5000}"),
        (
            {"config.ru": "", "bin/rails": "", "config/application.rb": "", "Gemfile.lock": "    railties (7.1.3)\n"},
            "bin/rails server -b 0.0.0.0 -p ${PORT:-5000} -e $RAILS_ENV",
        ),
    ],
)
def test_the_default_web_process_fits_the_framework(buildpack_run: BuildpackRunner, files: dict[str, str], web: str) -> None:
    said = buildpack_run("ruby", {"Gemfile": "", **files}).release().stdout
    assert f"  web: {web}\n" in said and "  rake: bundle exec rake\n" in said


def test_a_library_without_a_server_has_no_web_process(buildpack_run: BuildpackRunner) -> None:
    assert "web:" not in buildpack_run("ruby", {"Gemfile": ""}).release().stdout


@needs_ruby
def test_the_sinatra_example_runs_on_the_distributions_gems(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("ruby", sinatra_app())
    build = run.compile()
    assert build.returncode == 0, build.stdout
    assert f"{AWAY} cannot be reached: taking the gems installed on this machine" in build.stdout
    assert not (run.app / "vendor/bundle").exists()
    with run.started("exec bundle exec puma --bind tcp://127.0.0.1:$PORT config.ru", GREETING="Good <day>") as app:
        assert b"<h1>Good &lt;day&gt;</h1>" in app.get("/").body
        assert app.get("/environment").body == b"production on web.1\n"
        app.terminate()
        assert "Gracefully stopping" in app.output.read_text()


@needs_ruby
def test_a_rack_app_without_lock_file_or_procfile_answers(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("ruby", {"Gemfile": GEMFILE, "config.ru": CONFIG_RU})
    build = run.compile()
    assert build.returncode == 0, build.stdout
    with run.started("exec bundle exec rackup config.ru -o 127.0.0.1 -p $PORT") as app:
        assert app.get("/").body == b"production C.UTF-8"


@needs_ruby
def test_gems_of_other_versions_are_listed_beside_what_the_machine_has(buildpack_run: BuildpackRunner) -> None:
    files = sinatra_app()
    for name in ("Gemfile", "Gemfile.lock"):
        files[name] = files[name].replace("~> 3.0)", "~> 4.0)").replace('"~> 3.0"', '"~> 4.0"').replace("3.0.5", "4.1.1")
        files[name] = files[name].replace("mustermann (~> 4.0)", "mustermann (~> 3.0)")
    build = buildpack_run("ruby", files).compile()
    assert build.returncode == 1
    assert "  sinatra 4.1.1 (here: 3.0.5)\n" in build.stdout
    assert f" !     Let this machine reach {AWAY}, or put the gems in git with `bundle cache`," in build.stdout


@needs_ruby
def test_a_patch_release_of_the_distribution_is_taken_and_told(buildpack_run: BuildpackRunner) -> None:
    files = sinatra_app()
    files["Gemfile.lock"] = files["Gemfile.lock"].replace("sinatra (3.0.5)", "sinatra (3.0.1)")
    files["Gemfile.lock"] = files["Gemfile.lock"].replace("rack-protection (= 3.0.5)", "rack-protection (= 3.0.1)")
    files["Gemfile.lock"] = files["Gemfile.lock"].replace("rack-protection (3.0.5)", "rack-protection (3.0.1)")
    build = buildpack_run("ruby", files).compile()
    assert build.returncode == 0, build.stdout
    assert " !       sinatra 3.0.5 for 3.0.1\n" in build.stdout


@needs_ruby
def test_a_gem_nobody_has_is_named(buildpack_run: BuildpackRunner) -> None:
    build = buildpack_run("ruby", {"Gemfile": f'source "{AWAY}"\ngem "no-such-gem-here"\n'}).compile()
    assert build.returncode == 1
    assert "no-such-gem-here" in build.stdout and "(here: not installed)" in build.stdout


@needs_ruby
def test_another_ruby_version_is_explained(buildpack_run: BuildpackRunner) -> None:
    build = buildpack_run("ruby", {"Gemfile": 'ruby "9.9.9"\n' + GEMFILE}).compile()
    assert build.returncode == 1
    assert " !     The Gemfile asks for Ruby 9.9.9; this stack has Ruby 3." in build.stdout


@needs_ruby
def test_gems_of_a_reachable_server_go_into_the_slug_and_are_reused(buildpack_run: BuildpackRunner, tmp_path: Path) -> None:
    with gem_server(tmp_path / "gems") as url:
        files = {
            "Gemfile": f'source "{url}"\ngem "greeting"\n',
            "Gemfile.lock": f"GEM\n  remote: {url}/\n  specs:\n    greeting (1.0.0)\n\nPLATFORMS\n  ruby\n  x86_64-linux\n"
            "  aarch64-linux\n\nDEPENDENCIES\n  greeting\n",
            "web.rb": "require 'greeting'; require 'socket'\ns = TCPServer.new('127.0.0.1', ENV['PORT'].to_i)\n"
            "loop { c = s.accept; until c.gets.to_s.strip.empty? do end\n"
            "c.write(\"HTTP/1.0 200 OK\\r\\n\\r\\n#{Greeting::TEXT}\"); c.close }\n",
        }
        run = buildpack_run("ruby", files)
        build = run.compile()
        assert build.returncode == 0, build.stdout
        assert f"{url} can be reached: installing from it" in build.stdout
    shutil.rmtree(run.app)
    write_tree(run.app, files)
    again = run.compile()
    assert "       Gemfile.lock unchanged since the last build: nothing to install\n" in again.stdout, again.stdout
    with run.started("exec bundle exec ruby web.rb") as app:
        assert app.get("/").body == b"good day"


@needs_ruby
def test_gems_that_cannot_be_installed_are_taken_from_the_machine_if_it_has_them(buildpack_run: BuildpackRunner, tmp_path: Path) -> None:
    with gem_server(tmp_path) as url:  # it has none of them
        files = {name: content.replace(AWAY, url) for name, content in sinatra_app().items()}
        run = buildpack_run("ruby", files)
        build = run.compile()
    assert build.returncode == 0, build.stdout
    assert "this machine has all that Gemfile.lock names" in build.stdout
    assert not (run.app / "vendor/bundle").exists() and "BUNDLE_PATH" not in (run.app / ".profile.d/ruby.sh").read_text()
    with run.started("exec bundle exec puma --bind tcp://127.0.0.1:$PORT config.ru") as app:
        assert b"Hello from Sinatra" in app.get("/").body


@needs_ruby
@needs_rails
def test_a_rails_app_precompiles_its_assets_and_keeps_its_secret(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("ruby", RAILS)
    (run.app / "bin/rails").chmod(0o755)
    build = run.compile()
    assert build.returncode == 0, build.stdout
    assert "       Running: rake assets:precompile\n" in build.stdout
    assert list((run.app / "public/assets").glob("application-*.css")), build.stdout
    said = run.release().stdout
    secret = said.split('SECRET_KEY_BASE: "')[1].split('"')[0]
    assert len(secret) == 128 and "  web: bin/rails server -b 0.0.0.0 -p ${PORT:-5000} -e $RAILS_ENV\n" in said
    with run.started("exec bin/rails server -b 127.0.0.1 -p $PORT -e $RAILS_ENV", SECRET_KEY_BASE=secret) as app:
        assert app.get("/").body == b"key 128 production"
    shutil.rmtree(run.app)
    write_tree(run.app, RAILS)
    run.compile()
    assert secret in run.release().stdout
