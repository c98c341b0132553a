"Fixtures for every test: those of browser.py."

pytest_plugins = ["browser"]
