"""``python -m ddeal_cli`` is ``ddeal``."""

from ddeal_cli.main import run

if __name__ == "__main__":
    run()
