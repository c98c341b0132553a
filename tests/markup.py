"Markdown as pandoc shows it."


def pandoc(text: str) -> str:
    import pypandoc

    return pypandoc.convert_text(text, "html5", "markdown-smart", extra_args=["--wrap=preserve"]).strip()
