"""Real-looking tools that only the evaluation uses."""

import string

from source import Source
from tool_kinds import (
    CITY,
    INT,
    QUERY,
    curated,
    enum,
    gen,
)

curated(
    "test",
    "translate|translate_text",
    "Translate a text to another language.",
    {"text": QUERY, "language": gen("string", lambda s: s.word("LANGUAGES"))},
    ["Translate {text} to {language}", 'Translate "{text}" into {language}'],
)
curated(
    "test",
    "book_flight",
    "Book a flight between two cities.",
    {"origin": CITY, "destination": CITY, "date": gen("string", Source.date)},
    ["Book a flight from {origin} to {destination} on {date}"],
)
curated(
    "test",
    "set_timer",
    "Start a timer.",
    {"minutes": gen("integer", lambda s: s.r.randint(1, 90))},
    ["Set a timer for {minutes} minutes", "Start a timer of {minutes} minutes"],
)
curated(
    "test",
    "get_stock_price",
    "Get the price of a stock.",
    {
        "symbol": gen(
            "string", lambda s: "".join(s.r.choices(string.ascii_uppercase, k=s.r.randint(2, 4)))
        )
    },
    ["What is the stock price of {symbol}?", "Stock price of {symbol}"],
)
curated(
    "test",
    "play_song",
    "Play a song.",
    {"title": QUERY},
    ["Play the song {title}", 'Play "{title}"', "Play {title}"],
)
curated(
    "test",
    "convert_currency",
    "Convert money between currencies.",
    {
        "amount": gen("number", lambda s: s.r.randint(1, 5000)),
        "source": enum("USD", "EUR", "GBP"),
        "target": enum("JPY", "CHF", "SEK"),
    },
    ["Convert {amount} {source} to {target}", "How much is {amount} {source} in {target}?"],
)
curated(
    "test",
    "turn_on_light",
    "Turn on the light in a room.",
    {"room": gen("string", lambda s: s.pick("kitchen", "bathroom", "bedroom", "cellar", "office"))},
    ["Turn on the light in the {room}", "Switch on the {room} light"],
)
curated(
    "test",
    "get_square",
    "Square of an integer",
    {"n": INT},
    ["What is the square of {n}?", "Square {n}"],
)
curated(
    "test",
    "find_restaurant",
    "Find a restaurant.",
    {
        "cuisine": gen("string", lambda s: s.pick("Thai", "Greek", "Mexican", "Polish")),
        "city": CITY,
    },
    ["Find a {cuisine} restaurant in {city}"],
)
curated(
    "test",
    "get_capital",
    "Capital of a country",
    {"country": gen("string", lambda s: s.pick("Kenya", "Peru", "Chile", "Ghana", "Nepal"))},
    ["What is the capital of {country}?", "Capital of {country}"],
)
