"""Every command: its name, the module that has it, and one line for the help. Nothing is imported until it is run."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "access": ("access", "list who has access to an app"),
    "access:add": ("access", "give an account access to an app"),
    "access:remove": ("access", "take access to an app away from an account"),
    "apps": ("apps", "list your apps"),
    "apps:create": ("create", "create an app and its git remote"),
    "apps:destroy": ("apps", "delete an app for good"),
    "apps:info": ("apps_info", "show an app in detail"),
    "apps:open": ("apps", "open an app in the browser"),
    "apps:rename": ("apps", "give an app another name"),
    "auth:login": ("auth", "log in with e-mail address and password"),
    "auth:logout": ("auth", "log out and forget the token"),
    "auth:token": ("auth", "print the token of this login"),
    "auth:whoami": ("auth", "print the account you are logged in as"),
    "authorizations": ("authorizations", "list the tokens of your account"),
    "authorizations:create": ("authorizations", "create a token"),
    "authorizations:info": ("authorizations", "show a token's authorization"),
    "authorizations:revoke": ("authorizations", "revoke a token"),
    "buildpacks": ("buildpacks", "list an app's buildpacks"),
    "buildpacks:add": ("buildpacks", "add a buildpack"),
    "buildpacks:clear": ("buildpacks", "remove all buildpacks, so that the language is detected"),
    "buildpacks:remove": ("buildpacks", "remove a buildpack"),
    "buildpacks:set": ("buildpacks", "set the buildpack"),
    "builds": ("builds", "list an app's builds"),
    "builds:cancel": ("builds", "cancel a build"),
    "builds:create": ("builds_create", "build and release a directory without git"),
    "builds:info": ("builds", "show a build in detail"),
    "config": ("config", "list an app's config vars"),
    "config:edit": ("config_edit", "edit config vars in your editor"),
    "config:get": ("config", "print one config var"),
    "config:set": ("config", "set config vars"),
    "config:unset": ("config", "remove config vars"),
    "domains": ("domains", "list an app's domains"),
    "domains:add": ("domains", "add a custom domain"),
    "domains:clear": ("domains", "remove all custom domains"),
    "domains:info": ("domains", "show a domain in detail"),
    "domains:remove": ("domains", "remove a custom domain"),
    "git:clone": ("git", "clone an app's code"),
    "git:credentials": ("git", "answer git's question for a password"),
    "git:remote": ("git", "add the git remote of an app to this repository"),
    "help": ("help", "show the commands, or how one of them is used"),
    "local": ("local", "run the Procfile on this machine"),
    "local:run": ("local", "run one command on this machine with the variables of .env"),
    "local:version": ("local", "print the version of the local runner"),
    "logs": ("logs", "show an app's log"),
    "maintenance": ("maintenance", "show whether maintenance mode is on"),
    "maintenance:off": ("maintenance", "leave maintenance mode"),
    "maintenance:on": ("maintenance", "answer every request with the maintenance page"),
    "ps": ("ps", "list an app's dynos"),
    "ps:exec": ("run", "open a shell or run a command inside a running dyno"),
    "ps:restart": ("ps", "restart dynos"),
    "ps:scale": ("ps_scale", "show or change how many dynos run"),
    "ps:stop": ("ps", "stop a dyno"),
    "ps:type": ("ps_scale", "show or change the size of dynos"),
    "ps:wait": ("ps", "wait until all dynos run the newest release"),
    "regions": ("regions", "list the regions"),
    "register": ("auth", "create an account and log in"),
    "releases": ("releases", "list an app's releases"),
    "releases:info": ("releases", "show a release in detail"),
    "releases:output": ("releases", "show what the release command printed"),
    "releases:rollback": ("releases", "go back to the code and config of an earlier release"),
    "run": ("run", "run a command in a one-off dyno"),
    "run:detached": ("run", "run a command in a one-off dyno without waiting for it"),
    "run:inside": ("run", "run a command inside a running dyno"),
    "stack": ("stacks", "show an app's stack and the others"),
    "stack:set": ("stacks", "set the stack for the next build"),
    "stacks": ("stacks", "list the platform's stacks"),
    "stacks:import": ("stacks", "import a stack from a directory, a tarball or an image (operator)"),
    "version": ("version", "print the version"),
}

ALIASES: dict[str, str] = {
    "apps:delete": "apps:destroy",
    "apps:list": "apps",
    "apps:stacks": "stack",
    "apps:stacks:set": "stack:set",
    "authorizations:destroy": "authorizations:revoke",
    "buildpacks:list": "buildpacks",
    "config:add": "config:set",
    "config:list": "config",
    "config:remove": "config:unset",
    "create": "apps:create",
    "destroy": "apps:destroy",
    "dyno:kill": "ps:stop",
    "dyno:resize": "ps:type",
    "dyno:restart": "ps:restart",
    "dyno:scale": "ps:scale",
    "dyno:stop": "ps:stop",
    "dyno:type": "ps:type",
    "info": "apps:info",
    "kill": "ps:stop",
    "list": "apps",
    "local:start": "local",
    "login": "auth:login",
    "logout": "auth:logout",
    "open": "apps:open",
    "ps:kill": "ps:stop",
    "ps:resize": "ps:type",
    "rename": "apps:rename",
    "resize": "ps:type",
    "restart": "ps:restart",
    "rollback": "releases:rollback",
    "scale": "ps:scale",
    "stop": "ps:stop",
    "token": "auth:token",
    "whoami": "auth:whoami",
}

HIDDEN = {"git:credentials"}


def find(name: str) -> str | None:
    """The full name of a command or alias, or None."""
    name = ALIASES.get(name, name)
    return name if name in COMMANDS else None


def nearest(name: str) -> str | None:
    """The command that was probably meant."""
    from difflib import get_close_matches

    close = get_close_matches(name, [*COMMANDS, *ALIASES], n=1, cutoff=0.6)
    return close[0] if close else None
