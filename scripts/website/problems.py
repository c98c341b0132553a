"What is wrong with the site."


class Problems(list):
    "A line for each problem."

    def add(self, page, message):
        self.append(f"{page}: {message}")
