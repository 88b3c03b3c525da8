"""Real-looking tools of the training half, with requests that call them."""

from source import Source
from tool_kinds import (
    CITY,
    FILE,
    INT,
    PERSON,
    QUERY,
    REAL,
    TEXT,
    WHOLE,
    curated,
    enum,
    gen,
)

curated(
    "train",
    "get_weather|get_current_weather|weather",
    "Get the current weather for a city.|Current weather in a city|Look up the weather",
    {"city": CITY},
    [
        "What's the weather in {city}?",
        "What is the weather in {city}?",
        "How is the weather in {city}?",
        "weather in {city}",
        "Tell me the weather in {city}",
        "Is it raining in {city}?",
        "How warm is it in {city}?",
        "What is the weather like in {city} today?",
        "Weather for {city} please",
    ],
)
curated(
    "train",
    "get_weather|weather_at|get_forecast",
    "Get the weather of a place.|Weather forecast for a location",
    {"location": CITY, "unit": enum("celsius", "fahrenheit")},
    [
        "What is the weather in {location} in {unit}?",
        "weather {location} {unit}",
        "Tell me the weather of {location} in {unit}",
    ],
)
curated(
    "train",
    "get_forecast|forecast",
    "Weather forecast for some days",
    {"city": CITY, "days": INT},
    [
        "What will the weather be in {city} for {days} days?",
        "Forecast for {city}, {days} days",
        "Give me the {days} day forecast of {city}",
    ],
)
curated(
    "train",
    "add|add_numbers|sum|plus",
    "Add two numbers.|Adds a and b|Return the sum of two numbers",
    {"a": WHOLE, "b": WHOLE},
    [
        "What is {a} plus {b}?",
        "Add {a} and {b}",
        "add {a} to {b}",
        "{a} + {b}",
        "What is {a} + {b}?",
        "Compute {a} + {b}",
        "Calculate {a} plus {b}",
        "What's {a}+{b}?",
        "Sum {a} and {b}",
        "Please add {a} and {b} for me",
    ],
)
curated(
    "train",
    "multiply|times|mul|product",
    "Multiply two numbers.|Product of a and b",
    {"a": WHOLE, "b": WHOLE},
    [
        "What is {a} times {b}?",
        "Multiply {a} by {b}",
        "{a} * {b}",
        "What is {a} * {b}?",
        "Multiply {a} and {b}",
        "Compute {a} times {b}",
    ],
)
curated(
    "train",
    "subtract|minus",
    "Subtract b from a.",
    {"a": WHOLE, "b": WHOLE},
    ["What is {a} minus {b}?", "{a} - {b}", "Take {b} away from {a}", "Compute {a} minus {b}"],
)
curated(
    "train",
    "divide",
    "Divide a by b.",
    {"a": REAL, "b": WHOLE},
    ["What is {a} divided by {b}?", "Divide {a} by {b}", "{a} / {b}", "Compute {a} / {b}"],
)
curated(
    "train",
    "sqrt|square_root",
    "Square root of a number",
    {"x": REAL},
    ["What is the square root of {x}?", "sqrt of {x}", "Take the square root of {x}"],
)
curated(
    "train",
    "search|web_search|search_web|google",
    "Search the web.|Search the internet for a query|Web search",
    {"query": QUERY},
    [
        "Search for {query}",
        "Search the web for {query}",
        "Find pages about {query}",
        "Look up {query}",
        "search {query}",
        "Find information about {query}",
        "Google {query}",
    ],
)
curated(
    "train",
    "retrieve|rag_retrieve|search_documents|search_docs|query_store|retrieve_chunks",
    "Retrieve passages from the documents.|Search the document store|Look up relevant text in the knowledge base|"
    "Use this tool to retrieve the most relevant excerpts from the knowledge store",
    {"text": QUERY},
    [
        "What do the documents say about {text}?",
        "What does the documentation say about {text}?",
        "Find {text} in the documents",
        "Look in the documents for {text}",
        "Search the documents for {text}",
        "According to the documents, what about {text}?",
        "What do the notes say about {text}?",
    ],
)
curated(
    "train",
    "get_time|current_time|time_in",
    "Get the current time in a city.",
    {"city": CITY},
    [
        "What time is it in {city}?",
        "What is the time in {city}?",
        "Time in {city}",
        "Tell me the time in {city}",
    ],
)
curated(
    "train",
    "get_time|current_time|now|clock",
    "Get the current time.|Returns the current date and time",
    {},
    [
        "What time is it?",
        "Tell me the time",
        "What is the time now?",
        "current time",
        "What date is it today?",
    ],
)
curated(
    "train",
    "read_file|read|open_file|load_file",
    "Read a file.|Read the contents of a file",
    {"path": FILE},
    [
        "Read {path}",
        "Read the file {path}",
        "Show me {path}",
        "What is in {path}?",
        "Open {path}",
        "Print the file {path}",
        "What does {path} contain?",
    ],
)
curated(
    "train",
    "Read|View",
    "Reads a file from the local filesystem.",
    {"file_path": FILE},
    [
        "Read {file_path}",
        "Read the file {file_path}",
        "Show me {file_path}",
        "What is in {file_path}?",
    ],
)
curated(
    "train",
    "write_file|save_file|Write",
    "Write text to a file.",
    {"path": FILE, "content": TEXT},
    [
        "Write {content} to {path}",
        'Write "{content}" to the file {path}',
        "Save {content} in {path}",
        "Create the file {path} with {content}",
    ],
)
curated(
    "train",
    "list_files|ls|list_dir|list_directory",
    "List the files of a folder.|List a directory",
    {
        "path": gen(
            "string",
            lambda s: s.pick(
                "data",
                "src",
                "/tmp",
                ".",
                "docs",
                s.word("NOUNS"),
                "/home/" + s.word("NAMES").lower(),
            ),
        )
    },
    [
        "List the files in {path}",
        "What files are in {path}?",
        "Show the files of {path}",
        "ls {path}",
        "list {path}",
    ],
)
curated(
    "train",
    "run_command|bash|shell|Bash|execute",
    "Run a shell command.|Executes a bash command",
    {
        "command": gen(
            "string",
            lambda s: s.pick(
                "ls",
                "pwd",
                "ls -l " + s.word("NOUNS"),
                "cat " + s.file(),
                "git status",
                "git log",
                "pytest",
                "python " + s.file(),
                "echo " + s.phrase(1, 3),
                "pip install " + s.pseudo().lower(),
                "make",
                "grep " + s.word("NOUNS") + " " + s.file(),
                "rm " + s.file(),
                "mkdir " + s.word("NOUNS"),
            ),
        )
    },
    [
        "Run {command}",
        "Run the command {command}",
        "Execute {command}",
        "run `{command}`",
        "Please run {command}",
    ],
)
curated(
    "train",
    "send_email|email|mail",
    "Send an email.",
    {"to": gen("string", Source.email), "subject": QUERY, "body": TEXT},
    [
        "Send an email to {to} with subject {subject} and body {body}",
        "Email {to}: subject {subject}, body {body}",
        'Mail {to} with the subject "{subject}" saying "{body}"',
    ],
)
curated(
    "train",
    "send_message|message|notify",
    "Send a message to a person.",
    {"recipient": PERSON, "message": TEXT},
    [
        "Tell {recipient} that {message}",
        "Send {recipient} the message {message}",
        "Message {recipient}: {message}",
        'Send "{message}" to {recipient}',
    ],
)
curated(
    "train",
    "calculator|calculate|evaluate",
    "Evaluate a math expression.|A simple calculator",
    {
        "expression": gen(
            "string",
            lambda s: s.pick(" ", "").join(
                [str(s.r.randint(1, 99)), s.pick(*"+-*/"), str(s.r.randint(1, 99))]
                + ([s.pick(*"+-*/"), str(s.r.randint(1, 99))] if s.chance(0.4) else [])
            ),
        )
    },
    [
        "What is {expression}?",
        "Calculate {expression}",
        "Compute {expression}",
        "{expression}",
        "Evaluate {expression}",
    ],
)
curated(
    "train",
    "get_population|population",
    "Population of a city or country.",
    {"place": CITY},
    [
        "How many people live in {place}?",
        "What is the population of {place}?",
        "Population of {place}",
    ],
)
curated(
    "train",
    "roll_dice|roll|dice",
    "Roll a die.|Roll dice with some sides",
    {"sides": INT},
    ["Roll a die with {sides} sides", "Roll a {sides} sided die", "roll d{sides}"],
)
curated(
    "train",
    "random_number|rand",
    "Random number in a range",
    {"low": WHOLE, "high": WHOLE},
    ["Give me a random number between {low} and {high}", "random number from {low} to {high}"],
)
curated(
    "train",
    "set_alarm|alarm",
    "Set an alarm.",
    {"time": gen("string", lambda s: f"{s.r.randint(0, 23)}:{s.r.randint(0, 59):02d}")},
    ["Wake me up at {time}", "Set an alarm for {time}", "Alarm at {time}"],
)
curated(
    "train",
    "remind_me|create_reminder|add_reminder",
    "Create a reminder.",
    {"text": QUERY, "date": gen("string", Source.date)},
    [
        "Remind me on {date} to {text}",
        "Reminder for {date}: {text}",
        "Remind me of {text} on {date}",
    ],
)
curated(
    "train",
    "get_user|find_user|lookup_user",
    "Look up a user by name.",
    {"name": PERSON},
    ["Who is the user {name}?", "Find the user {name}", "Look up {name}", "Get the user {name}"],
)
curated(
    "train",
    "sql|run_sql|query_database|query",
    "Run a SQL query.",
    {
        "query": gen(
            "string",
            lambda s: s.pick(
                f"SELECT * FROM {s.word('NOUNS')}",
                f"SELECT {s.word('NOUNS')} FROM {s.word('NOUNS')}",
                f"SELECT COUNT(*) FROM {s.word('NOUNS')}",
            ),
        )
    },
    ["Run {query}", "{query}", "Run the query {query}"],
)
curated(
    "train",
    "define|dictionary|get_definition",
    "Get the definition of a word.",
    {"word": gen("string", lambda s: s.pick(s.word("NOUNS"), s.pseudo().lower()))},
    ["Define {word}", "What does {word} mean?", "What is the definition of {word}?"],
)
curated(
    "train",
    "distance|get_distance|route",
    "Distance between two cities.",
    {"origin": CITY, "destination": CITY},
    [
        "How far is it from {origin} to {destination}?",
        "Distance from {origin} to {destination}",
        "How far is {destination} from {origin}?",
    ],
)
curated(
    "train",
    "plot|make_plot|draw_chart",
    "Plot a column of a table.",
    {"column": gen("string", lambda s: s.word("NOUNS")), "kind": enum("line", "bar", "scatter")},
    [
        "Plot {column} as a {kind} chart",
        "Make a {kind} plot of {column}",
        "Draw {column} as {kind}",
    ],
)
curated(
    "train",
    "load_model|open_model",
    "Load a GGUF model.",
    {"path": gen("string", lambda s: s.pseudo().lower() + ".gguf"), "n_ctx": INT},
    ["Load {path} with n_ctx {n_ctx}", "Load the model {path}, context {n_ctx}"],
)
curated(
    "train",
    "run_python|python|execute_code|run_code|run_cell|python_repl",
    "Run Python code.|Execute code in the notebook",
    {"code": gen("string", Source.code)},
    [
        "Run {code}",
        "Execute {code}",
        "Run the code {code}",
        "run `{code}`",
        "Run this: {code}",
        "Execute this code: {code}",
    ],
)
curated(
    "train",
    "count_words|word_count|count_letters",
    "Count the words of a text.",
    {"text": TEXT},
    ["How many words are in {text}?", "Count the words of {text}", 'Count the words in "{text}"'],
)
curated(
    "train",
    "reverse|reverse_text|reverse_string",
    "Reverse a text.",
    {"text": TEXT},
    ["Reverse {text}", 'Reverse "{text}"', "Reverse the text {text}", "Write {text} backwards"],
)

# held out: never in the training data
