"""The facts the sample data set asks about. Each key has exactly one right answer."""

from __future__ import annotations

from itertools import permutations

CAPITALS = {
    "Australia": "Canberra",
    "Austria": "Vienna",
    "Belgium": "Brussels",
    "Canada": "Ottawa",
    "Chile": "Santiago",
    "China": "Beijing",
    "Cuba": "Havana",
    "Denmark": "Copenhagen",
    "Egypt": "Cairo",
    "Finland": "Helsinki",
    "France": "Paris",
    "Germany": "Berlin",
    "Greece": "Athens",
    "Hungary": "Budapest",
    "India": "New Delhi",
    "Ireland": "Dublin",
    "Italy": "Rome",
    "Japan": "Tokyo",
    "Kenya": "Nairobi",
    "Norway": "Oslo",
    "Peru": "Lima",
    "Poland": "Warsaw",
    "Portugal": "Lisbon",
    "Spain": "Madrid",
    "Sweden": "Stockholm",
    "Thailand": "Bangkok",
}

SYMBOLS = {
    "calcium": "Ca",
    "carbon": "C",
    "chlorine": "Cl",
    "copper": "Cu",
    "gold": "Au",
    "helium": "He",
    "hydrogen": "H",
    "iron": "Fe",
    "magnesium": "Mg",
    "mercury": "Hg",
    "neon": "Ne",
    "nickel": "Ni",
    "nitrogen": "N",
    "oxygen": "O",
    "potassium": "K",
    "silicon": "Si",
    "silver": "Ag",
    "sodium": "Na",
    "sulfur": "S",
    "tin": "Sn",
    "uranium": "U",
    "zinc": "Zn",
}

_NOUNS = (
    "city", "elephant", "garlic", "idea", "kitchen", "mountain",
    "music", "river", "sister", "teacher", "village",
)  # fmt: skip
_VERBS = (
    "arrive", "become", "believe", "bring", "choose", "explain", "forget", "grow", "learn", "sing", "write",
)  # fmt: skip

PARTS_OF_SPEECH = {**dict.fromkeys(_NOUNS, "noun"), **dict.fromkeys(_VERBS, "verb")}

OPPOSITES = {
    "above": "below",
    "always": "never",
    "big": "small",
    "black": "white",
    "clean": "dirty",
    "day": "night",
    "deep": "shallow",
    "early": "late",
    "fast": "slow",
    "first": "last",
    "full": "empty",
    "happy": "sad",
    "high": "low",
    "hot": "cold",
    "inside": "outside",
    "left": "right",
    "long": "short",
    "loud": "quiet",
    "near": "far",
    "open": "closed",
    "rich": "poor",
    "strong": "weak",
    "thick": "thin",
    "true": "false",
    "up": "down",
    "wet": "dry",
}

PLURALS = {
    "baby": "babies",
    "box": "boxes",
    "bus": "buses",
    "cat": "cats",
    "child": "children",
    "city": "cities",
    "dog": "dogs",
    "foot": "feet",
    "goose": "geese",
    "house": "houses",
    "knife": "knives",
    "leaf": "leaves",
    "man": "men",
    "mouse": "mice",
    "potato": "potatoes",
    "sheep": "sheep",
    "tooth": "teeth",
    "watch": "watches",
    "wolf": "wolves",
    "woman": "women",
}

PAST_TENSES = {
    "begin": "began",
    "break": "broke",
    "bring": "brought",
    "buy": "bought",
    "come": "came",
    "drink": "drank",
    "eat": "ate",
    "find": "found",
    "give": "gave",
    "go": "went",
    "know": "knew",
    "make": "made",
    "play": "played",
    "run": "ran",
    "see": "saw",
    "sing": "sang",
    "speak": "spoke",
    "swim": "swam",
    "take": "took",
    "teach": "taught",
    "think": "thought",
    "walk": "walked",
    "write": "wrote",
}

YOUNG_ANIMALS = {
    "bear": "cub",
    "cat": "kitten",
    "cow": "calf",
    "deer": "fawn",
    "dog": "puppy",
    "duck": "duckling",
    "frog": "tadpole",
    "goat": "kid",
    "goose": "gosling",
    "horse": "foal",
    "kangaroo": "joey",
    "sheep": "lamb",
    "swan": "cygnet",
}

COLORS = {
    "a lemon": "yellow",
    "a polar bear": "white",
    "a raven": "black",
    "a ripe banana": "yellow",
    "a ripe orange": "orange",
    "a ripe strawberry": "red",
    "an emerald": "green",
    "a ruby": "red",
    "a sapphire": "blue",
    "chocolate": "brown",
    "coal": "black",
    "fresh grass": "green",
    "snow": "white",
    "the clear sky": "blue",
}

CATEGORIES = {
    **dict.fromkeys(("cow", "horse", "lion", "rabbit", "tiger", "wolf"), "animal"),
    **dict.fromkeys(("apple", "banana", "cherry", "grape", "mango", "pear"), "fruit"),
    **dict.fromkeys(("coat", "dress", "glove", "hat", "shirt", "sock"), "clothing"),
    **dict.fromkeys(("drum", "flute", "guitar", "piano", "trumpet", "violin"), "instrument"),
}

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

DAYS_AFTER = dict(zip(_DAYS, _DAYS[1:] + _DAYS[:1], strict=True))
DAYS_BEFORE = {after: day for day, after in DAYS_AFTER.items()}
MONTHS_AFTER = dict(zip(_MONTHS, _MONTHS[1:] + _MONTHS[:1], strict=True))
MONTHS_BEFORE = {after: month for month, after in MONTHS_AFTER.items()}

SUMS = {(a, b): str(a + b) for a in range(1, 6) for b in range(1, 6)}
DIFFERENCES = {(a, b): str(a - b) for a in range(2, 7) for b in range(1, a)}
PRODUCTS = {(a, b): str(a * b) for a in range(2, 6) for b in range(2, 6)}

# every order of every three of four words
SORTED_WORDS = {
    ", ".join(order): ", ".join(sorted(order)) for order in permutations(("apple", "cherry", "lemon", "peach"), 3)
}
