"""Adding and removing an account's SSH public keys."""

from __future__ import annotations

from uuid import uuid4

from ..core.account import Account
from ..core.clock import Clock
from ..core.errors import Invalid, NotFound
from ..core.limits import SSH_KEYS_PER_ACCOUNT_MAX
from ..core.ssh_key import SshKey, read_key
from ..store.database import Database
from ..store.ssh_keys import create_ssh_key, delete_ssh_key, list_ssh_keys


async def add_ssh_key(line: str, *, by: Account, db: Database, clock: Clock) -> SshKey:
    """Stores a public key. Raises: Invalid when it is none, is there already, or the account has its share of keys."""
    read, now = read_key(line), clock.now()
    async with db.transaction() as tx:
        held = await list_ssh_keys(tx, by.id)
        if any(key.fingerprint == read.fingerprint for key in held):
            raise Invalid("Your account has this SSH key already.")
        if len(held) >= SSH_KEYS_PER_ACCOUNT_MAX:
            raise Invalid(f"Your account has {SSH_KEYS_PER_ACCOUNT_MAX} SSH keys; remove one first.")
        key = SshKey(uuid4(), by.id, read.public_key, read.comment, read.fingerprint, now, now)
        await create_ssh_key(tx, key)
    return key


async def remove_ssh_key(id_or_fingerprint: str, *, by: Account, db: Database) -> SshKey:
    """Takes a key away. Raises: NotFound."""
    async with db.transaction() as tx:
        found = [key for key in await list_ssh_keys(tx, by.id) if id_or_fingerprint in (str(key.id), key.fingerprint)]
        if not found:
            raise NotFound("Couldn't find that SSH key; `heroku keys` lists yours.")
        await delete_ssh_key(tx, found[0].id)
    return found[0]
