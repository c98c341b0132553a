"`python -m cuts` is the command `cuts`, where the folder of scripts is not on the path."

from .cli.command import main

if __name__ == "__main__":  # processes that are started anew import this module under another name
    main()
