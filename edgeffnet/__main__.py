"""`python -m edgeffnet`."""

from edgeffnet.cli import main

if __name__ == "__main__":
    main()
