# What git runs before it moves a ref: asks senryud, over a socket inherited from it, and relays what it says.
# Installed on its own with a quick-starting interpreter: it imports nothing of Senryu and little of Python.
import os
from _socket import SHUT_WR, socket  # the module `socket` costs more than all the rest

_PASSED = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_SHALLOW_FILE")


def _exactly(connection: socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        chunk = connection.recv(size - len(received))
        if not chunk:
            os.write(2, b" !     The platform stopped in the middle of this push; push again.\n")
            os._exit(1)
        received += chunk
    return received


def _ask(connection: socket) -> None:
    variables = [os.fsencode(f"{name}={os.environ[name]}") for name in _PASSED if name in os.environ]
    connection.sendall(b"\0".join(variables) + b"\0\0")
    while chunk := os.read(0, 65536):
        connection.sendall(chunk)
    connection.shutdown(SHUT_WR)


def _relay(connection: socket) -> int:
    while True:
        header = _exactly(connection, 5)
        payload = _exactly(connection, int.from_bytes(header[1:], "big"))
        if header[:1] == b"x":
            return payload[0]
        while payload:
            payload = payload[os.write(2, payload) :]


if __name__ == "__main__":
    _connection = socket(fileno=int(os.environ["SENRYU_PUSH_FD"]))
    _ask(_connection)
    os._exit(_relay(_connection))
