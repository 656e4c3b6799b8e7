"""The command `rowtide`: runs the program, as if it had been called itself."""

import os
import subprocess
import sys

from rowtide import program_path


def main() -> None:
    try:
        program = program_path()
    except FileNotFoundError as error:
        sys.exit(f"error: {error}")
    # The program recommends further commands by the name that it was called by.
    command = ["rowtide", *sys.argv[1:]]
    if sys.platform != "win32":
        os.execv(program, command)
    # Windows cannot put another program in the place of this one. Ctrl-C goes to both.
    child = subprocess.Popen(command, executable=program)
    while True:
        try:
            sys.exit(child.wait())
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
