"What makes the site in _docs/ and checks it. scripts/site.py is its command."
